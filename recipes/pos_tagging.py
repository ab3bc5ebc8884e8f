"""Part-of-speech tagging: the tag of every word of a sentence.

Task:     universal part-of-speech tags (UPOS), gold tokenization.
Data:     Universal Dependencies, English-EWT: 12,543 / 2,001 / 2,077 sentences, official splits;
          any other treebank of TFDS by `--treebank`.
Model:    embeddings of words, prefixes, suffixes and word shapes, two bidirectional GRUs, softmax.
Command:  python -m recipes.pos_tagging
Measured: README.md and saved_models/pos_ewt_gru_small/README.md.
Papers:   UDPipe 92.5, CoreNLP 94.7, spaCy's transformer 96.9, BERT-base 97.2 (NLP-progress).
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from gru_zoo.files import write_json
from gru_zoo.imports import require_extra
from gru_zoo.text import surrogates
from gru_zoo.text.words import treebank_words
from gru_zoo.training.runs import RunFolder
from recipes import pos_tagging_artifact, pos_tagging_report
from recipes.shared import cli, confusion_figure, models, report
from recipes.shared.flags import ExportFlags, OneRun, PublishFlags
from recipes.shared.lines import read_lines
from recipes.shared.publishing import command, open_run, to_zoo
from recipes.shared.starting import RunFlags, check_flags, flags_of, start_run

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import Card
    from gru_zoo.data.source import Source
    from gru_zoo.data.universal_dependencies import Sentence
    from gru_zoo.models.tagger import Tagger

RUNS = Path("runs/pos_tagging")
PRESET = "pos_ewt_gru_small"


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a tagger and evaluate it on the test split."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    treebank: str = "en_ewt"
    """TFDS universal_dependencies configuration with train, dev and test splits. Training
    sentences over 200 words are dropped and counted; longer validation or test sentences are an
    error."""
    limit: int = 0
    """Use only this many sentences of each split, for a smoke test; 0 uses all."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """Recurrent cell, run in both directions, or a Transformer."""
    parameters: int = 0
    """Choose the units to reach this parameter count (within 2 %); 0 uses --units."""
    word_dim: int = 96
    """Dimension of the word embeddings."""
    affix_dim: int = 24
    """Dimension of each prefix, suffix and word-shape embedding."""
    units: int = 128
    """Hidden size of each direction."""
    num_layers: int = 2
    """Number of stacked bidirectional layers."""
    dropout: float = 0.5
    """Dropout rate before, between and after the layers, 0 to below 1."""
    word_dropout: float = 0.25
    """Word dropout strength a: a word seen n times in training becomes the unknown word with
    probability a / (a + n); 0 disables it."""

    # Training.
    epochs: int = 12
    """Maximum number of epochs; the learning rate decays to zero over them (cosine)."""
    patience: int = 4
    """Stop after this many epochs without a better validation accuracy; 0 behaves like 1."""
    batch_size: int = 32
    """Batch size in sentences."""
    learning_rate: float = 3e-3
    """Initial learning rate (Adam)."""

    # Export.
    export: bool = True
    """Export the artifact (GRU only): SavedModel, TFLite and ONNX files and card."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained tagger on the test split: per-tag scores and a confusion matrix."""

    file: Path | None = None
    """Evaluate on this file instead: CoNLL-U, or tab-separated words and tags."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Tag raw text, one sentence per line, or the words of a file."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sentences to tag; read from standard input if neither they nor --file are given."""
    file: Path | None = None
    """Tag the words of this file: CoNLL-U, or one word per line; its own tags are ignored."""
    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""
    json: bool = False
    """Print one JSON object per line."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Export an artifact again: every format, checked against the model, with its card."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo from finished runs that differ only in their seed."""

    preset: str = PRESET
    """Name of the preset in the zoo."""


def train(config: Train) -> None:
    """Train, evaluate, export; print tables."""
    check_flags(config)
    # A treebank that no tagger is made of, and a size that no model has, leave no run behind.
    training, source = _trainable(config)
    units = _units(config, training)
    if config.export and config.cell == "gru":
        require_extra("onnx", "the ONNX file, without --no-export,")
    with start_run(config) as run:
        _train(config, run, training, source, units)


def _train(
    config: Train, run: RunFolder, training: list[Sentence], source: Source, units: int
) -> None:
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training import tagged_batches
    from gru_zoo.training.fitting import fit, seed_everything

    seed_everything(config.seed)
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version} ({source.reason})")
    validation, _ = _read("validation", config)
    model = _model(config, training, units)
    batches = tagged_batches.TaggedBatches(
        model, training, config.batch_size, config.word_dropout, config.seed
    )
    _compile(model, config, len(batches))
    fit(
        model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=lambda: tagged_batches.score(model, validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
    )
    save_keras_file(model, run.path / "model.keras")
    _evaluate(run, model)
    card = _export(run, model) if config.export and config.cell == "gru" else None
    report.print_run("pos_tagging", run, card)


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again, or on a file."""
    if config.file is None:
        run = open_run(config.run, RUNS)
        _evaluate(run, _load(run))
        return
    from gru_zoo.data.conllu import read_sentences
    from gru_zoo.training import tagged_batches

    sentences, model = read_sentences(config.file), _load(open_run(config.run, RUNS))
    unknown = {tag for sentence in sentences for tag in sentence.tags} - set(model.tags)
    if unknown:
        print(
            f"note: {config.file} has tags that the model lacks, and their words are counted as "
            f"wrong: {', '.join(sorted(unknown))}. The model has {', '.join(model.tags)}."
        )
    figures = tagged_batches.score(model, sentences)
    words = sum(len(sentence.words) for sentence in sentences)
    print(
        f"{config.file}: accuracy {100 * figures['accuracy']:.2f} % "
        f"of {words:,} words in {len(sentences):,} sentences"
    )


def predict(config: Predict) -> None:
    """Print the words of each sentence with their tags."""
    from gru_zoo.models.tagger import LENGTHS
    from gru_zoo.text.word_features import require_at_most

    if config.file is not None and config.texts:
        raise ValueError(f"texts must not be used with --file; got {config.texts[0]!r}.")
    if config.file is not None:
        from gru_zoo.data.conllu import read_sentences

        sentences = [s.words for s in read_sentences(config.file, tagged=False)]
    else:
        texts = list(map(surrogates.replaced, config.texts)) or read_lines(None)
        sentences = list(map(treebank_words, texts))
    if not any(sentences):
        raise ValueError("texts must contain at least one word; got none.")
    model = _of(config.run, config.model, "model")
    require_at_most(LENGTHS[-1], sentences)  # It counts the empty lines; the model has none.
    # An empty line stays one, so that what comes out goes with what went in.
    found = iter(model.tag(list(filter(None, sentences))))
    for words in sentences:
        named = next(found) if words else []
        if config.json:
            print(json.dumps({"words": words, "tags": named}, ensure_ascii=False))
        else:
            print(" ".join(f"{word}/{tag}" for word, tag in zip(words, named, strict=True)))


def export(config: Export) -> None:
    """Export the artifact again from a run's trained model, or a preset's from its own."""
    if config.preset and not config.out:
        card = pos_tagging_artifact.rewrite_preset(config.preset)
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.preset:
        model = _of(None, config.preset, "preset")
        test = pos_tagging_artifact.test_of(model)
        pos_tagging_artifact.write_files(model, config.out, test, config.overwrite)
        return
    run = open_run(config.run, RUNS)
    if config.out:
        test, _ = _read("test", flags_of(run, Train))
        pos_tagging_artifact.write_files(_load(run), config.out, test, config.overwrite)
        return
    report.print_run("pos_tagging", run, _export(run, _load(run)))


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        _export(run, _load(run))

    to_zoo("pos_tagging", config.finished, config.preset, Train(), write)


def _read(split: str, config: Train) -> tuple[list[Sentence], Source]:
    from gru_zoo.data import universal_dependencies

    sentences, source = universal_dependencies.load(split, config.treebank)
    return sentences[: config.limit or None], source


def _trainable(config: Train) -> tuple[list[Sentence], Source]:
    """Return the training sentences that a tagger takes, if it takes all of the other splits'.

    What a model is chosen and scored by is never left out.
    """
    from gru_zoo.models.tagger import LENGTHS

    training, source = _read("train", config)
    for split in ("validation", "test"):
        longest = max(len(sentence.words) for sentence in _read(split, config)[0])
        if longest > LENGTHS[-1]:
            raise ValueError(
                f"treebank must have {split} sentences of at most {LENGTHS[-1]} words, the maximum "
                f"of a tagger; {config.treebank} has one of {longest}."
            )
    short = [sentence for sentence in training if len(sentence.words) <= LENGTHS[-1]]
    if left := len(training) - len(short):
        print(
            f"note: {left:,} of {len(training):,} training sentences have more than {LENGTHS[-1]} "
            "words and are dropped."
        )
    return short, source


def _units(config: Train, training: Sequence[Sentence]) -> int:
    """Return the units that give the whole model `config.parameters`, or `config.units`."""
    if not config.parameters:
        return config.units
    from gru_zoo.models.budget import units_for

    return units_for(lambda units: _model(config, training, units), config.parameters)


def _model(config: Train, training: Sequence[Sentence], units: int) -> Tagger:
    from gru_zoo.models.tagger import Tagger
    from gru_zoo.text.word_features import WordFeatures

    return Tagger(
        WordFeatures.fit([sentence.words for sentence in training]),
        sorted({tag for sentence in training for tag in sentence.tags}),
        word_dim=config.word_dim,
        affix_dim=config.affix_dim,
        units=units,
        num_layers=config.num_layers,
        dropout=config.dropout,
        cell=config.cell,
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


def _load(run: RunFolder) -> Tagger:
    from gru_zoo.models.tagger import Tagger

    return models.of_run(run, Tagger)


def _of(run: Path | None, name: str, flag: str) -> Tagger:
    """Return a run's model, or that which a flag names in the zoo."""
    from gru_zoo.models.tagger import Tagger

    return _load(RunFolder.open(run)) if run else models.of_zoo(flag, name, Tagger)


def _evaluate(run: RunFolder, model: Tagger) -> None:
    """Read the test split, write `metrics.json`, `tags.json` and `confusion.png`; print a table."""
    import numpy as np

    from gru_zoo.training.metrics import confusion_matrix, per_class
    from gru_zoo.training.tagged_batches import true_tags

    config = flags_of(run, Train)
    test, source = _read("test", config)
    run.pin_data(source.as_dict())
    found = np.concatenate(model.probabilities([sentence.words for sentence in test]))
    predicted, truth = found.argmax(axis=1), true_tags(model, test)
    confusion = confusion_matrix(truth, predicted, len(model.tags))
    accuracy = float((predicted == truth).mean())
    best = max(run.history, key=lambda row: row["val_accuracy"])
    seconds = [row["seconds"] for row in run.history]
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": accuracy, "split": "test"},
            "scored_on": f"{len(test):,} sentences, {len(truth):,} words: "
            f"{source.splits['test'][1]}",
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
    pos_tagging_report.print_tags(run, tags)


def _export(run: RunFolder, model: Tagger) -> Card:
    test, source = _read("test", flags_of(run, Train))
    run.pin_data(source.as_dict())
    trained = command("pos_tagging", run, Train())
    return pos_tagging_artifact.write_artifact(run, model, test, trained)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.pos_tagging", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
