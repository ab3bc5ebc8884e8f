"""Which models there are: the registry is the folder of artifacts, each with its card."""

from __future__ import annotations

import os
from pathlib import Path

from gru_zoo.arguments import near_name
from gru_zoo.card import Card
from gru_zoo.files import sha256


def models_folder() -> Path:
    """Return the folder of artifacts: `GRU_ZOO_MODELS`, else `saved_models` of the checkout."""
    chosen = os.environ.get("GRU_ZOO_MODELS")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "saved_models"


def list_models() -> list[str]:
    """Return the names that `load` takes, sorted.

    Example:
        >>> "sentiment_imdb_gru_small" in list_models()
        True
    """
    return sorted(path.parent.name for path in models_folder().glob("*/card.json"))


def card(name: str) -> Card:
    """Return the card of an artifact.

    Raises:
        ValueError: there is no such artifact; near names are suggested.

    Example:
        >>> card("sentiment_imdb_gru_small").task
        'text-classification'
    """
    known = list_models()
    if name not in known:
        listed = ", ".join(map(repr, known)) or f"none in {models_folder()}"
        message = f"name must be one of the zoo's models ({listed}); got {name!r}."
        raise ValueError(message + near_name(name, known))
    return Card.from_json(models_folder() / name / "card.json")


def verify(name: str, under: str = "") -> list[str]:
    """Compare the files of an artifact with the checksums in its card.

    Args:
        name: of the artifact.
        under: only files whose path in the artifact begins so; all of them by default.

    Returns:
        paths of the files that were compared, relative to the artifact.

    Raises:
        ValueError: no such artifact, or a file is missing or not the one the card speaks of.

    Example:
        >>> "model.keras" in verify("sentiment_imdb_gru_small")
        True
    """
    expected = {path: file for path, file in card(name).files.items() if path.startswith(under)}
    for path, file in expected.items():
        whole = models_folder() / name / path
        if not whole.is_file():
            raise ValueError(f"{name}: {path} is missing from {whole.parent}.")
        digest = sha256(whole)
        if digest != file["sha256"]:
            raise ValueError(
                f"{name}: {path} must have SHA-256 {file['sha256']}; it has {digest}. "
                "The file was changed or damaged and is not opened."
            )
    return sorted(expected)
