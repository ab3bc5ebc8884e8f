"""The folder of a preset that a command writes into: a new one's, or one that is there."""

from __future__ import annotations

from pathlib import Path

from gru_zoo.arguments import near_name
from recipes.shared.starting import require_folder_name


def folder_to_publish(preset: str) -> Path:
    """Return the folder of a preset to be, or to be replaced.

    Raises:
        ValueError: its name leads out of the zoo, or the zoo is an installed package's.
    """
    from gru_zoo.zoo import own_models_folder

    folder = own_models_folder()
    require_folder_name("preset", preset, folder)
    return folder / preset


def folder_to_rewrite(preset: str) -> Path:
    """Return the folder of a preset that is there, not that of an artifact elsewhere.

    Raises:
        ValueError: it is none of the zoo's, or the zoo is an installed package's.
    """
    from gru_zoo.zoo import list_models, own_models_folder

    folder, known = own_models_folder(), list_models()
    if preset not in known:
        listed = ", ".join(known) or f"none in {folder}"
        raise ValueError(
            f"preset must be the name of a preset in the zoo ({listed}) for its own files to be "
            f"written; got {preset!r}.{near_name(preset, known)}"
        )
    return folder / preset
