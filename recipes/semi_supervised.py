"""Sentiment of a review, trained on labelled and unlabelled reviews.

Task:     as `recipes.sentiment`.
Data:     IMDB's 22,500 labelled training reviews and 50,000 unlabelled ones (Maas et al. 2011).
Model:    as `recipes.sentiment`: word embeddings, one causal GRU, [last; max; mean] pooling.
Steps:    each is a run of this recipe, and a line of the ablation:
          --pretrained RUN    initialise from a language model (Dai and Le 2015) or a preset
          --adversarial 0.3   adversarial training, or --virtual-adversarial (Miyato et al. 2017)
          --teachers RUN ...  distillation from trained classifiers (Hinton et al. 2015)
          --mean-of RUN ...   weight average of runs with one initialisation (Wortsman et al. 2022)
Command:  python -m recipes.semi_supervised train --pretrained runs/language_model/NAME
Papers:   LSTM 92.8 % after pretraining (Dai and Le), 94.1 % with virtual adversarial training.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

from gru_zoo.training.runs import RunFolder
from recipes.semi_supervised_flags import RUNS, Evaluate, Publish, Train
from recipes.shared import averaging, cli, origins, report, reviews, sentiment_card, teachers
from recipes.shared.golden_texts import GOLDEN_TEXTS
from recipes.shared.presets import folder_to_publish
from recipes.shared.publishing import (
    alike,
    before,
    is_run,
    open_run,
    pretrained,
    require_forward,
    require_same_task,
    require_seen,
    together,
)
from recipes.shared.starting import check_flags, start_run

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import tensorflow as tf

    from gru_zoo.data.source import Source
    from gru_zoo.models.classifier import SequenceClassifier

LABELS = ("negative", "positive")


def train(config: Train) -> None:
    """Train; write the model and, unless turned off, its predictions for other runs."""
    _check(config)
    for path in config.teachers:
        # What is missing is reported before a run is made.
        teachers.read_predictions(RunFolder.open(path))
    mean = _mean(config)
    with start_run(config) as run:
        _train(config, run, mean)


def _train(config: Train, run: RunFolder, mean: SequenceClassifier | None) -> None:
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.batching import predict_by_length
    from gru_zoo.training.fitting import fit, seed_everything

    seed_everything(config.seed)
    splits, source = reviews.for_training(reviews.source_of(run), config.limit)
    run.pin_data(source.as_dict())
    places = [config.pretrained, config.words, *config.mean_of]
    require_seen([*places, *config.teachers], source)
    origins.pin(run, places, config.teachers)
    labelled, validation = splits["train"], splits["validation"]
    taught_by = [RunFolder.open(path) for path in config.teachers]
    predictions = [teachers.read_predictions(teacher, splits) for teacher in taught_by]
    if predictions:
        together = sum(each["validation"] for each in predictions) / len(predictions)
        accuracy = reviews.score(together, validation.labels)["accuracy"]
        print(f"teachers: validation accuracy of their ensemble {accuracy:.4f}")
    none = reviews.Reviews(labelled.texts[:0], labelled.labels[:0])
    more = splits.get("unsupervised", none)
    model = _model(config, [*labelled.texts, *more.texts], mean)
    held_out = reviews.encode(model, validation.texts, config.backward)

    def validate() -> dict[str, float]:
        return reviews.score(predict_by_length(model, held_out), validation.labels)

    if config.mean_of:
        averaging.finish(run, config, model, validate)
    else:
        given = _Training(config, model, labelled, more, predictions, taught_by)
        _compile(given.model, config, len(given))
        fit(
            given.model,
            train=given.dataset,
            steps_per_epoch=len(given),
            validate=validate,
            run=run,
            epochs=config.stop_after or config.epochs,
            patience=config.epochs,
        )
    save_keras_file(model, run.path / "model.keras")
    if config.opinions:
        teachers.write_predictions(
            run,
            {
                split: predict_by_length(model, reviews.encode(model, given.texts, config.backward))
                for split, given in splits.items()
            },
        )
    # The model has the weights of its best epoch.
    accuracy = max(row["val_accuracy"] for row in run.history)
    print(f"validation: accuracy {accuracy:.4f}; files in {run.path}")


def _check(config: Train) -> None:
    """Raise unless the flags go together and what they name is there."""
    check_flags(config)
    if not 0 <= config.teachers_weight <= 1:
        raise ValueError(f"teachers_weight must be 0 to 1; got {config.teachers_weight}.")
    for name in "adversarial", "virtual_adversarial":
        if getattr(config, name) < 0:
            raise ValueError(f"{name} must be 0 or more; got {getattr(config, name)}.")
    if config.excerpts and not config.teachers:
        raise ValueError(f"excerpts must be 0 without teachers; got {config.excerpts}.")
    if config.stop_after > config.epochs:
        raise ValueError(
            f"stop_after must be 0 to epochs ({config.epochs}); got {config.stop_after}."
        )
    averaging.check(config)
    if config.words:
        if config.pretrained:
            raise ValueError(
                f"words must not be used with pretrained, which has its own; got {config.words}."
            )
        RunFolder.open(config.words)
    if config.bidirectional and (config.pretrained or config.mean_of):
        raise ValueError("bidirectional must be False with pretrained or mean_of; got True.")
    if config.pretrained:
        known = is_run(config.pretrained) and RunFolder.open(config.pretrained).config.get(
            "backward", False
        )
        if known != config.backward:
            raise ValueError(
                f"backward must be {known}, as in {config.pretrained}; got {config.backward}."
            )


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split; write `metrics.json` if it is a single run."""
    import numpy as np

    from gru_zoo.training.batching import predict_by_length

    paths = config.finished or (open_run(None, RUNS).path,)
    runs = list(map(_own, paths))
    test, source = reviews.read("test", reviews.source_of(runs[0]), runs[0].config["limit"])
    outputs = []
    for run in runs:
        run.pin_data(source.as_dict())
        model = load(run)
        ids = reviews.encode(model, test.texts, run.config["backward"])
        outputs.append(predict_by_length(model, ids))
        if len(runs) == 1:
            accuracy = reviews.score(outputs[0], test.labels)["accuracy"]
            _write_metrics(run, model, accuracy, reviews.scored_on(test, source), source)
            report.print_run("semi_supervised", run)
        else:
            print(f"{run.path}: {reviews.score(outputs[-1], test.labels)['accuracy']:.4f}")
    if len(runs) > 1:
        together = reviews.score(np.mean(outputs, axis=0), test.labels)
        print(f"ensemble of {len(runs)} runs: accuracy {together['accuracy']:.4f}")


def publish(config: Publish) -> None:
    """Score runs on the test split where that has not been done, and publish the best one."""
    from gru_zoo.artifacts.card import About
    from gru_zoo.artifacts.classifier import classifier_goldens, classifier_parts
    from gru_zoo.artifacts.folder import publish as publish_artifact

    folder = folder_to_publish(config.preset)
    if config.mediapipe_length < 0:
        raise ValueError(f"mediapipe_length must be 0 or more; got {config.mediapipe_length}.")
    for path in config.finished:
        require_forward(_own(path), "finished")
    # The test split is not read for what is then rejected.
    runs = alike(config.finished, Train(), config.preset)
    data = runs[0].data()
    fields = sentiment_card.card_fields(load(runs[0]), data, unlabelled=True)
    require_same_task(config.preset, SimpleNamespace(metric="accuracy", data=data, **fields))
    for run in runs:
        if not (run.path / "metrics.json").exists():
            evaluate(Evaluate((run.path,)))
    found = together("semi_supervised", config.finished, Train(), config.preset)
    found.commands[-1] += f" --compared {config.compared}" if config.compared else ""
    if config.variants != Publish.variants:
        found.commands[-1] += f" --variants {' '.join(config.variants)}"
    if config.mediapipe_length:
        found.commands[-1] += f" --mediapipe-length {config.mediapipe_length}"
    model, metrics = load(found.best), found.best.metrics()
    test, source = reviews.read("test", reviews.source_of(found.best), found.best.config["limit"])
    found.best.pin_data(source.as_dict())
    some = reviews.spread(test, config.compared)
    partly = f"{len(some.texts):,} of {metrics['scored_on']}" if config.compared else ""
    commands = [*before(found.best), *found.commands]
    fields = sentiment_card.card_fields(model, metrics["data"], unlabelled=True)
    fields["limits"] += sentiment_card.other_texts(commands)
    about = About(
        name=config.preset,
        metric=found.metric,
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=found.scores,
        shipped_seed=found.best.config["seed"],
        commands=commands,
        **fields,
    )
    card = publish_artifact(
        folder,
        about,
        model,
        **classifier_parts(model, *some, config.variants, partly, config.mediapipe_length or None),
        goldens=classifier_goldens(model, GOLDEN_TEXTS),
    )
    print(f"published {config.preset}: {card.spread()} on {card.scored_on}")


def _own(path: Path) -> RunFolder:
    """Return a run of this recipe; raise ValueError for another one's."""
    run = RunFolder.open(path)
    if "backward" not in run.config or "unlabelled_per_labelled" not in run.config:
        raise ValueError(
            f"run must be a run of recipes.semi_supervised; the flags of {path} differ."
        )
    return run


def load(run: RunFolder) -> SequenceClassifier:
    """Return a run's trained classifier."""
    from gru_zoo.models.classifier import load_classifier

    return load_classifier(run.path / "model.keras")


class _Training:
    """What is trained, and on which batches, by the flags."""

    def __init__(
        self,
        config: Train,
        model: SequenceClassifier,
        labelled: reviews.Reviews,
        more: reviews.Reviews,
        predictions: list[dict[str, np.ndarray]],
        taught_by: list[RunFolder],
    ) -> None:
        import numpy as np

        from gru_zoo.training import adversarial
        from gru_zoo.training.batching import BucketedBatches

        ids = reviews.encode(model, labelled.texts, config.backward)
        hide = reviews.word_dropout(model, ids, config.word_dropout)
        targets = np.eye(len(LABELS), dtype=np.float32)[labelled.labels]
        self.model, self.unlabelled, self.epochs = model, None, config.epochs
        others = ids  # of a source without unlabelled reviews
        if len(more.texts) and (predictions or config.virtual_adversarial):
            others = reviews.encode(model, more.texts, config.backward)
        if predictions:
            means = teachers.mean_of(predictions)
            share = config.teachers_weight
            targets = share * means["train"] + (1 - share) * targets
            ids = [ids, others[: len(more.texts)]]
            taught = [targets, *([means["unsupervised"]] if len(more.texts) else [])]
            every = [*labelled.texts, *more.texts]
            for number in range(config.excerpts):
                some, said = teachers.taught_excerpts(taught_by, every, 1000 * config.seed + number)
                ids.append(reviews.encode(model, some, config.backward))
                taught.append(said)
            ids, targets = np.concatenate(ids), np.concatenate(taught).astype(np.float32)
        # A step is traced for any length, and its GRU runs no step of padding: many of them.
        lengths = sorted({-(-config.sequence_length * part // 40) for part in range(1, 41)})
        self.batches = BucketedBatches(ids, targets, config.batch_size, lengths, config.seed, hide)
        if config.virtual_adversarial:
            self.model = adversarial.VirtualAdversarialTraining(
                model,
                config.virtual_adversarial,
                temperature=config.temperature,
                adversarial=config.adversarial,
            )
            none = np.zeros((len(others), 0), np.float32)
            size = config.unlabelled_per_labelled * config.batch_size
            self.unlabelled = BucketedBatches(others, none, size, lengths, config.seed + 1)
        elif config.adversarial:
            self.model = adversarial.AdversarialTraining(model, config.adversarial)

    def __len__(self) -> int:
        return len(self.batches)

    def dataset(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        from gru_zoo.training.batching import epochs_dataset

        if self.unlabelled is None:
            return self.batches.dataset(first_epoch, epochs)

        def with_unlabelled(epoch: int) -> Iterator[tuple]:
            # A stream that is shorter begins again, in an order of no epoch's beginning.
            rounds = map(self.unlabelled.epoch, itertools.count(epoch, self.epochs))
            endless = itertools.chain.from_iterable(rounds)
            for (ids, targets), (more, _) in zip(self.batches.epoch(epoch), endless, strict=False):
                yield (ids, more), targets

        ids = tf.TensorSpec([None, None], tf.int32)
        signature = ((ids, ids), tf.TensorSpec([None, len(LABELS)], tf.float32))
        return epochs_dataset(with_unlabelled, signature, first_epoch, epochs)


def _mean(config: Train) -> SequenceClassifier | None:
    """Return the weight average of what is named, or None; raise before a run is made."""
    if not config.mean_of:
        return None
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.models.transfer import mean_of

    mean = mean_of([pretrained(place) for place in config.mean_of])
    if not isinstance(mean, SequenceClassifier):
        raise ValueError(f"mean_of must name classifiers; got a {type(mean).__name__}.")
    return mean


def _model(
    config: Train, texts: list[bytes], mean: SequenceClassifier | None
) -> SequenceClassifier:
    """Return a new classifier, or one with the words and weights of a mean or pretrained run."""
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.models.transfer import classifier_from, give_words
    from gru_zoo.text.tokenizers import WordTokenizer

    if mean is None and not config.pretrained:
        tokenizer = WordTokenizer.fit(
            texts, config.vocabulary_size, config.sequence_length, fold_case=True
        )
        model = SequenceClassifier(
            tokenizer,
            LABELS,
            embedding_dim=config.embedding_dim,
            units=config.units,
            dropout=config.dropout,
            bidirectional=config.bidirectional,
        )
        if config.words:
            give_words(model, load(RunFolder.open(config.words)))
        return model
    source = pretrained(config.pretrained) if mean is None else mean
    return classifier_from(source, LABELS, config.sequence_length, config.dropout)


def _compile(model: object, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    average = {"use_ema": True, "ema_momentum": config.ema_momentum} if config.ema_momentum else {}
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0, **average)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy")


def _write_metrics(
    run: RunFolder, model: SequenceClassifier, accuracy: float, scored_on: str, source: Source
) -> None:
    # A mean's one row has the passes of all that it is made of.
    passes = int(run.history[-1]["epoch"])
    seconds = [row["seconds"] for row in run.history]
    run.write_metrics(
        {
            "metric": {"name": "accuracy", "value": accuracy, "split": "test"},
            "scored_on": scored_on,
            "validation_accuracy": max(row["val_accuracy"] for row in run.history),
            "parameters": model.count_params(),
            "epochs": passes,
            "train_seconds": sum(seconds),
            "seconds_per_epoch": sum(seconds) / passes,
            "data": source.as_dict(),
        }
    )


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.semi_supervised", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
