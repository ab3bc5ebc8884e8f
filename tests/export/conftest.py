"""One small classifier with every weight moved off its initial value, exported once."""

import contextlib
import resource

import keras
import numpy as np
import pytest

from gru_zoo.export.saved_model_folder import saved_model
from gru_zoo.export.tflite_file import tflite
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer

WORDS = (
    "a an and the this that it was is of in to film movie story actor plot scene music end "
    "good great fine quiet wonderful moving funny bright best loved bad poor dull awful boring "
    "worst hated never not no very too so but don't isn't I you we he she they 10 two first last"
).split()
# Those that need neither representative data nor an extra.
VARIANTS = ("float32", "float16", "int8", "mediapipe")
LABELS = ("negative", "mixed", "positive")

REVIEWS = [
    "",
    "A quiet, wonderful film.",
    "good",
    "I loved the music, but the plot isn't very good.<br /><br />The end was dull -- too dull.",
    "the worst movie of the 10 so bad so boring so awful so poor so long so very very long",
    "caf\u00e9 \u65e5\u672c\u8a9e \U0001f600 <PAD> <START> not in the vocabulary",
    "great " * 40,
    "never\tnever\nnever",
]


def random_reviews(count: int, seed: int = 5) -> list[str]:
    """Return texts of known and unknown words with punctuation, 0 to 30 words long."""
    random = np.random.default_rng(seed)
    pieces = [*WORDS, "zebra", "Quixotic", "'quoted'", "--", "<br />", "well-made", "7/10"]
    between = [" ", ", ", ". ", "! ", "  ", " (", ") "]
    return [
        "".join(random.choice(pieces) + random.choice(between) for _ in range(random.integers(31)))
        for _ in range(count)
    ]


def make_classifier(length: int = 12, seed: int = 3, **arguments) -> SequenceClassifier:
    """Return a classifier with random asymmetric weights and biases that are not zero."""
    keras.utils.set_random_seed(seed)
    tokenizer = WordTokenizer((*SPECIAL, *WORDS), length)
    model = SequenceClassifier(
        tokenizer, LABELS, **{"embedding_dim": 20, "units": 24, "dropout": 0.1, **arguments}
    )
    shake(model, seed)
    return model


def shake(model: SequenceClassifier, seed: int) -> None:
    """Move every weight, the biases too, by a random amount that is not zero on average."""
    random = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(weight.numpy() + random.normal(0.05, 0.3, weight.shape))


@pytest.fixture(scope="session")
def classifier() -> SequenceClassifier:
    """Return the model that `exported` holds."""
    return make_classifier()


@pytest.fixture(scope="session")
def exported(classifier, tmp_path_factory):
    """Return variant -> path of the small classifier in every format."""
    folder = tmp_path_factory.mktemp("exported")
    paths = {variant: folder / f"{variant}.tflite" for variant in VARIANTS}
    for variant, path in paths.items():
        tflite(classifier, path, variant)
    saved_model(classifier, folder / "saved_model")
    return {**paths, "saved_model": folder / "saved_model"}


@pytest.fixture
def full_disk():
    """Return a context in which no file can grow beyond 8,000 bytes: an error as on a full disk."""

    @contextlib.contextmanager
    def limited():
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited()
