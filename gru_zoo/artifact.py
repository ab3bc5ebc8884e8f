"""A trained classifier as a folder that proves itself: every format, compared, with its card."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gru_zoo.card import Card
from gru_zoo.export import check
from gru_zoo.export.saved_model_folder import saved_model
from gru_zoo.export.tflite_file import VARIANTS, tflite
from gru_zoo.files import sha256, write_beside
from gru_zoo.models.classifier import SequenceClassifier, load_classifier

# TFLite variants of a text classifier in the zoo; those of a step alone have no whole texts.
SHIPPED = ("float32", "float16", "int8", "mediapipe")
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy")


@dataclasses.dataclass(frozen=True)
class About:
    """What the card says that the model itself cannot tell; see `Card` for the fields."""

    name: str
    task: str
    summary: str
    dataset: str
    data: dict[str, Any]
    scored_on: str
    scores: list[Any]
    shipped_seed: int
    command: str


def write_artifact(
    folder: Path,
    model: SequenceClassifier,
    about: About,
    texts: Sequence[bytes],
    targets: np.ndarray,
    golden_texts: Sequence[str],
    progress: Callable[[str], None] = print,
    kept: Path | None = None,
) -> Card:
    """Write `model` in every format, compare each file with it on `texts`, add the card.

    The folder holds `model.keras`, `saved_model/`, `model_<variant>.tflite`, `assets/`
    (vocabulary and labels), `golden.npz` (texts, ids, probabilities), `card.json` and
    `README.md`. It appears whole or not at all.

    Args:
        folder: where it goes; an older one is replaced.
        model: a built classifier.
        about: for the card.
        texts: raw texts the files are compared and scored on, usually the whole test split.
        targets: `[texts]` true classes.
        golden_texts: texts whose results are kept in `golden.npz`.
        progress: called with a line for each file that is done.
        kept: an older artifact of the same model, whose `model.keras` and `golden.npz` are copied
            instead of written.

    Raises:
        check.Refused: a file does not do what the model does.
        OSError: the disk is full or cannot be written.
    """
    reference = check.Reference.of(model, texts, targets)
    with write_beside(folder) as partial:
        partial.mkdir()
        if kept is None:
            model.save(partial / "model.keras", include_optimizer=False)
            _write_goldens(partial / "golden.npz", model, golden_texts)
        else:
            for name in ("model.keras", "golden.npz"):
                shutil.copyfile(kept / name, partial / name)
        saved_model(model, partial / "saved_model")
        (partial / "assets").mkdir()
        (partial / "assets" / "vocabulary.txt").write_bytes(model.tokenizer.vocabulary_bytes())
        (partial / "assets" / "labels.txt").write_text("\n".join(model.labels) + "\n")
        files = {"saved_model": "saved_model"}
        for variant in SHIPPED:
            files[variant] = f"model_{variant}.tflite"
            # The demo page draws the gates of a model that reads from left to right.
            gates = VARIANTS[variant].form == "both" and not model.bidirectional
            tflite(model, partial / files[variant], variant, texts=texts[:32], gates=gates)
            progress(f"exported {files[variant]}")
        exports = []
        for variant, file in files.items():
            exports.append({"file": file, **check.check(partial / file, reference, variant)})
            progress(f"compared {file} with the model on {len(texts):,} texts")
        card = Card(
            **vars(about),
            model=describe(model),
            exports=exports,
            versions={name: importlib.metadata.version(name) for name in _PACKAGES},
            date=datetime.date.today().isoformat(),
            files=_checksums(partial),
        )
        card.write(partial)
    return card


def republish(artifact: Path, folder: Path, card: Card) -> None:
    """Copy an artifact to `folder` under another card, which keeps the files' checksums."""
    with write_beside(folder) as partial:
        shutil.copytree(artifact, partial)
        card.write(partial)


def export_again(
    folder: Path,
    texts: Sequence[bytes],
    targets: np.ndarray,
    progress: Callable[[str], None] = print,
) -> Card:
    """Write every file of an artifact anew from its `model.keras`, which stays, as its goldens do.

    For a newer exporter: nothing is trained, and the card's scores stay as they are.

    Args:
        folder: the artifact; replaced as a whole or not at all.
        texts: as for `write_artifact`.
        targets: as for `write_artifact`.
        progress: as for `write_artifact`.

    Raises:
        ValueError: the artifact is not one, or its `model.keras` is not the card's.
        check.Refused: a file does not do what the model does.
    """
    card = Card.from_json(folder / "card.json")
    path = folder / "model.keras"
    if sha256(path) != card.files["model.keras"]["sha256"]:
        raise ValueError(f"folder must hold the model its card speaks of; {path} is another one.")
    about = About(**{field.name: getattr(card, field.name) for field in dataclasses.fields(About)})
    model = load_classifier(path)
    return write_artifact(folder, model, about, texts, targets, (), progress, kept=folder)


def describe(model: SequenceClassifier) -> dict[str, Any]:
    """Return the model's configuration for a card, the vocabulary as its size."""
    config = model.get_config()
    return {
        "cell": model.cell,
        "units": model.units,
        "embedding_dim": model.embedding_dim,
        "bidirectional": model.bidirectional,
        "labels": config["labels"],
        "vocabulary_size": len(model.tokenizer.vocabulary),
        "sequence_length": model.tokenizer.sequence_length,
        "parameters": model.count_params(),
    }


def _write_goldens(path: Path, model: SequenceClassifier, texts: Sequence[str]) -> None:
    ids = model.tokenizer.encode(texts)
    encoded = np.array([text.encode() for text in texts])
    probabilities = model.predict(ids, verbose=0)
    np.savez_compressed(path, texts=encoded, ids=ids, probabilities=probabilities)


def _checksums(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in files
    }
