"""The part of speech of every word of a sentence.

Task:     universal part-of-speech tags (UPOS), gold tokenization.
Data:     Universal Dependencies, English-EWT: 12,543 / 2,001 / 2,077 sentences, the official
          splits; any other treebank of TFDS by `--treebank`.
Model:    embeddings of words, prefixes, suffixes and shapes, two bidirectional GRUs, softmax.
Command:  python -m recipes.pos_tagging
Papers:   UDPipe 92.5, CoreNLP 94.7, spaCy's transformer 96.9, BERT-base 97.2 (NLP-progress).
"""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from gru_zoo.files import write_beside, write_json
from gru_zoo.runs import RunFolder, newest_run
from recipes import cli, confusion_figure
from recipes.starting import RunFlags, check_sizes, start_run

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.data.source import Source
    from gru_zoo.data.universal_dependencies import Sentence
    from gru_zoo.models.tagger import Tagger

RUNS = Path("runs/pos_tagging")
# Few lengths, so that few programs are compiled; the last is the longest sentence the model takes.
LENGTHS = (8, 16, 24, 32, 48, 64, 96, 200)


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a tagger and evaluate it on the test split."""

    runs: Path = RUNS
    """Folder of the runs."""

    # Data.
    treebank: str = "en_ewt"
    """Configuration of TFDS' universal_dependencies."""
    limit: int = 0
    """Use only so many sentences of each split, for a smoke test; 0 uses all of them."""

    # Model.
    word_dim: int = 96
    """Size of a word's vector."""
    affix_dim: int = 24
    """Size of the vectors of prefixes, suffixes and shapes."""
    units: int = 128
    """Size of the recurrent state of each direction."""
    num_layers: int = 2
    """Bidirectional GRUs above each other."""
    dropout: float = 0.5
    """Share of features dropped before, between and after the GRUs."""
    word_dropout: float = 0.25
    """A word seen n times is hidden with probability word_dropout / (word_dropout + n)."""

    # Training.
    epochs: int = 12
    """At most so many; the learning rate falls to zero over them (half a cosine)."""
    patience: int = 4
    """Epochs without a better validation accuracy before training stops."""
    batch_size: int = 32
    """Sentences of one training step."""
    learning_rate: float = 3e-3
    """Adam's, at the start."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure a trained tagger on the test split: accuracy, tag by tag, and a picture."""

    run: Path | None = None
    """Folder of the run; the newest one if not given."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Tag raw text, one sentence a line."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sentences; without any they are read from standard input."""
    run: Path | None = None
    """Folder of the run; the newest one if not given."""
    json: bool = False
    """Write one JSON object a line."""


def train(config: Train) -> None:
    """Train and evaluate; print one table."""
    check_sizes(config, ("word_dim", "affix_dim", "units", "num_layers", "epochs", "batch_size"))
    training, source = _read("train", config)  # An unknown treebank leaves no run behind.
    run = start_run(config)

    from gru_zoo.training import fit, seed_everything

    seed_everything(config.seed)
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version} ({source.reason})", flush=True)
    validation, _ = _read("validation", config)
    model = _model(config, training)
    batches = _Batches(model, training, config)
    _compile(model, config, len(batches))
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: _score(model, validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
    )
    with write_beside(run.path / "model.keras") as partial:
        model.save(partial, include_optimizer=False)
    _evaluate(run, model)


def evaluate(config: Evaluate) -> None:
    """Measure the test split again."""
    run = RunFolder.open(config.run or newest_run(RUNS))
    _evaluate(run, _load(run))


def predict(config: Predict) -> None:
    """Print the words of each sentence with their tags."""
    texts = list(config.texts) or sys.stdin.read().splitlines()
    sentences = [words for words in map(split_words, texts) if words]
    if not sentences:
        raise ValueError("texts must be one sentence or more with a word in it; got none.")
    model = _load(RunFolder.open(config.run or newest_run(RUNS)))
    for words, tags in zip(sentences, _tags(model, sentences), strict=True):
        named = [model.tags[tag] for tag in tags]
        if config.json:
            print(json.dumps({"words": words, "tags": named}, ensure_ascii=False))
        else:
            print(" ".join(f"{word}/{tag}" for word, tag in zip(words, named, strict=True)))


_WORDS = re.compile(
    r"\w+(?=n['’]t\b)|n['’]t\b|['’](?:s|m|d|re|ve|ll)\b|\w+(?:[-.@/]\w+)*|\.\.\.|[^\w\s]", re.I
)


def split_words(text: str) -> list[str]:
    """Split a sentence roughly as English treebanks do.

    Example:
        >>> split_words("I don't think it's well-made, sorry.")
        ['I', 'do', "n't", 'think', 'it', "'s", 'well-made', ',', 'sorry', '.']
    """
    return _WORDS.findall(text)


class _Batches:
    """Training batches of sentences of similar length, rare words hidden now and then."""

    def __init__(self, model: Tagger, sentences: Sequence[Sentence], config: Train) -> None:
        import numpy as np

        from gru_zoo.batching import BucketedBatches

        self.features = model.features.encode([s.words for s in sentences], LENGTHS[-1])
        self.targets = _targets(model, sentences)
        self.seed = config.seed
        rows = np.arange(len(sentences), dtype=np.int32)
        self.batches = BucketedBatches(
            self.features["word"], rows, config.batch_size, LENGTHS, config.seed
        )
        seen = np.bincount(self.features["word"].ravel(), minlength=2)
        self.hidden = config.word_dropout / (config.word_dropout + seen)
        self.hidden[0] = 0.0  # padding stays padding

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Yield ids by feature and targets, [batch, length] each."""
        import numpy as np

        from gru_zoo.word_features import UNKNOWN

        random = np.random.default_rng([self.seed, epoch, 1])
        for words, rows in self.batches.epoch(epoch):
            length = words.shape[1]
            ids = {name: array[rows, :length] for name, array in self.features.items()}
            hide = random.random(words.shape) < self.hidden[words]
            ids["word"] = np.where(hide, UNKNOWN, words)
            yield ids, self.targets[rows, :length]

    def dataset(self, first_epoch: int, epochs: int) -> object:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        def generate() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
            for epoch in range(first_epoch, epochs):
                yield from self.epoch(epoch)

        ids = tf.TensorSpec([self.batches.batch_size, None], tf.int32)
        signature = (dict.fromkeys(self.features, ids), ids)
        return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def _read(split: str, config: Train) -> tuple[list[Sentence], Source]:
    from gru_zoo.data import universal_dependencies

    sentences, source = universal_dependencies.load(split, config.treebank)
    return sentences[: config.limit or None], source


def _model(config: Train, training: Sequence[Sentence]) -> Tagger:
    from gru_zoo.models.tagger import Tagger
    from gru_zoo.word_features import WordFeatures

    return Tagger(
        WordFeatures.fit([sentence.words for sentence in training]),
        sorted({tag for sentence in training for tag in sentence.tags}),
        word_dim=config.word_dim,
        affix_dim=config.affix_dim,
        units=config.units,
        num_layers=config.num_layers,
        dropout=config.dropout,
    )


def _compile(model: Tagger, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=-1),
    )


def _targets(model: Tagger, sentences: Sequence[Sentence]) -> np.ndarray:
    """Return tags as numbers, int32 [sentences, time], -1 where there is no word or no such tag."""
    import numpy as np

    numbers = {tag: number for number, tag in enumerate(model.tags)}
    targets = np.full((len(sentences), LENGTHS[-1]), -1, np.int32)
    for row, sentence in zip(targets, sentences, strict=True):
        row[: len(sentence.tags)] = [numbers.get(tag, -1) for tag in sentence.tags]
    return targets


def _probabilities(model: Tagger, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Return probabilities [words, tags] for each sentence."""
    import numpy as np

    from gru_zoo.batching import fitting_length

    encoded = model.features.encode(sentences, LENGTHS[-1])
    fitting = np.array([fitting_length(len(words), LENGTHS) for words in sentences])
    results: dict[int, np.ndarray] = {}
    size = 64  # one shape a length: the last batch of a length is filled with padding
    for length in np.unique(fitting):
        rows = np.flatnonzero(fitting == length)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            ids = {name: np.zeros((size, length), np.int32) for name in encoded}
            for name, array in encoded.items():
                ids[name][: len(part)] = array[part, :length]
            given = model.predict_on_batch(ids)
            for row, probabilities in zip(part, given[: len(part)], strict=True):
                results[row] = probabilities[: len(sentences[row])]
    return [results[row] for row in range(len(sentences))]


def _tags(model: Tagger, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
    return [probabilities.argmax(axis=1) for probabilities in _probabilities(model, sentences)]


def _score(model: Tagger, sentences: Sequence[Sentence]) -> dict[str, float]:
    """Return cross entropy and accuracy over all words; a tag never seen in training is wrong."""
    import numpy as np

    given = np.concatenate(_probabilities(model, [sentence.words for sentence in sentences]))
    truth = _flat(_targets(model, sentences), sentences)
    of_truth = np.where(truth < 0, 0.0, given[np.arange(len(truth)), truth])
    return {
        "loss": float(-np.log(np.maximum(of_truth, 1e-7)).mean()),
        "accuracy": float((given.argmax(axis=1) == truth).mean()),
    }


def _flat(targets: np.ndarray, sentences: Sequence[Sentence]) -> np.ndarray:
    import numpy as np

    rows = zip(targets, sentences, strict=True)
    return np.concatenate([row[: len(sentence.words)] for row, sentence in rows])


def _load(run: RunFolder) -> Tagger:
    import keras

    from gru_zoo.models.tagger import Tagger

    model = keras.saving.load_model(run.path / "model.keras", compile=False, safe_mode=True)
    if not isinstance(model, Tagger):
        raise ValueError(f"run must hold a Tagger; got a {type(model).__name__}.")
    return model


def _evaluate(run: RunFolder, model: Tagger) -> None:
    """Read the test split, write `metrics.json`, `tags.json` and `confusion.png`; print a table."""
    import numpy as np

    from gru_zoo.metrics import confusion_matrix, per_class

    config = Train(**run.config)
    test, source = _read("test", config)
    run.pin_data(source.as_dict())
    predicted = np.concatenate(_tags(model, [sentence.words for sentence in test]))
    truth = _flat(_targets(model, test), test)
    confusion = confusion_matrix(truth, predicted, len(model.tags))
    accuracy = float((predicted == truth).mean())
    best = max(run.history, key=lambda row: row["val_accuracy"])
    seconds = [row["seconds"] for row in run.history]
    scored_on = f"{len(test):,} sentences, {len(truth):,} words: {source.splits['test'][1]}"
    run.write_metrics(
        {
            "accuracy": accuracy,
            "scored_on": scored_on,
            "validation_accuracy": best["val_accuracy"],
            "parameters": model.count_params(),
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": source.as_dict(),
        }
    )
    tags = per_class(confusion, model.tags)
    write_json(run.path / "tags.json", tags)
    title = f"{config.treebank}, test: {100 * accuracy:.2f} %"
    confusion_figure.draw(confusion, model.tags, run.path / "confusion.png", title)
    _print_tags(run, tags)


def _print_tags(run: RunFolder, tags: dict[str, dict[str, float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    metrics = run.metrics()
    table = Table(title=f"pos_tagging: {metrics['scored_on']}", title_justify="left")
    for heading in ("tag", "words", "precision", "recall", "F1"):
        table.add_column(heading, justify="left" if heading == "tag" else "right")
    for tag, figures in tags.items():
        shares = (f"{100 * figures[key]:.1f} %" for key in ("precision", "recall", "f1"))
        table.add_row(tag, f"{figures['count']:,}", *shares)
    table.caption = (
        f"accuracy {100 * metrics['accuracy']:.2f} %, validation "
        f"{100 * metrics['validation_accuracy']:.2f} %; {metrics['parameters']:,} parameters, "
        f"{metrics['train_seconds']:.0f} s of training; files in {run.path}"
    )
    Console(width=None if sys.stdout.isatty() else 110).print(table)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.pos_tagging", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
