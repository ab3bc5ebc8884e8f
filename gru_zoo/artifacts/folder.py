"""A trained model as a folder that proves itself: every format, compared, with its card."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gru_zoo.artifacts.card import About, Card
from gru_zoo.artifacts.file_names import variant_of
from gru_zoo.files import atomic_write, sha256, size_of
from gru_zoo.models.keras_file import save_keras_file
from gru_zoo.processor import processor

if TYPE_CHECKING:
    import keras

_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")
# What is kept when the other files are written anew: the weights, and what they gave.
_KEPT = ("model.keras", "golden.npz")


def publish(
    folder: Path,
    about: About,
    model: keras.Model,
    *,
    files: Mapping[str, Callable[[Path], Any]],
    compare: Callable[[Path, str], dict[str, Any]],
    goldens: Mapping[str, np.ndarray],
    assets: Mapping[str, bytes],
    progress: Callable[[str], None] = print,
) -> Card:
    """Write a model in every format, compare each file with it, add the card.

    The folder holds `model.keras`, the files, `assets/`, `golden.npz`, `card.json` and
    `README.md`. It appears whole or not at all.

    Args:
        folder: where it goes; an older one is replaced.
        about: for the card.
        model: a built model, of a class that Keras has registered.
        files: name of each file or folder -> what writes it to the path it is given. The name
            tells the variant: `saved_model`, `model_int8.tflite`, `encoder_int8.tflite`.
        compare: gets the path of a file that was written and its name; returns a record for the
            card with "largest_difference", and "metric" (the card's, measured on this file),
            "latency_ms" and what else is known; raises `export.Refused` if the file is wrong.
        goldens: inputs and what the model gives for them; no arrays of objects.
        assets: name -> content of each file that a user needs besides, such as a vocabulary.
        progress: called with a line for each file that is done.

    Returns:
        the card, as it was written.

    Raises:
        export.Refused: a file does not do what the model does.
        ValueError: a golden array holds objects.
        OSError: the disk is full or cannot be written.

    Example:
        >>> import keras
        >>> from gru_zoo.artifacts.scores import Score
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> about = About(name="tiny", task="other", language=["en"], summary="", metric="bleu",
        ...     dataset="none", data={"name": "none", "version": "1", "licence": "none"},
        ...     scored_on="nothing", scores=[Score(0, 1.0, 1.0, 1, 1.0)], shipped_seed=0,
        ...     commands=["none"])
        >>> card = publish(Path("tiny"), about, model, files={}, compare=lambda path, name: {},
        ...     goldens={"inputs": np.ones((3, 4))}, assets={"labels.txt": b"a"})
        >>> sorted(card.files)
        ['assets/labels.txt', 'golden.npz', 'model.keras']
    """
    for name, array in goldens.items():
        if np.asarray(array).dtype.hasobject:
            raise ValueError(f"goldens must hold no objects, which need pickle; {name!r} does.")

    def kept(partial: Path) -> None:
        save_keras_file(model, partial / "model.keras")
        np.savez_compressed(partial / "golden.npz", **goldens)

    return _write(folder, about, model, kept, files, compare, assets, progress)


def publish_again(
    folder: Path,
    model: keras.Model,
    *,
    files: Mapping[str, Callable[[Path], Any]],
    compare: Callable[[Path, str], dict[str, Any]],
    assets: Mapping[str, bytes],
    progress: Callable[[str], None] = print,
) -> Card:
    """Write every file of an artifact anew; its `model.keras` and its goldens stay.

    For a newer exporter: nothing is trained, and what the card says stays as it is.

    Args:
        folder: the artifact; replaced as a whole or not at all.
        model: what `folder / "model.keras"` holds.
        files: as for `publish`.
        compare: as for `publish`.
        assets: as for `publish`.
        progress: as for `publish`.

    Raises:
        ValueError: the artifact is not one, or its `model.keras` is not the card's.
        export.Refused: a file does not do what the model does.

    Example:
        >>> publish_again(Path("none"), None, files={}, compare=None, assets={})
        Traceback (most recent call last):
        FileNotFoundError: ...
    """
    card = Card.from_json(folder / "card.json")
    for name in _KEPT:
        if sha256(folder / name) != card.files[name]["sha256"]:
            raise ValueError(
                f"folder must hold the model its card speaks of; {folder / name} is another one."
            )

    def kept(partial: Path) -> None:
        for name in _KEPT:
            shutil.copyfile(folder / name, partial / name)

    about = About(**{field.name: getattr(card, field.name) for field in dataclasses.fields(About)})
    return _write(folder, about, model, kept, files, compare, assets, progress)


def republish(artifact: Path, folder: Path, card: Card) -> None:
    """Copy an artifact to `folder` under another card, which keeps the files' checksums."""
    with atomic_write(folder) as partial:
        shutil.copytree(artifact, partial)
        card.write(partial)


def commit(root: Path) -> str:
    """Return the commit a checkout is at, " with changes" if its code was changed since.

    Args:
        root: the folder that holds `gru_zoo` and `recipes`.

    Returns:
        "" without git, and where `root` is a folder inside another repository: what is installed
        in a project's virtual environment is not at that project's commit.

    Example:
        >>> commit(Path("/"))
        ''
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", os.fspath(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not os.path.samefile(git("rev-parse", "--show-toplevel"), root):
            return ""
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "gru_zoo", "recipes")
        return git("rev-parse", "HEAD") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _write(
    folder: Path,
    about: About,
    model: keras.Model,
    kept: Callable[[Path], None],
    files: Mapping[str, Callable[[Path], Any]],
    compare: Callable[[Path, str], dict[str, Any]],
    assets: Mapping[str, bytes],
    progress: Callable[[str], None],
) -> Card:
    exports = []
    with atomic_write(folder) as partial:
        partial.mkdir()
        kept(partial)
        for name, content in assets.items():
            (partial / "assets").mkdir(exist_ok=True)
            (partial / "assets" / name).write_bytes(content)
        for name, write in files.items():
            write(partial / name)
            progress(f"exported {name}")
        for name in files:
            known = {"file": name, "variant": variant_of(name), "bytes": size_of(partial / name)}
            exports.append({**known, **compare(partial / name, name)})
            progress(f"compared {name} with the model")
        card = Card(
            **{field.name: getattr(about, field.name) for field in dataclasses.fields(About)},
            model={"class": type(model).__name__, "parameters": model.count_params()},
            exports=exports,
            versions={name: importlib.metadata.version(name) for name in _PACKAGES},
            commit=commit(Path(__file__).resolve().parents[2]),
            machine=f"{os.cpu_count()} CPU cores ({processor()})",
            date=datetime.date.today().isoformat(),
            files=_checksums(partial),
        )
        card.write(partial)
    return card


def _checksums(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in files
    }
