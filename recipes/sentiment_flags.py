"""Flags of the recipe for sentiment, one frozen dataclass a command, and which go together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from recipes.shared.flags import (
    ExportFlags,
    OneRun,
    PublishFlags,
    ReviewFlags,
    check_left_alone,
)
from recipes.shared.starting import check_flags

if TYPE_CHECKING:
    from gru_zoo.models.classifier import SequenceClassifier

RUNS = Path("runs/sentiment")
PRESET = "sentiment_imdb_gru_small"
# What this recipe alone makes: it reads labelled reviews only.
OWN_PRESET = "sentiment_imdb_gru_supervised"
LABELS = ("negative", "positive")
# Flags of the model's form, which a loaded model brings along; and cells that can be exported.
FORM = (
    "vocabulary_size",
    "sequence_length",
    "cell",
    "parameters",
    "kernel",
    "embedding_dim",
    "units",
    "dropout",
)
EXPORTED = ("gru", "keras_gru")


@dataclasses.dataclass(frozen=True)
class Train(ReviewFlags):
    """Train a sentiment classifier, evaluate it on the test split and export it."""

    runs: Path = RUNS
    """Folder of the runs."""

    # A loaded model on your own texts.
    start: Annotated[str, tyro.conf.arg(aliases=["--from"])] = ""
    """A name in the zoo, a run or a .keras file to go on from, on the texts of --csv."""
    csv: str = ""
    """Your table: UTF-8, comma-separated, one text and one of the model's labels a row."""
    text_column: str = "text"
    """Name of its column of texts."""
    label_column: str = "label"
    """Name of its column of labels."""
    held_out: float = 0.1
    """Share of its rows kept for validation, and again for the test."""

    # Text.
    vocabulary_size: int = 20_000
    """Words with an id of their own; letter case is folded."""
    sequence_length: int = 400
    """Words of a review that the model reads; the rest is cut off."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer", "keras_gru"] = "gru"
    """What reads the words; keras_gru puts keras.layers.GRU in our layer's place, to compare."""
    parameters: int = 0
    """Choose units so that the whole model has so many parameters; 0 leaves units as they are."""
    kernel: Literal["auto", "loop", "fused", "unrolled"] = "auto"
    """How our layer runs a sequence."""
    embedding_dim: int = 64
    """Size of a word vector."""
    units: int = 64
    """Size of the recurrent state."""
    dropout: float = 0.4
    """Share of word vectors' and pooled features dropped in training."""

    # Training.
    word_dropout: float = 0.0
    """Hide rare words in training: one that stands so often in the training texts half of the time
    (Kiperwasser and Goldberg 2016); 0 hides none."""
    epochs: int = 2
    """At most so many; the learning rate falls to zero over them (half a cosine)."""
    patience: int = 1
    """Epochs in a row without a better validation accuracy that end training; 0 is as 1."""
    batch_size: int = 32
    """Reviews of one training step."""
    learning_rate: float = 2e-3
    """Adam's, at the start."""

    # Export.
    export: bool = True
    """Write the artifact: SavedModel, TFLite and MediaPipe files, card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Measure a trained model's accuracy on the test split of the data it was trained on."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Say for each text whether it is positive or negative, one result a line."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts; without any, and without --file, they are read from standard input."""
    file: Path | None = None
    """Read the texts from this file, one a line."""
    json: bool = False
    """Write one JSON object a line."""
    run: Path | None = None
    """Folder of a run, in place of the zoo's model."""
    model: str = PRESET
    """A name in the zoo."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Write an artifact again: every format, checked, with its card."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Make the zoo's preset of several finished runs that differ in their seed only."""

    preset: str = OWN_PRESET
    """Name in the zoo."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """Measure a preset's robustness and calibration, and write them into its card."""

    preset: str = PRESET
    """Name in the zoo."""


def check(config: Train) -> None:
    """Raise ValueError for flags that do not go together."""
    check_flags(config)
    if bool(config.start) != bool(config.csv):
        raise ValueError(
            "from and csv must come together, a loaded model and your texts; got "
            f"{'--from' if config.start else '--csv'} alone."
        )
    if config.csv:
        check_left_alone(config, ("source", "limit"), "with --csv, of which all rows are read")
    if config.start:
        check_left_alone(config, FORM, "with --from, whose model has its own")
    if config.export and config.cell not in EXPORTED:
        raise ValueError(
            f"cell must be one of {', '.join(map(repr, EXPORTED))} to be exported; got "
            f"{config.cell!r}, which --no-export trains all the same."
        )


def check_loaded(config: Train, model: SequenceClassifier) -> None:
    """Raise ValueError for a loaded model that is to be exported after training, and cannot be."""
    from gru_zoo.text.wordpiece import WordPieceTokenizer

    if not config.export:
        return
    if model.cell not in EXPORTED:
        is_one = f"is of cell {model.cell!r}"
    elif isinstance(model.tokenizer, WordPieceTokenizer):
        is_one = "is of word pieces"
    else:
        return
    raise ValueError(
        f"from must name a model of words and of cell {' or '.join(map(repr, EXPORTED))} to be "
        f"exported; {config.start} {is_one}, which --no-export trains all the same."
    )
