"""Translation of image captions (German, English, French) and of everyday sentences.

Task:     one sentence in, its translation out, cased and with punctuation.
Data:     Multi30k, task 1: 29,000 / 1,014 / 1,000 (test_2016_flickr) image captions; with
          --corpus tatoeba 158,004 / 2,000 / 4,000 sentences in French and English; with --csv
          your own.
Model:    joint byte-pair encoding, bidirectional GRU encoder, dot-product attention, two-layer GRU
          decoder, tied source, target and output embeddings; beam search.
Command:  python -m recipes.translation            (--pair en-de for the reverse direction)
Papers:   pytorch-seq2seq's tutorial, German to English, lower-cased BLEU: GRU 20.6, bidirectional
          GRU with attention 28.3, Transformer 36.5. Helsinki-NLP's Transformers on other
          sentences of Tatoeba: French to English 57.5, English to French 50.5.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gru_zoo.files import atomic_write
from gru_zoo.text import surrogates
from gru_zoo.training.runs import RunFolder
from recipes import translation_artifact, translation_data
from recipes.shared import attention_figure, cli, models, origins, report
from recipes.shared.lines import read_lines
from recipes.shared.publishing import before, command, is_run, open_run, to_zoo
from recipes.shared.starting import flags_of, start_run
from recipes.translation_artifact import bleu
from recipes.translation_flags import (
    RUNS,
    Evaluate,
    Export,
    Predict,
    Publish,
    Train,
    check,
    with_pair,
)

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import Card
    from gru_zoo.data.pairs import Pairs
    from gru_zoo.data.source import Source
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.text.subwords import Subwords

PICTURES = 3


def train(config: Train) -> None:
    """Train, evaluate, export; print one table."""
    config = with_pair(config)
    check(config)
    translation_artifact.new_bleu()  # A missing package is reported before training.
    training, source = translation_data.load("train", config)  # A bad table leaves no run behind.
    translation_data.require_same_parts(config, source)
    loaded = _loaded(config) if config.start else None
    with start_run(config) as run:
        _train(config, run, training, source, loaded)


def _train(
    config: Train, run: RunFolder, training: Pairs, source: Source, loaded: Seq2Seq | None
) -> None:
    from gru_zoo.models.keras_file import round_to_half, save_keras_file
    from gru_zoo.training.fitting import fit, seed_everything
    from gru_zoo.training.sentence_pairs import PairBatches, Validation
    from gru_zoo.training.teacher_forcing import TeacherForcing

    seed_everything(config.seed)
    run.pin_data(source.as_dict())
    origins.pin(run, [config.start])
    print(f"data: {source.name} {source.version} ({source.reason})")
    validation, _ = translation_data.load("validation", config)
    model = loaded or _model(config, _subwords(config, training))
    translation_data.require_encodable(model.subwords, config)
    print(f"model: {model.cell}, {model.units} units, {model.count_params():,} parameters")
    batches = PairBatches(model.subwords, training, config.batch_size, config.seed)
    training_model = TeacherForcing(model, config.smoothing)
    _compile(training_model, config, len(batches))
    fit(
        training_model,
        train=batches.dataset,
        steps_per_epoch=len(batches),
        validate=Validation(
            model, validation, lambda translations, wanted: bleu(translations, wanted)[0]
        ),
        run=run,
        epochs=config.epochs,
        patience=config.patience,
        monitor="bleu",
    )
    if config.half:
        round_to_half(model)
    save_keras_file(model, run.path / "model.keras")
    run.keep_flags()  # A finished run that is rounded trains no more.
    _evaluate(run, model)
    card = _export(run, model) if config.export and model.cell == "gru" else None
    report.print_run("translation", run, card)


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split again."""
    run = open_run(config.run, RUNS)
    _evaluate(run, _load(run))
    report.print_run("translation", run)


def predict(config: Predict) -> None:
    """Print a translation of each text."""
    texts = list(map(surrogates.replaced, config.texts)) or read_lines(None)
    numbers = [number for number, text in enumerate(texts, 1) if text.strip()]
    some = [texts[number - 1] for number in numbers]
    if not some:
        raise ValueError("texts must contain at least one word; got none.")
    if config.run:
        run = RunFolder.open(config.run)
        flags, model = flags_of(run, Train), _load(run)
        beams, alpha = flags.beams, flags.alpha
    else:
        model = _of_zoo("model", config.model)
        beams, alpha = (model.card.configuration[name] for name in ("beams", "alpha"))
    model.subwords.encode(some, numbers)  # An error has the line's own number.
    # An empty line stays one, so that what comes out goes with what went in.
    results = iter(_translate(model, some, beams, alpha))
    for text in texts:
        found = next(results) if text.strip() else None
        translation = model.subwords.decode(found.ids) if found else ""
        if config.json:
            score = found.score if found else None
            record = {"text": text, "translation": translation, "score": score}
            print(json.dumps(record, ensure_ascii=False))
        else:
            print(translation)


def export(config: Export) -> None:
    """Export the artifact again from a run's trained model, or a preset's from its own."""
    if config.preset and not config.out:
        card = translation_artifact.rewrite_preset(config.preset)
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.preset:
        model = _of_zoo("preset", config.preset)
        known = model.card.configuration
        task = translation_artifact.task_of(
            translation_artifact.test_of(model), known["beams"], known["alpha"], few=True
        )
        translation_artifact.write_files(model, config.out, task, config.overwrite)
        return
    run = open_run(config.run, RUNS)
    if config.out:
        flags = flags_of(run, Train)
        pairs, source = translation_data.load("test", flags)
        run.pin_data(source.as_dict())
        task = translation_artifact.task_of(pairs, flags.beams, flags.alpha, few=True)
        translation_artifact.write_files(_load(run), config.out, task, config.overwrite)
        return
    report.print_run("translation", run, _export(run, _load(run)))


def publish(config: Publish) -> None:
    """Copy the best run's artifact into the zoo, with every run's score in its card."""

    def write(run: RunFolder) -> None:
        _export(run, _load(run))

    to_zoo("translation", config.finished, config.preset, Train(), write)


def _loaded(config: Train) -> Seq2Seq:
    """Return the model of a run or a preset, to be trained further."""
    start = config.start
    if is_run(start, "from"):
        model = _load(RunFolder.open(Path(start)), "from")
    else:
        model = _of_zoo("from", start)
    if config.export and model.cell != "gru":
        raise ValueError(
            f"from must name a model with cell 'gru' to be exported; {start} has {model.cell!r}, "
            "which can be trained with --no-export."
        )
    return model


def _subwords(config: Train, training: Pairs) -> Subwords:
    from gru_zoo.text.subwords import Subwords
    from gru_zoo.training.sentence_pairs import LONGEST

    texts = [*training.source, *training.target]
    return Subwords.fit(texts, config.vocabulary_size, LONGEST)


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

    return build(units_for(build, config.parameters) if config.parameters else config.units)


def _compile(model: object, config: Train, steps_per_epoch: int) -> None:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, decay_steps=config.epochs * steps_per_epoch
    )
    model.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0))


def _translate(model: Seq2Seq, texts: Sequence[str], beams: int, alpha: float) -> list:
    from gru_zoo.decoding.translating import translate

    return [found[0] for found in translate(model, texts, beams=beams, alpha=alpha)]


def _load(run: RunFolder, flag: str = "run") -> Seq2Seq:
    from gru_zoo.models.seq2seq import Seq2Seq

    return models.of_run(run, Seq2Seq, flag)


def _of_zoo(flag: str, name: str) -> Seq2Seq:
    from gru_zoo.models.seq2seq import Seq2Seq

    return models.of_zoo(flag, name, Seq2Seq)


def _evaluate(run: RunFolder, model: Seq2Seq) -> None:
    """Read the test split; write `metrics.json`, `translations.txt`, `attention_*.png`."""
    config = flags_of(run, Train)
    figures = {}
    for split in ("validation", "test"):
        pairs, source = translation_data.load(split, config)
        run.pin_data(source.as_dict())
        found = _translate(model, pairs.source, config.beams, config.alpha)
        translations = [model.subwords.decode(one.ids) for one in found]
        figures[split], signature = bleu(translations, pairs.target)
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
    with atomic_write(run.path / "translations.txt") as partial:
        partial.write_text("".join(f"{text}\n" for text in translations), encoding="utf-8")
    for number in range(min(PICTURES, len(found))):
        path = run.path / f"attention_{number + 1}.png"
        attention_figure.draw(model, pairs.source[number], found[number].ids, path)


def _export(run: RunFolder, model: Seq2Seq) -> Card:
    """Write the run's artifact, checked on the whole test split."""
    config = flags_of(run, Train)
    test, source = translation_data.load("test", config)
    run.pin_data(source.as_dict())
    trained = [*before(run), command("translation", run, Train())]
    return translation_artifact.write_artifact(run, model, test, config, trained)


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "predict": (Predict, predict),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.translation", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
