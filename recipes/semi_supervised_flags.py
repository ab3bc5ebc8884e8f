"""The flags of `recipes.semi_supervised`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from gru_zoo.artifacts.file_names import SHIPPED_OF_TEXTS
from recipes.shared.flags import PublishFlags, ReviewFlags

RUNS = Path("runs/semi_supervised")


@dataclasses.dataclass(frozen=True)
class Train(ReviewFlags):
    """Train a sentiment classifier on labelled and unlabelled reviews; score it on validation."""

    runs: Path = RUNS
    """Parent folder of the run's own folder."""

    # Data.
    backward: bool = False
    """Read each review from its end; must match the pretrained model."""

    # What it learns from besides the labels.
    pretrained: str = ""
    """Initialise vocabulary and weights from this run of recipes.language_model or of this recipe,
    or from a preset such as next_word_imdb_gru_small."""
    mean_of: tuple[str, ...] = ()
    """Average the weights of these runs of this recipe or presets instead of training."""
    half: bool = False
    """Round the averaged weights to float16, which halves the Keras file."""
    adversarial: float = 0.0
    """Adversarial perturbation size, relative to the mean word-vector norm; 0 disables it."""
    virtual_adversarial: float = 0.0
    """Virtual adversarial perturbation size on unlabelled reviews, in the same unit; 0 disables it.
    Can be combined with --adversarial (Sachan et al. 2019)."""
    temperature: float = 1.0
    """Temperature of the target predictions in virtual adversarial training; below 1 sharpens them
    (Xie et al. 2020)."""
    unlabelled_per_labelled: int = 2
    """Unlabelled reviews per labelled review in virtual adversarial training."""
    teachers: tuple[Path, ...] = ()
    """Runs of this recipe, recipes.ngrams or recipes.transformer_teacher to distil from; unlabelled
    targets are their mean."""
    teachers_weight: float = 0.5
    """Weight of the teachers in the targets of labelled reviews, 0 to 1."""
    excerpts: int = 0
    """Excerpts of 15 to 150 words to add per review, labelled by the teachers; 0 adds none."""

    words: Path | None = None
    """Initialise the embeddings from the principal components of this run's word vectors; not with
    --pretrained, which has its own."""

    # Text.
    vocabulary_size: int = 20_000
    """Number of words in the vocabulary, unless pretrained."""
    sequence_length: int = 800
    """Maximum length in words; longer reviews are truncated."""

    # Model.
    embedding_dim: int = 64
    """Dimension of the word embeddings, unless pretrained."""
    units: int = 128
    """Hidden size of the GRU, unless pretrained."""
    bidirectional: bool = False
    """Use a bidirectional GRU, which cannot stream; not with --pretrained or --mean-of."""
    dropout: float = 0.5
    """Dropout rate of word embeddings and pooled features, 0 to below 1."""

    # Training.
    word_dropout: float = 0.0
    """Word dropout strength a: a word seen n times in training is replaced by <UNKNOWN> with
    probability a / (a + n) (Kiperwasser and Goldberg 2016); 0 disables it."""
    epochs: int = 2
    """Number of epochs; the learning rate decays to zero over them (cosine)."""
    stop_after: int = 0
    """Stop after this many epochs in total; may change with --resume. 0 trains to the end."""
    batch_size: int = 32
    """Batch size in labelled reviews."""
    learning_rate: float = 1e-3
    """Initial learning rate (Adam)."""
    ema_momentum: float = 0.0
    """Momentum of the weights' moving average, which is validated and saved; 0 disables it."""
    opinions: bool = True
    """Store the model's predictions for the reviews; a teacher needs them."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Evaluate one run, or an ensemble of several, on IMDB's test split."""

    finished: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of the runs; by default the most recent one."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Publish a preset to the zoo: every format of the best run's model, checked, with its card."""

    preset: str
    """Name of the preset in the zoo."""
    compared: int = 0
    """Number of test reviews, evenly spread, to check every file on; 0 uses all."""
    variants: tuple[Literal[SHIPPED_OF_TEXTS], ...] = SHIPPED_OF_TEXTS
    """Files to ship besides `model.keras`. The MediaPipe file grows with its length in words,
    float32 files and SavedModel with the weights; a file may have at most 10 MB."""
    mediapipe_length: int = 0
    """Fixed length in words of the MediaPipe file, which pads every text; 0 uses the model's."""
