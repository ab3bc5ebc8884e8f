"""The model that a command is to work with, of the kind that it can work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import keras

    from gru_zoo.training.runs import RunFolder

    Model = TypeVar("Model", bound=keras.Model)


def of_run(run: RunFolder, kind: type[Model], flag: str = "run") -> Model:
    """Return what a run has trained.

    Args:
        run: of any recipe.
        kind: of model.
        flag: that named the run, for the error's message.

    Raises:
        ValueError: a model of another kind.
        FileNotFoundError: it has not ended yet.
    """
    from gru_zoo.models.keras_file import load_keras_file

    path = run.path / "model.keras"
    if not path.exists():
        raise FileNotFoundError(f"{flag} must be finished; {run.path} has no {path.name}.")
    return require_kind(flag, str(run.path), load_keras_file(path), kind)


def of_zoo(flag: str, name: str, kind: type[Model]) -> Model:
    """Return a preset, with its card.

    Args:
        flag: that named it, for the error's message.
        name: as for `gru_zoo.load`.
        kind: of model.

    Raises:
        ValueError: no such preset, or a model of another kind.
    """
    from gru_zoo.zoo import load

    try:
        model = load(name)
    except ValueError as error:
        if not str(error).startswith("name must be "):
            raise
        raise ValueError(f"{flag}{str(error).removeprefix('name')}") from error
    return require_kind(flag, name, model, kind)


def require_kind(flag: str, place: str, model: object, kind: type[Model]) -> Model:
    """Return a model if it is of a kind.

    Raises:
        ValueError: it is of another one.
    """
    if not isinstance(model, kind):
        raise ValueError(
            f"{flag} must name a {kind.__name__}; {place} is a {type(model).__name__}."
        )
    return model
