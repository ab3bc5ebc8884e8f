"""Which models there are: the registry is the folder of artifacts, each with its card.

The folder is that of GRU_ZOO_MODELS, else `saved_models` of the checkout, else what the installed
package carries: every card, and the files that are asked for most. The others are fetched once.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path, PurePosixPath

from gru_zoo.arguments import near_name, pathlike
from gru_zoo.artifacts.card import Card
from gru_zoo.files import sha256
from gru_zoo.zoo import cache

_PACKAGE = Path(__file__).resolve().parents[1]
# Where a wheel carries artifacts; setup.py puts them there.
PACKAGED = _PACKAGE / "presets"


def models_folder() -> Path:
    """Return the folder of artifacts: GRU_ZOO_MODELS, the checkout's, or the installed package's.

    Example:
        >>> models_folder().name
        'saved_models'
    """
    chosen = os.environ.get("GRU_ZOO_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    return PACKAGED if PACKAGED.is_dir() else _PACKAGE.parent / "saved_models"


def own_models_folder() -> Path:
    """Return `models_folder()` to write into.

    Raises:
        ValueError: it is the installed package's, which its next upgrade replaces.

    Example:
        >>> own_models_folder() == models_folder()
        True
    """
    folder = models_folder()
    if folder == PACKAGED:
        raise ValueError(
            f"set GRU_ZOO_MODELS to a folder of your own to write models into; {folder} is the "
            "installed package's, and its next upgrade would delete them."
        )
    return folder


def list_models() -> list[str]:
    """Return the names that `load` takes, sorted.

    Example:
        >>> "sentiment_imdb_gru_small" in list_models()
        True
    """
    return sorted(path.parent.name for path in models_folder().glob("*/card.json"))


def folder_of(name: str | os.PathLike) -> Path:
    """Return the folder of an artifact: of that name, or itself where a path is given.

    A path is an `os.PathLike`, or has a separator in it, such as `runs/sentiment/mine/artifact` or
    `./mine`; a name of the zoo has none.

    Example:
        >>> folder_of("sentiment_imdb_gru_small") == models_folder() / "sentiment_imdb_gru_small"
        True
    """
    return Path(name) if _is_path(name) else models_folder() / name


def card(name: str | os.PathLike) -> Card:
    """Return the card of an artifact.

    Args:
        name: in the zoo, or a path as for `folder_of`.

    Raises:
        ValueError: there is no such artifact; near names are suggested.

    Example:
        >>> card("sentiment_imdb_gru_small").task
        'text-classification'
    """
    if _is_path(name):
        if not (Path(name) / "card.json").is_file():
            raise ValueError(
                f"name must be a folder with a card.json where it is a path; got {str(name)!r}."
            )
        return Card.from_json(Path(name) / "card.json")
    known = list_models()
    if name not in known:
        listed = ", ".join(map(repr, known)) or f"none in {models_folder()}"
        message = f"name must be one of the zoo's models ({listed}); got {name!r}."
        raise ValueError(message + near_name(name, known))
    # A copied folder may have got another name than its model had.
    return dataclasses.replace(Card.from_json(models_folder() / name / "card.json"), name=name)


def place(name: str | os.PathLike, under: str | tuple[str, ...] = "") -> Path:
    """Return a folder with an artifact's files, after comparing them with the card's checksums.

    Files that an installed package does not carry are fetched into the cache, all that were asked
    for, so that they lie in one folder.

    Args:
        name: of the artifact.
        under: only files whose path in the artifact begins so, or in one of these ways; all of
            them by default.

    Raises:
        ValueError: no such artifact, or a file is missing or not the one the card speaks of.
        ConnectionError: a file is to be fetched, and cannot be.

    Example:
        >>> (place("sentiment_imdb_gru_small", "golden.npz") / "golden.npz").is_file()
        True
    """
    about, folder = card(name), folder_of(name)
    wanted = files_under(about, under)
    if folder.parent == PACKAGED and not all((folder / path).is_file() for path in wanted):
        folder = cache.fetch_all(name, wanted, carried=folder)
    compare(name, folder, wanted)
    return folder


def verify(name: str | os.PathLike, under: str | tuple[str, ...] = "") -> list[str]:
    """Compare the files of an artifact with the checksums in its card.

    Args:
        name: of the artifact.
        under: only files whose path in the artifact begins so, or in one of these ways; all of
            them by default.

    Returns:
        paths of the files that were compared, relative to the artifact.

    Raises:
        ValueError: no such artifact, or a file is missing or not the one the card speaks of.
        ConnectionError: a file is to be fetched, and cannot be.

    Example:
        >>> "model.keras" in verify("sentiment_imdb_gru_small")
        True
    """
    place(name, under)
    return sorted(files_under(card(name), under))


def files_under(about: Card, under: str | tuple[str, ...]) -> dict[str, dict]:
    """Return a card's files whose path begins with `under`: path -> {"sha256", "bytes"}.

    Raises:
        ValueError: a path leads out of the artifact's folder.

    Example:
        >>> list(files_under(card("sentiment_imdb_gru_small"), "model_int8"))
        ['model_int8.tflite']
    """
    for path in about.files:
        # A card may come from anywhere.
        if PurePosixPath(path).is_absolute() or ".." in path.split("/") or "\\" in path:
            raise ValueError(f"{about.name}: files must lie in the artifact; got {path!r}.")
    return {path: file for path, file in about.files.items() if path.startswith(under)}


def _is_path(name: str | os.PathLike) -> bool:
    text = pathlike("name", name)
    return isinstance(name, os.PathLike) or "/" in text or os.sep in text


def compare(name: str, folder: Path, files: dict[str, dict]) -> None:
    """Raise ValueError unless `folder` holds these files of the artifact `name`, unchanged."""
    for path, file in files.items():
        whole = folder / path
        if not whole.is_file():
            raise ValueError(f"{name}: {path} is missing from {whole.parent}.")
        digest = sha256(whole)
        if digest != file["sha256"]:
            raise ValueError(
                f"{name}: {path} must have SHA-256 {file['sha256']}; it has {digest}. "
                "The file was changed or damaged and is not opened."
            )
