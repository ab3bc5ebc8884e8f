"""Language modelling: the next word of a film review, or the next character of a play.

Task:     predict the next token: a probability for every token of the vocabulary.
Data:     IMDB's 50,000 unlabelled reviews and its 22,500 training reviews without their labels
          (Maas et al. 2011). They overlap with 29 of the 2,500 validation reviews and 377 of the
          25,000 test reviews, whose texts IMDB has among them too. Or Tiny Shakespeare, a million
          characters (Karpathy 2015).
Model:    embeddings, one causal GRU, softmax with tied embeddings.
Command:  python -m recipes.language_model
          python -m recipes.language_model train --dataset tiny_shakespeare --embedding-dim 64
              --units 256 --dropout 0.2 --epochs 15 --parts 1
Papers:   pretraining raises an LSTM's accuracy on IMDB from 86.5 to 92.8 % (Dai and Le 2015); a
          3-million-parameter GRU has 1.37 bits a character on Penn Treebank (Bai et al. 2018).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Literal

import tyro

from gru_zoo.arguments import TooFew
from gru_zoo.artifacts.file_names import SHIPPED
from gru_zoo.training.runs import RunFolder
from recipes import language_model_beginning as beginning
from recipes.shared import averaging, cli, models, origins, reviews
from recipes.shared.flags import ExportFlags, OneRun, PublishFlags, ReviewFlags
from recipes.shared.presets import folder_to_publish
from recipes.shared.publishing import (
    alike,
    before,
    command,
    open_run,
    require_forward,
    require_same_task,
    require_seen,
    together,
)
from recipes.shared.starting import check_flags, flags_of, start_run

if TYPE_CHECKING:
    import numpy as np

    from gru_zoo.models.language_model import LanguageModel
    from gru_zoo.training.batching import StreamBatches

RUNS = Path("runs/language_model")
PRESET = "next_word_imdb_gru_small"


@dataclasses.dataclass(frozen=True)
class Train(ReviewFlags):
    """Train a language model and evaluate it on the validation split."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    dataset: Literal["imdb", "tiny_shakespeare"] = "imdb"
    """Words of film reviews, or characters of Shakespeare's plays."""
    limit: int = 0
    """Use only this many reviews (or characters) of each split, for a smoke test; 0 uses all."""
    backward: bool = False
    """Train a backward model, which reads each text from its end."""

    pretrained: str = ""
    """Initialise from this run or preset, of either direction: vocabulary, sizes and weights."""
    grow: bool = False
    """Grow the pretrained model to this run's vocabulary, embeddings and units (Net2Net)."""
    mean_of: tuple[str, ...] = ()
    """Average the weights of these runs of this recipe or presets instead of training."""
    half: bool = False
    """Round the averaged weights to float16, which halves the Keras file."""

    # Text.
    vocabulary_size: int = 18_000
    """Number of words in the (lower-cased) vocabulary; characters are all included."""

    # Model.
    embedding_dim: int = 96
    """Dimension of the token embeddings."""
    units: int = 384
    """Hidden size of the GRU."""
    dropout: float = 0.1
    """Dropout rate of embeddings and output features, 0 to below 1."""

    # Training.
    epochs: int = 2
    """Number of epochs; the learning rate decays to zero over them (cosine)."""
    parts: int = 10
    """Checkpoints and validations per epoch."""
    stop_after: int = 0
    """Stop after this many parts in total; may change with --resume. 0 trains to the end."""
    streams: int = 32
    """Parallel streams (the batch size)."""
    steps: int = 64
    """Truncated-BPTT length in tokens."""
    sampled: int = 2000
    """Size of the sampled softmax in tokens, half of them the most frequent; 0 uses the full
    softmax, as does a smaller vocabulary."""
    learning_rate: float = 3e-3
    """Initial learning rate (Adam)."""


@dataclasses.dataclass(frozen=True)
class Evaluate(OneRun):
    """Evaluate a trained model on the test split of its data set."""


@dataclasses.dataclass(frozen=True)
class Generate:
    """Continue a text, token by token."""

    text: tyro.conf.Positional[str] = "A film about"
    """Prompt to continue."""
    run: Path | None = None
    """Folder of a finished run to use instead of a zoo model."""
    model: str = PRESET
    """Name of a pretrained model in the zoo."""
    tflite: Path | None = None
    """TFLite file to generate with, via its step signature, instead of a Keras model."""
    temperature: float = 0.8
    """Sampling temperature; 0 always picks the most probable token."""
    top_p: float = 0.9
    """Nucleus sampling: keep the most probable tokens up to this total probability, in (0, 1]."""
    length: int = 60
    """Maximum number of tokens to generate; a review may end earlier."""
    seed: int = 0
    """Random seed for sampling."""


@dataclasses.dataclass(frozen=True)
class Export(ExportFlags):
    """Export a trained model as TFLite files and SavedModel, each checked against it."""

    out: Path | None = None
    """Output folder; by default `files` in the run."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo from finished runs that differ only in their seed."""

    preset: str = PRESET
    """Name of the preset in the zoo."""
    variants: tuple[Literal[SHIPPED], ...] = SHIPPED
    """Files to ship besides `model.keras`."""


def train(config: Train) -> None:
    """Train, and save the best weights in `model.keras`."""
    check_flags(config)
    whole = config.epochs * config.parts
    if config.stop_after > whole:
        raise ValueError(
            f"stop_after must be 0 to {whole}, the number of parts; got {config.stop_after}."
        )
    averaging.check(config)
    known = beginning.known(config)
    with start_run(config) as run:
        _train(config, run, known)


def _train(config: Train, run: RunFolder, known: LanguageModel | None) -> None:
    from gru_zoo.models.keras_file import save_keras_file
    from gru_zoo.training.fitting import seed_everything
    from gru_zoo.training.truncated import score_stream
    from recipes import language_model_text as text

    seed_everything(config.seed)
    config = reviews.as_read(config, run)
    texts, source = text.learnt(config)
    run.pin_data(source.as_dict())
    require_seen([config.pretrained, *config.mean_of], source)
    origins.pin(run, [config.pretrained, *config.mean_of])
    model = _beginning(config, texts, known)
    held_out = text.streams(model.tokenizer, text.read("validation", config)[0][:500], config, 25)

    def validate() -> dict[str, float]:
        return text.figures(score_stream(model, held_out), config)

    if config.mean_of:
        averaging.finish(run, config, model, validate)
    else:
        batches = text.streams(model.tokenizer, texts, config, config.streams)
        _fit(config, run, model, batches, validate)
    save_keras_file(model, run.path / "model.keras")
    _evaluate(run, "validation")


def _fit(
    config: Train,
    run: RunFolder,
    model: LanguageModel,
    batches: StreamBatches,
    validate: Callable[[], dict[str, float]],
) -> None:
    """Train a model on streams."""
    import keras

    from gru_zoo.training.fitting import fit
    from gru_zoo.training.truncated import TruncatedTraining

    print(f"{len(batches.texts):,} texts, {len(batches.tokens):,} tokens")
    sampled = config.sampled if config.sampled < model.tokens else 0
    if len(batches) < config.parts:
        raise TooFew(
            f"parts must be at most {len(batches)}, the batches per epoch; got {config.parts}."
        )
    training = TruncatedTraining(model, config.streams, sampled)
    part, parts = len(batches) // config.parts, config.epochs * config.parts
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, decay_steps=parts * part)
    training.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0))
    fit(
        training,
        train=lambda first, parts: batches.dataset(first, parts, config.parts),
        steps_per_epoch=part,
        validate=validate,
        run=run,
        epochs=config.stop_after or parts,
        patience=parts,
        monitor="loss",
    )


def _beginning(config: Train, texts: np.ndarray, known: LanguageModel | None) -> LanguageModel:
    """Return a new model, with another one's tokens and weights if `known` is given."""
    from gru_zoo.models.growth import grow_from
    from gru_zoo.models.language_model import LanguageModel
    from recipes import language_model_text as text

    if known is None or config.grow:
        tokenizer = text.fitted(texts, config)
        model = LanguageModel(tokenizer, config.embedding_dim, config.units, config.dropout)
        if config.grow:
            grow_from(model, known, text.frequencies(tokenizer, texts, config))
        return model
    model = LanguageModel(known.tokenizer, known.embedding_dim, known.units, config.dropout)
    model.set_weights(known.get_weights())
    return model


def evaluate(config: Evaluate) -> None:
    """Evaluate on the test split."""
    _evaluate(open_run(config.run, RUNS), "test")


def _evaluate(run: RunFolder, split: str) -> None:
    """Score a whole split and write `metrics.json`."""
    from gru_zoo.training.truncated import score_stream
    from recipes import language_model_text as text

    model, config = _model(run), reviews.as_read(flags_of(run, Train), run)
    texts, source = text.read(split, config)
    run.pin_data(source.as_dict())
    batches = text.streams(model.tokenizer, texts, config, text.READERS[config.dataset])
    scores = text.figures(score_stream(model, batches), config)
    name = text.METRIC[config.dataset]
    known = run.metrics() if (run.path / "metrics.json").exists() else {}
    if not {split, *known} >= {"validation"}:  # It was cut off before.
        _evaluate(run, "validation")
        known = run.metrics()
    seconds = sum(row["seconds"] for row in run.history)
    # History has a row for each part; an average's one row has the epochs of its parts.
    epochs = run.history[-1]["epoch"] / (1 if config.mean_of else config.parts)
    run.write_metrics(
        {
            **known,
            split: {**scores, "texts": len(texts)},
            "metric": {"name": name, "value": scores[name], "split": split},
            f"validation_{name}": {**known, split: scores}["validation"][name],
            "parameters": model.count_params(),
            "epochs": int(epochs) if epochs.is_integer() else epochs,
            "train_seconds": seconds,
            "seconds_per_epoch": seconds / epochs if epochs else 0.0,
            "data": source.as_dict(),
        }
    )
    shown = name.replace("_", " ")
    print(f"{split}: {shown} {scores[name]:.3f}, accuracy {scores['accuracy']:.4f}")


def _model(run: RunFolder) -> LanguageModel:
    """Return the model that a run has trained."""
    from gru_zoo.models.language_model import LanguageModel

    return models.of_run(run, LanguageModel)


def _of_zoo(flag: str, name: str) -> LanguageModel:
    from gru_zoo.models.language_model import LanguageModel

    return models.of_zoo(flag, name, LanguageModel)


def generate(config: Generate) -> None:
    """Print the prompt and its continuation, each token as soon as it is sampled."""
    from recipes import language_model_writing as writing

    writing.check(config)
    if config.tflite is not None:
        if config.run is not None:
            raise ValueError(f"run must not be used with tflite; got {config.run}.")
        tokenizer, read = writing.lite_reader(config.tflite)
    elif config.run is not None:
        run = require_forward(RunFolder.open(config.run))
        tokenizer, read = writing.keras_reader(_model(run))
    else:
        tokenizer, read = writing.keras_reader(_of_zoo("model", config.model))
    for part in writing.continued(tokenizer, read, config):
        print(part, end="", flush=True)
    print()


def export(config: Export) -> None:
    """Export the files of a run's model, or a preset's again."""
    from recipes import language_model_artifact as artifact

    if config.preset and not config.out:
        card = artifact.rewrite_preset(config.preset)
        print(f"exported {card.name} again: {len(card.exports)} files")
        return
    if config.preset:
        model, own = _of_zoo("preset", config.preset), None
    else:
        run = require_forward(open_run(config.run, RUNS))
        model, own = _model(run), run.path / "files"
    # What is in the run's own folder is written again.
    artifact.write_files(model, config.out or own, config.overwrite or not config.out)


def publish(config: Publish) -> None:
    """Score runs that have not read the test split; write the best one's artifact into the zoo."""
    from gru_zoo.artifacts.folder import republish
    from recipes.language_model_artifact import kind_of, write_artifact

    folder = folder_to_publish(config.preset)
    runs = alike(config.finished, Train(), config.preset)
    for run in runs:
        require_forward(run, "finished")
    # The test split is not read for what is then rejected.
    dataset = flags_of(runs[0], Train).dataset
    require_same_task(config.preset, SimpleNamespace(data=runs[0].data(), **kind_of(dataset)))
    for run in runs:
        if run.metrics()["metric"]["split"] != "test":
            _evaluate(run, "test")
    found = together("language_model", config.finished, Train(), config.preset)
    flags = reviews.as_read(flags_of(found.best, Train), found.best)
    trained = command("language_model", found.best, Train())
    card = write_artifact(found.best, _model(found.best), flags, trained, config.variants)
    if config.variants != Publish.variants:
        found.commands[-1] += f" --variants {' '.join(config.variants)}"
    commands = [*before(found.best), *found.commands]
    card = dataclasses.replace(card, name=config.preset, scores=found.scores, commands=commands)
    republish(found.best.path / "artifact", folder, card)
    print(f"published {config.preset}: {card.spread()} on {card.scored_on}")


COMMANDS = {
    "train": (Train, train),
    "evaluate": (Evaluate, evaluate),
    "generate": (Generate, generate),
    "export": (Export, export),
    "publish": (Publish, publish),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name and return the exit status."""
    return cli.run("python -m recipes.language_model", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
