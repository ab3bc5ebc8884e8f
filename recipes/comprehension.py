"""Questions about a short text.

Task:     read a story, answer a question about it.
Data:     bAbI, 20 tasks jointly: 10,000 questions each to train on (1,000 for the third where the
          archive has no more), 1,000 to test; or SQuAD by `--dataset squad`.
Model:    GRUs read words and sentences; a GRU whose gate is attention writes a memory, three times.
Command:  python -m recipes.comprehension
Papers:   DMN 93.6 (Kumar et al. 2016, trained with supporting facts, as here), DMN+ 97.2 (Xiong et
          al. 2016, without them): mean accuracy over the 20 tasks, a model for each.
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
    """Train a reader and evaluate it on the test split."""

    runs: Path = RUNS
    """Folder of the runs."""

    # Data.
    dataset: Literal["babi", "squad"] = "babi"
    """What to read."""
    limit: int = 0
    """Use only so many questions of each split (of bAbI: of each task in it), for a smoke test; 0
    uses all of them."""
    repeat: int = 8
    """How often an epoch has the questions of a task of bAbI that has few, or is hard."""
    hard: tuple[int, ...] = (16, 19)
    """Tasks of bAbI that are learnt late: alone quickly, beside nineteen others hardly."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """What reads words and sentences."""
    parameters: int = 0
    """Choose units so that the whole model has so many parameters; 0 leaves `units`."""
    embedding_dim: int = 64
    """Size of a word's vector."""
    units: int = 96
    """Size of the vectors of sentences, facts and memory."""
    hops: int = 3
    """How often a story of bAbI is read."""
    dropout: float = 0.1
    """Share of facts' and the memory's features dropped in training."""
    supports: float = 1.0
    """Weight of bAbI's supporting facts in the loss; 0 trains on answers alone."""

    # Training.
    epochs: int = 7
    """At most so many; the learning rate falls to zero over them (half a cosine)."""
    patience: int = 7
    """Epochs in a row without a better validation accuracy that end training; 0 is as 1."""
    batch_size: int = 128
    """Questions of one training step."""
    learning_rate: float = 3e-3
    """Adam's, at the start."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Measure a trained reader on the test split: task by task, with a picture of attention."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Answer a question about a story, or about a paragraph by a run on SQuAD."""

    story: tyro.conf.Positional[str] = ""
    """Sentences of the story, the question as the last one if --question is not given; or the
    paragraph. Without any it is read from standard input."""
    question: str = ""
    """About the story or the paragraph, which needs it."""
    run: Path | None = None
    """Folder of a run, in place of the zoo's model."""
    model: str = PRESET
    """A name in the zoo."""
    json: bool = False
    """Write one JSON object, with the attention to every sentence of a story."""


@dataclasses.dataclass(frozen=True)
class Export(OutFlags):
    """Write SavedModel and TFLite files, each compared with the model on the test split."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Make the zoo's preset of one finished run, or of several that differ in their seed only."""

    preset: str = PRESET
    """Name in the zoo."""


def train(config: Train) -> None:
    """Train and evaluate; print one table."""
    check_flags(config)
    for number in config.hard:
        one_of("hard", number, babi.TASKS)
    if config.dataset == "squad":
        check_left_alone(config, OF_BABI, "with --dataset squad, whose reader knows no such thing")
    with start_run(config) as run:
        from gru_zoo.training.fitting import seed_everything

        seed_everything(config.seed)
        part = _part(config.dataset)
        part.train(config, run)
        part.evaluate(config, run)


def evaluate(config: Evaluate) -> None:
    """Measure the test split again."""
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
    """Return the module that knows a data set."""
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
