"""Flags of the sentiment recipe, one frozen dataclass per command, and their checks."""

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
# Flags of a table of the user's: its columns, and the share that is held out of it.
OF_A_TABLE = ("text_column", "label_column", "held_out")
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
    """Parent folder of the run's own folder."""

    # A loaded model on your own texts.
    start: Annotated[str, tyro.conf.arg(aliases=["--from"])] = ""
    """Model to fine-tune on --csv: a zoo name, a run folder or a .keras file."""
    csv: str = ""
    """Your data for fine-tuning: a UTF-8 CSV file with a text and a label in each row."""
    text_column: str = "text"
    """Name of the text column of --csv."""
    label_column: str = "label"
    """Name of the label column of --csv."""
    held_out: float = 0.1
    """Fraction of --csv for the validation split, and the same for the test split."""

    # Text.
    vocabulary_size: int = 20_000
    """Number of words in the (lower-cased) vocabulary."""
    sequence_length: int = 400
    """Maximum length in words; longer reviews are truncated."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer", "keras_gru"] = "gru"
    """Recurrent cell, or a Transformer; keras_gru is keras.layers.GRU, for comparison."""
    parameters: int = 0
    """Choose the units to reach this parameter count (within 2 %); 0 uses --units."""
    kernel: Literal["auto", "loop", "fused", "unrolled"] = "auto"
    """How the GRU layer runs a sequence; auto chooses one."""
    embedding_dim: int = 64
    """Dimension of the word embeddings."""
    units: int = 64
    """Hidden size of the recurrent layer."""
    dropout: float = 0.4
    """Dropout rate of word embeddings and pooled features, 0 to below 1."""

    # Training.
    word_dropout: float = 0.0
    """Word dropout strength a: a word seen n times in training is replaced by <UNKNOWN> with
    probability a / (a + n) (Kiperwasser and Goldberg 2016); 0 disables it."""
    epochs: int = 2
    """Maximum number of epochs; the learning rate decays to zero over them (cosine)."""
    patience: int = 1
    """Stop after this many epochs without a better validation accuracy; 0 behaves like 1."""
    batch_size: int = 32
    """Batch size in reviews."""
    learning_rate: float = 2e-3
    """Initial learning rate (Adam)."""

    # Export.
    export: bool = True
    """Export the artifact: SavedModel, TFLite and MediaPipe files and card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained model on the test split of its data set."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Classify texts as positive or negative, one result per line."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts to classify; read from standard input if neither they nor --file are given."""
    file: Path | None = None
    """Read texts from this file, one per line."""
    json: bool = False
    """Print one JSON object per line."""
    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Export an artifact again: every format, checked against the model, with its card."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo from finished runs that differ only in their seed."""

    preset: str = OWN_PRESET
    """Name of the preset in the zoo."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """Measure a preset's robustness and calibration, and write them into its card."""

    preset: str = PRESET
    """Name of the preset in the zoo."""


def check(config: Train) -> None:
    """Raise ValueError for flags that cannot be combined."""
    check_flags(config)
    if bool(config.start) != bool(config.csv):
        raise ValueError(
            "from and csv must be used together, a model and your data; got "
            f"{'--from' if config.start else '--csv'} alone."
        )
    if config.csv:
        check_left_alone(config, ("source", "limit"), "with --csv, which is read as a whole")
    else:
        check_left_alone(config, OF_A_TABLE, "without --csv, which it is about")
    if config.start:
        check_left_alone(config, FORM, "with --from, whose model has its own")
    if config.export and config.cell not in EXPORTED:
        raise ValueError(
            f"cell must be one of {', '.join(map(repr, EXPORTED))} to be exported; got "
            f"{config.cell!r}, which can be trained with --no-export."
        )


def check_loaded(config: Train, model: SequenceClassifier) -> None:
    """Raise ValueError for a loaded model that is to be exported after training, and cannot be."""
    from gru_zoo.text.wordpiece import WordPieceTokenizer

    if not config.export:
        return
    if model.cell not in EXPORTED:
        is_one = f"has cell {model.cell!r}"
    elif isinstance(model.tokenizer, WordPieceTokenizer):
        is_one = "uses WordPiece"
    else:
        return
    raise ValueError(
        f"from must name a word-level model with cell {' or '.join(map(repr, EXPORTED))} to be "
        f"exported; {config.start} {is_one}, which can be trained with --no-export."
    )
