"""Translation of captions: German to English, English to German, French too.

Task:     one sentence in, its translation out, cased and with its punctuation.
Data:     Multi30k, task 1: 29,000 / 1,014 / 1,000 (test_2016_flickr) captions of pictures.
Model:    joint byte-pair encoding, bidirectional GRU, dot attention, two causal GRUs, one matrix
          for source, target and logits; beam search.
Command:  python -m recipes.translation            (--pair en-de for the other way)
Papers:   pytorch-seq2seq's tutorial, lower case: GRU 20.6, bidirectional GRU with attention 28.3,
          Transformer 36.5 BLEU, German to English.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from gru_zoo.data import multi30k
from gru_zoo.files import write_beside
from gru_zoo.runs import RunFolder, newest_run
from recipes import attention_figure, cli
from recipes.starting import RunFlags, check_sizes, start_run

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.data.source import Source
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.subwords import Subwords

RUNS = Path("runs/translation")
# Few lengths, so that few programs are compiled; the last one holds the longest text and </s>.
LENGTHS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96)
PICTURES = 3


@dataclasses.dataclass(frozen=True)
class Train(RunFlags):
    """Train a translator and evaluate it on the test split."""

    runs: Path = RUNS
    """Folder of the runs."""

    # Data.
    pair: str = "de-en"
    """From one language to another: de, en, fr."""
    limit: int = 0
    """Use only so many sentences of each split, for a smoke test; 0 uses all of them."""
    vocabulary_size: int = 5_000
    """Subwords of both languages together."""

    # Model.
    cell: Literal["gru", "lstm", "rnn", "transformer"] = "gru"
    """What reads and writes: every layer of encoder and decoder."""
    parameters: int = 0
    """Choose units so that the whole model has so many parameters; 0 leaves `units`."""
    dim: int = 192
    """Size of a subword's vector."""
    units: int = 192
    """Size of the state of each direction."""
    num_layers: int = 1
    """Bidirectional layers of the encoder."""
    heads: int = 4
    """Of the attention."""
    dropout: float = 0.25
    """Share of features dropped before each layer."""

    # Training.
    smoothing: float = 0.1
    """Share of each target's probability spread over all subwords."""
    epochs: int = 16
    """At most so many; the learning rate falls to zero over them (half a cosine)."""
    patience: int = 6
    """Epochs without a better validation BLEU before training stops."""
    batch_size: int = 128
    """Sentences of one training step."""
    learning_rate: float = 3e-3
    """Adam's, at the start."""

    # Search.
    beams: int = 6
    """Beginnings that the search keeps."""
    alpha: float = 1.0
    """Of the length penalty."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure a trained translator on the test split: BLEU, translations, attention pictures."""

    run: Path | None = None
    """Folder of the run; the newest one if not given."""


@dataclasses.dataclass(frozen=True)
class Predict:
    """Translate sentences, one a line."""

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sentences; without any they are read from standard input."""
    run: Path | None = None
    """Folder of the run; the newest one if not given."""
    json: bool = False
    """Write one JSON object a line, with the score."""


def train(config: Train) -> None:
    """Train and evaluate; print one table."""
    check_sizes(config, ("dim", "units", "num_layers", "heads", "epochs", "batch_size", "beams"))
    training, source = _read("train", config)  # An unknown pair leaves no run behind.
    run = start_run(config)

    from gru_zoo.models.teacher import Teacher
    from gru_zoo.subwords import Subwords
    from gru_zoo.training import fit, seed_everything

    seed_everything(config.seed)
    run.pin_data(source.as_dict())
    print(f"data: {source.name} {source.version} ({source.reason})", flush=True)
    validation, _ = _read("validation", config)
    texts = [*training.source, *training.target]
    subwords = Subwords.fit(texts, config.vocabulary_size, LENGTHS[-1] - 1)
    model = _model(config, subwords)
    print(f"model: {model.cell}, {model.units} units, {model.count_params():,} parameters")
    batches = _Batches(subwords, training, config)
    teacher = Teacher(model, config.smoothing)
    _compile(teacher, config, len(batches))
    fit(
        teacher,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=_Validation(model, validation),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
        monitor="bleu",
    )
    with write_beside(run.path / "model.keras") as partial:
        model.save(partial, include_optimizer=False)
    _evaluate(run, model)


def evaluate(config: Evaluate) -> None:
    """Measure the test split again."""
    run = RunFolder.open(config.run or newest_run(RUNS))
    _evaluate(run, _load(run))


def predict(config: Predict) -> None:
    """Print a translation of each text."""
    texts = list(config.texts) or sys.stdin.read().splitlines()
    if not texts:
        raise ValueError("texts must be one sentence or more; got none.")
    run = RunFolder.open(config.run or newest_run(RUNS))
    flags, model = Train(**run.config), _load(run)
    for text, found in zip(texts, _translate(model, texts, flags.beams, flags.alpha), strict=True):
        translation = model.subwords.decode(found.ids)
        if config.json:
            record = {"text": text, "translation": translation, "score": found.score}
            print(json.dumps(record, ensure_ascii=False))
        else:
            print(translation)


class _Batches:
    """Training batches of pairs of similar length."""

    def __init__(self, subwords: Subwords, pairs: multi30k.Pairs, config: Train) -> None:
        import numpy as np

        from gru_zoo.batching import BucketedBatches
        from gru_zoo.subwords import END, START, padded

        rows = [row + [END] for row in subwords.encode(pairs.source)]
        self.source = padded(rows, LENGTHS[-1])
        rows = [[START, *row, END] for row in subwords.encode(pairs.target)]
        self.target = padded(rows, LENGTHS[-1] + 1)
        both = np.concatenate([self.source, self.target], axis=1)
        numbers = np.arange(len(both), dtype=np.int32)
        self.batches = BucketedBatches(
            both, numbers, config.batch_size, [both.shape[1]], config.seed
        )

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[dict[str, np.ndarray]]:
        """Yield source [batch, length] and target [batch, length + 1] of each batch."""
        for _, rows in self.batches.epoch(epoch):
            source, target = self.source[rows], self.target[rows]
            yield {
                "source": source[:, : _fitting(source)],
                "target": target[:, : _fitting(target[:, 1:]) + 1],
            }

    def dataset(self, first_epoch: int, epochs: int) -> object:
        """Return the batches of epochs `first_epoch` to `epochs - 1`, one after the other."""
        import tensorflow as tf

        def generate() -> Iterator[dict[str, np.ndarray]]:
            for epoch in range(first_epoch, epochs):
                yield from self.epoch(epoch)

        ids = tf.TensorSpec([self.batches.batch_size, None], tf.int32)
        signature = {"source": ids, "target": ids}
        dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
        return dataset.prefetch(4)


def _fitting(ids: np.ndarray) -> int:
    """Return the first of `LENGTHS` that holds every row."""
    import numpy as np

    from gru_zoo.batching import fitting_length

    return fitting_length(int(np.count_nonzero(ids, axis=1).max()), LENGTHS)


def _read(split: str, config: Train) -> tuple[multi30k.Pairs, Source]:
    pairs, source = multi30k.load(split, config.pair)
    return multi30k.Pairs(*(texts[: config.limit or None] for texts in pairs)), source


def _model(config: Train, subwords: Subwords) -> Seq2Seq:
    from gru_zoo.models.budget import units_for
    from gru_zoo.models.seq2seq import Seq2Seq

    def build(units: int) -> Seq2Seq:
        return Seq2Seq(
            subwords,
            config.cell,
            dim=config.dim,
            units=units,
            num_layers=config.num_layers,
            heads=config.heads,
            dropout=config.dropout,
        )

    if not config.parameters:
        return build(config.units)
    step = config.heads  # units are a multiple of the heads
    found = step * units_for(lambda units: build(step * units), config.parameters)
    return build(found)


def _compile(teacher: object, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    teacher.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0))


def _translate(model: Seq2Seq, texts: Sequence[str], beams: int, alpha: float) -> list:
    from gru_zoo.translating import translate

    return [found[0] for found in translate(model, texts, beams=beams, alpha=alpha)]


class _Validation:
    """Measured after each epoch: the loss without smoothing, BLEU of greedy translations."""

    def __init__(self, model: Seq2Seq, pairs: multi30k.Pairs) -> None:
        import tensorflow as tf

        from gru_zoo.models.teacher import Teacher
        from gru_zoo.subwords import END, START, padded

        self.model, self.pairs = model, pairs
        rows = model.subwords.encode(pairs.source)
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        source = [[*rows[i], END] for i in order]
        rows = model.subwords.encode(pairs.target)
        target = [[START, *rows[i], END] for i in order]
        size = 128
        self.parts = [
            {"source": padded(source[i : i + size]), "target": padded(target[i : i + size])}
            for i in range(0, len(order), size)
        ]
        self.teacher = tf.function(Teacher(model, smoothing=0.0), reduce_retracing=True)

    def __call__(self) -> dict[str, float]:
        """Return {"loss": a subword's mean, "bleu": 0 to 100}."""
        from gru_zoo.translating import translate_greedily

        counts = [int((part["target"][:, 1:] != 0).sum()) for part in self.parts]
        losses = [float(self.teacher(part)) for part in self.parts]
        total = sum(loss * count for loss, count in zip(losses, counts, strict=True))
        translations = translate_greedily(self.model, self.pairs.source)
        return {"loss": total / sum(counts), "bleu": _bleu(translations, self.pairs.target)[0]}


def _bleu(translations: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Return sacreBLEU's figure and its signature."""
    import sacrebleu

    metric = sacrebleu.BLEU()
    score = metric.corpus_score(list(translations), [list(references)])
    return score.score, str(metric.get_signature())


def _load(run: RunFolder) -> Seq2Seq:
    import keras

    from gru_zoo.models.seq2seq import Seq2Seq

    model = keras.saving.load_model(run.path / "model.keras", compile=False, safe_mode=True)
    if not isinstance(model, Seq2Seq):
        raise ValueError(f"run must hold a Seq2Seq; got a {type(model).__name__}.")
    return model


def _evaluate(run: RunFolder, model: Seq2Seq) -> None:
    """Read the test split; write `metrics.json`, `translations.txt`, `attention_*.png`."""
    config = Train(**run.config)
    figures = {}
    for split in ("validation", "test"):
        pairs, source = _read(split, config)
        run.pin_data(source.as_dict())
        found = _translate(model, pairs.source, config.beams, config.alpha)
        translations = [model.subwords.decode(one.ids) for one in found]
        figures[split], signature = _bleu(translations, pairs.target)
    seconds = [row["seconds"] for row in run.history]
    scored_on = f"{len(pairs.source):,} sentences, {config.pair}: {source.splits['test'][1]}"
    run.write_metrics(
        {
            "metric": {"name": "bleu", "value": figures["test"], "split": "test"},
            "bleu": figures["test"],
            "signature": signature,
            "scored_on": scored_on,
            "validation_bleu": figures["validation"],
            "parameters": model.count_params(),
            "units": model.units,
            "epochs": len(seconds),
            "train_seconds": sum(seconds),
            "seconds_per_epoch": statistics.median(seconds),
            "data": source.as_dict(),
        }
    )
    with write_beside(run.path / "translations.txt") as partial:
        partial.write_text("".join(f"{text}\n" for text in translations), encoding="utf-8")
    for number in range(min(PICTURES, len(found))):
        path = run.path / f"attention_{number + 1}.png"
        attention_figure.draw(model, pairs.source[number], found[number].ids, path)
    _print_run(run)


def _print_run(run: RunFolder) -> None:
    metrics = run.metrics()
    print(
        f"translation: {metrics['scored_on']}\n"
        f"BLEU {metrics['bleu']:.1f}, validation {metrics['validation_bleu']:.1f} "
        f"({metrics['signature']})\n"
        f"{metrics['parameters']:,} parameters, {metrics['epochs']} epochs of "
        f"{metrics['seconds_per_epoch']:.1f} s; files in {run.path}"
    )


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.translation", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
