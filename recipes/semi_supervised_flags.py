"""The flags of `recipes.semi_supervised`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from gru_zoo.artifacts.variants import SHIPPED_OF_TEXTS
from recipes.shared.flags import PublishFlags, ReviewFlags

RUNS = Path("runs/semi_supervised")


@dataclasses.dataclass(frozen=True)
class Train(ReviewFlags):
    """Train a sentiment classifier with the help of unlabelled reviews; score it on validation."""

    runs: Path = RUNS
    """Folder of the runs."""

    # Data.
    backward: bool = False
    """Read each review from its end to its beginning, as the language model did."""

    # What it learns from besides the labels.
    pretrained: str = ""
    """Run of recipes.language_model or of this recipe whose words and weights it begins with, or
    a preset of the zoo, such as next_word_imdb_gru_small."""
    mean_of: tuple[str, ...] = ()
    """Runs of this recipe, or presets, the mean of whose weights it is; nothing is trained."""
    half: bool = False
    """Round the mean to float16 numbers, for a Keras file of half the size."""
    adversarial: float = 0.0
    """Length of the adversarial step in mean norms of a word vector; 0 takes none."""
    virtual_adversarial: float = 0.0
    """Length of the step that changes answers the most, of unlabelled reviews; 0 takes none. Both
    may go together (Sachan et al. 2019)."""
    temperature: float = 1.0
    """Of the answers that unlabelled reviews are to keep in virtual adversarial training; below 1
    sharpens them (Xie et al. 2020)."""
    unlabelled_per_labelled: int = 2
    """Reviews without labels for each one with a label in virtual adversarial training."""
    teachers: tuple[Path, ...] = ()
    """Runs of this recipe or of recipes.ngrams; their mean is the target of unlabelled reviews."""
    teachers_weight: float = 0.5
    """Share of the teachers in the targets of labelled reviews."""
    excerpts: int = 0
    """Excerpts of each review, 15 to 150 words of it, that it learns too: the teachers answer them,
    as their reviews' labels need not be theirs."""

    words: Path | None = None
    """Run whose word vectors it begins with: their principal components, as many as fit. Not beside
    --pretrained, which has its own."""

    # Text.
    vocabulary_size: int = 20_000
    """Words with an id of their own, unless pretrained."""
    sequence_length: int = 800
    """Words of a review that the model reads; the rest is cut off."""

    # Model.
    embedding_dim: int = 64
    """Size of a word vector, unless pretrained."""
    units: int = 128
    """Size of the recurrent state, unless pretrained."""
    bidirectional: bool = False
    """Read in both directions, so many units each, unless pretrained; it cannot stream then."""
    dropout: float = 0.5
    """Share of word vectors' and pooled features dropped in training."""

    # Training.
    word_dropout: float = 0.0
    """Hide rare words in training: one that stands so often in the training texts half of the time
    (Kiperwasser and Goldberg 2016); 0 hides none."""
    epochs: int = 2
    """Passes over the reviews; the learning rate falls to zero over them (half a cosine)."""
    stop_after: int = 0
    """End after so many passes, before the rate is zero; may change with --resume. 0: no sooner."""
    batch_size: int = 32
    """Labelled reviews of one training step."""
    learning_rate: float = 1e-3
    """Adam's, at the start."""
    ema_momentum: float = 0.0
    """Of the moving average of the weights, which is what is validated and kept; 0 keeps none."""
    opinions: bool = True
    """Say what the model thinks of every review, as a teacher must."""


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure accuracy on IMDB's test split, of one run or of the mean of several."""

    finished: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders of the runs; the one started or resumed last if none is given."""


@dataclasses.dataclass(frozen=True)
class Publish(PublishFlags):
    """Make a preset of the zoo: every format of the best run's model, checked, with its card."""

    preset: str
    """Name in the zoo."""
    compared: int = 0
    """Test reviews that every file is compared on, evenly spread; 0 takes all of them."""
    variants: tuple[Literal[SHIPPED_OF_TEXTS], ...] = SHIPPED_OF_TEXTS
    """Which files it has besides `model.keras`. MediaPipe's grows with the words that the model
    reads; float32 files and SavedModel with the weights, and a file may have 10 MB."""
    mediapipe_length: int = 0
    """Words that MediaPipe's file reads, for it pads every text to so many; 0: as the model."""
