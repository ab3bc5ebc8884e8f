"""Question answering about a short text.

Task:     read a story, answer a question about it.
Data:     bAbI, 20 tasks trained jointly: 10,000 training questions per task (1,000 for the third
          where the archive has no more) and 1,000 test questions; or SQuAD by `--dataset squad`.
Model:    GRU encoders for words and sentences; an attention-gated GRU updates a memory over three
          hops (a dynamic memory network).
Command:  python -m recipes.comprehension
Papers:   mean accuracy over the 20 tasks: DMN 93.6 (Kumar et al. 2016; a model per task, trained
          with supporting facts, as here), DMN+ 97.2 (Xiong et al. 2016; without them).
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import tyro

from gru_zoo.arguments import one_of
from gru_zoo.data import babi
from gru_zoo.text import surrogates
from gru_zoo.training.runs import RunFolder
from recipes.shared import cli, models
from recipes.shared.flags import OneRun, OutFlags, PublishFlags, check_left_alone
from recipes.shared.lines import read_lines
from recipes.shared.publishing import open_run, to_zoo
from recipes.shared.starting import RunFlags, check_flags, flags_of, start_run

RUNS = Path("runs/comprehension")
PRESET = "comprehension_babi_gru_small"
OF_BABI = ("repeat", "hard", "hops", "supports")


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a question-answering model and evaluate it on the test split."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    dataset: Literal["babi", "squad"] = "babi"
    """Data set: bAbI (synthetic stories) or SQuAD (Wikipedia paragraphs)."""
    limit: int = 0
    """Use only this many questions of each split (bAbI: of each task in each split), for a smoke
    test; 0 uses all."""
    repeat: int = 8
    """bAbI: copies per epoch of oversampled questions, of --hard and of tasks with little data."""
    hard: tuple[int, ...] = (16, 19)
    """bAbI tasks to oversample (slow to learn jointly), by number, 1 to 20."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """Recurrent cell, or a Transformer encoder, for words and sentences."""
    parameters: int = 0
    """Choose the units to reach this parameter count (within 2 %); 0 uses --units."""
    embedding_dim: int = 64
    """Dimension of the word embeddings."""
    units: int = 96
    """Hidden size of the encoders and the memory."""
    hops: int = 3
    """bAbI: number of passes over the story (hops)."""
    dropout: float = 0.1
    """Dropout rate of facts and memory (bAbI) or encoder inputs (SQuAD), 0 to below 1."""
    supports: float = 1.0
    """bAbI: weight of the supporting-fact loss; 0 trains on answers only."""

    # Training.
    epochs: int = 7
    """Maximum number of epochs; the learning rate decays to zero over them (cosine)."""
    patience: int = 7
    """Stop after this many epochs without a better validation accuracy; 0 behaves like 1."""
    batch_size: int = 128
    """Batch size in questions."""
    learning_rate: float = 3e-3
    """Initial learning rate (Adam)."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained model on the test split, per task, with an attention figure."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Answer a question about a story or, with a run trained on SQuAD, about a paragraph."""

    story: tyro.conf.Positional[str] = ""
    """The story, ending with the question if --question is not given, or the paragraph; read from
    standard input if omitted."""
    question: str = ""
    """The question; required for a paragraph."""
    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""
    json: bool = False
    """Print JSON, with the attention to every sentence of a story."""


@dataclasses.dataclass(frozen=True)
class Export(OutFlags):
    """Export SavedModel and TFLite files, each checked against the model on the test split."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo from finished runs that differ only in their seed."""

    preset: str = PRESET
    """Name of the preset in the zoo."""


def train(config: Train) -> None:
    """Train and evaluate; print one table."""
    check_flags(config)
    for number in config.hard:
        one_of("hard", number, babi.TASKS)
    if config.dataset == "squad":
        check_left_alone(config, OF_BABI, "with --dataset squad, whose model does not use it")
    with start_run(config) as run:
        from gru_zoo.training.fitting import seed_everything

        seed_everything(config.seed)
        part = _part(config.dataset)
        part.train(config, run)
        part.evaluate(config, run)


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again."""
    run, flags = _opened(config.run)
    _part(flags.dataset).evaluate(flags, run)


def predict(config: Predict) -> None:
    """Print the answer."""
    text = surrogates.replaced(config.story) or "\n".join(read_lines(None))
    if config.run:
        run, flags = _opened(config.run)
        part = _part(flags.dataset)
        model = part.load(run)
    else:
        from gru_zoo.models.reader import Reader

        # The zoo has readers of stories only.
        part, model = _part("babi"), models.of_zoo("model", config.model, Reader)
    found = part.answer(model, text, surrogates.replaced(config.question))
    if config.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(f"{found['answer']}\t{found['score']:.4f}")


def export(config: Export) -> None:
    """Write the files, compared; with `out` no artifact around them."""
    run, flags = _opened(config.run)
    part = _part(flags.dataset)
    if config.out:
        part.export_files(flags, run, config.out, config.overwrite)
    else:
        part.export(flags, run)


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        flags = flags_of(run, Train)
        _part(flags.dataset).export(flags, run)

    to_zoo("comprehension", config.finished, config.preset, Train(), write)


def _opened(path: Path | None) -> tuple[RunFolder, Train]:
    run = open_run(path, RUNS)
    return run, flags_of(run, Train)


def _part(dataset: str) -> ModuleType:
    """Return the module for a data set."""
    return importlib.import_module(f"recipes.comprehension_{dataset}")


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.comprehension", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
