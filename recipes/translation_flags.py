"""The flags of `recipes.translation`, in the order in which `--help` shows them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

from gru_zoo.data import multi30k, tatoeba
from gru_zoo.data.pairs import languages
from gru_zoo.training.runs import RunFolder
from recipes.shared.flags import ExportFlags, OneRun, PublishFlags, check_left_alone
from recipes.shared.publishing import is_run
from recipes.shared.starting import RunFlags, check_flags

RUNS = Path("runs/translation")
PRESET = "translation_multi30k_de_en_gru_small"
CORPORA = {"multi30k": multi30k, "tatoeba": tatoeba}
# The direction that a corpus is translated in by default.
_USUAL = {"multi30k": "de-en", "tatoeba": "fr-en"}
_OF_A_TABLE = ("source_column", "target_column", "held_out")
# Flags of the model's form, which a loaded model brings along.
_FORM = (
    "vocabulary_size",
    "cell",
    "parameters",
    "dim",
    "units",
    "num_layers",
    "heads",
    "dropout",
)
_PAIR = re.compile(r"[a-z]{2,3}-[a-z]{2,3}")


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a translator and evaluate it on the test split."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    corpus: Literal["multi30k", "tatoeba"] = "multi30k"
    """Image captions in de, en and fr, or everyday sentences in fr and en."""
    pair: str = ""
    """Source and target language, as in de-en; by default de-en, or fr-en for tatoeba."""
    start: Annotated[str, tyro.conf.arg(aliases=["--from"])] = ""
    """Model to fine-tune on --csv: a zoo name or a run folder."""
    csv: str = ""
    """Your own sentences instead: a UTF-8 CSV file with a sentence and its translation per row."""
    source_column: str = "source"
    """Name of the column of --csv to translate."""
    target_column: str = "target"
    """Name of the column of --csv with the translations."""
    held_out: float = 0.1
    """Fraction of --csv for the validation split, and the same for the test split."""
    limit: int = 0
    """Use only this many sentences of each split, for a smoke test; 0 uses all."""
    vocabulary_size: int = 5_000
    """Number of subwords, shared by both languages."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """Recurrent cell of encoder and decoder, or a Transformer."""
    parameters: int = 0
    """Choose the units to reach this parameter count (within 2 %); 0 uses --units."""
    dim: int = 192
    """Dimension of the subword embeddings."""
    units: int = 192
    """Hidden size of each direction."""
    num_layers: int = 1
    """Number of stacked bidirectional encoder layers."""
    heads: int = 4
    """Number of attention heads."""
    dropout: float = 0.25
    """Dropout rate before each layer, 0 to below 1."""

    # Training.
    smoothing: float = 0.1
    """Label smoothing, 0 to below 1."""
    epochs: int = 10
    """Maximum number of epochs; the learning rate decays to zero over them (cosine)."""
    patience: int = 3
    """Stop after this many epochs without a better validation BLEU; 0 behaves like 1."""
    batch_size: int = 128
    """Batch size in sentences."""
    learning_rate: float = 3e-3
    """Initial learning rate (Adam)."""
    half: bool = False
    """Round the weights to float16 at the end, which halves the Keras model's file."""

    # Search.
    beams: int = 6
    """Beam size."""
    alpha: float = 1.0
    """Length penalty exponent; 0 disables the penalty."""

    # Export.
    export: bool = True
    """Export the artifact (GRU only): SavedModel, TFLite encoder and decoder, card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained translator on the test split: BLEU, translations, attention figures."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Translate sentences, one per line."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sentences to translate; read from standard input if none are given."""
    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""
    json: bool = False
    """Print one JSON object per line, with the score."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Export an artifact again: every format, checked against the model, with its card."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo from finished runs that differ only in their seed."""

    preset: str = PRESET
    """Name of the preset in the zoo."""


Config = TypeVar("Config", bound=Train)


def with_pair(config: Config) -> Config:
    """Return the flags with the languages named: a run keeps them, whatever is usual later.

    Raises:
        ValueError: they are not those of the model to fine-tune, or that is no translator.
        FileNotFoundError: there is no such model.
    """
    if config.start:
        known = _pair_of(config.start)
        if config.pair not in ("", known):
            raise ValueError(f"pair must be {known!r}, as of {config.start}; got {config.pair!r}.")
        return dataclasses.replace(config, pair=known)
    if config.pair or config.csv:
        return config
    return dataclasses.replace(config, pair=_USUAL[config.corpus])


def _pair_of(start: str) -> str:
    """Return the languages of a run or a preset."""
    from gru_zoo.zoo import card

    run = is_run(start, "from")
    known = RunFolder.open(Path(start)).config if run else card(start).configuration
    if "pair" not in known:
        raise ValueError(f"from must name a translator, a preset or a run; {start} is none.")
    return known["pair"]


def check(config: Train) -> None:
    """Raise ValueError for a flag out of its range, or flags that cannot be combined.

    Args:
        config: of `with_pair`.
    """
    check_flags(config)
    if config.start and not config.csv:
        raise ValueError("from must be used with --csv, your sentences; got --from alone.")
    if not config.csv:
        check_left_alone(config, _OF_A_TABLE, "without --csv, which it is about")
        languages(config.pair, CORPORA[config.corpus].LANGUAGES)
        return
    check_left_alone(config, ("corpus", "limit"), "with --csv, which is read as a whole")
    if config.start:
        check_left_alone(config, _FORM, "with --from, whose model has its own")
    one, _, other = config.pair.partition("-")
    if not _PAIR.fullmatch(config.pair) or one == other:
        raise ValueError(
            "pair must be the two languages of --csv, from and to, by codes of two or three "
            f"letters, such as fr-en; got {config.pair!r}."
        )
    if config.source_column == config.target_column:
        raise ValueError(
            "source_column and target_column must be two columns; both are "
            f"{config.source_column!r}."
        )
    if not config.held_out:
        raise ValueError("held_out must be above 0; got 0: nothing would be left to evaluate on.")
