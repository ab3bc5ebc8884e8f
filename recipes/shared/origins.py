"""What a run begins with or learns from: other runs' files, which are to stay as they were."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from gru_zoo.files import sha256, write_json
from gru_zoo.training.runs import NGRAMS, ORIGINS, PREDICTIONS, TRANSFORMER, RunFolder

_MODEL = "model.keras"
_MODELS = (_MODEL, NGRAMS, f"{TRANSFORMER}/model.safetensors")


def pin(
    run: RunFolder, places: Iterable[str | Path | None], teachers: Iterable[str | Path] = ()
) -> None:
    """Write down the checksums of what a run begins with; later, check that they are the same.

    Until its first checkpoint a run has learnt nothing, and they are written anew. One that is
    older than this record has none, and is not checked.

    Args:
        run: at its start, or resumed.
        places: runs, artifacts' folders, `.keras` files and presets, whose model it begins with; a
            preset's card has its checksums, so presets are passed over, as are empty places, None
            and what is on the hub.
        teachers: runs from whose predictions it learns.

    Raises:
        ValueError: one of them has changed since.
    """
    if run.begun:
        require_unchanged(run)
        return
    names = dict.fromkeys(map(str, filter(None, places)), _MODELS)
    names.update(dict.fromkeys(map(str, teachers), (*_MODELS, PREDICTIONS)))
    found = {place: _checksums(place, wanted) for place, wanted in names.items()}
    if found := {place: files for place, files in found.items() if files}:
        write_json(run.path / ORIGINS, found)


def require_unchanged(run: RunFolder) -> None:
    """Raise ValueError unless all that a run began with is what it was then, as far as is known."""
    known = run.path / ORIGINS
    if not known.exists():
        return
    for place, files in json.loads(known.read_text(encoding="utf-8")).items():
        found = _checksums(place, files)
        for name, checksum in files.items():
            if found.get(name) != checksum:
                has = "another" if name in found else "no"
                raise ValueError(
                    f"{place} must be what the run in {run.path} began with; it has {has} {name} "
                    "now."
                )


def _checksums(place: str, names: Iterable[str]) -> dict[str, str]:
    """Return the checksum of each file in a run or an artifact, or of the `.keras` file itself."""
    from gru_zoo.zoo.registry import folder_of

    path = Path(place)
    # A name without a separator is a preset's, whatever lies here under the same name.
    is_artifact = folder_of(place) == path and (path / "card.json").exists()
    if path.suffix == ".keras" and path.is_file():
        files = {_MODEL: path}
    elif is_artifact or (path / "config.json").exists():
        files = {name: path / name for name in names if (path / name).exists()}
    else:
        files = {}
    return {name: _checksum(file) for name, file in files.items()}


def _checksum(path: Path) -> str:
    if path.suffix != ".keras":
        return sha256(path)
    from gru_zoo.models.keras_file import weights_checksum

    # The file of the same model is another one each time: Keras writes the date into it.
    return weights_checksum(path)
