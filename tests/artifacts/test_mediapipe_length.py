"""A MediaPipe file may read fewer words than its model, and is compared as it reads."""

import numpy as np
import pytest

from gru_zoo.artifacts.classifier import classifier_parts
from gru_zoo.export.checks.inspection import Refused, steps_of
from gru_zoo.export.mediapipe import resized
from recipes import semi_supervised
from tests.export.conftest import make_classifier, random_reviews, shake

TEXTS = [text.encode() for text in random_reviews(9)]
TARGETS = np.arange(9) % 2
NAME = "model_mediapipe.tflite"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A model of 12 steps, and its file of 5."""
    model, path = make_classifier(length=12), tmp_path_factory.mktemp("short") / NAME
    parts = classifier_parts(model, TEXTS, TARGETS, ["mediapipe"], mediapipe_length=5)
    parts["files"][NAME](path)
    return model, path


@pytest.mark.slow
def test_it_is_compared_with_the_model_of_its_length(written):
    model, path = written
    whole, short = (each.predict(TEXTS, verbose=0) for each in (model, resized(model, 5)))
    assert np.abs(whole - short).max() > 1e-3  # or the texts would not tell the lengths apart
    # Whoever compares it later, as `zoo verify` does, need not know how it was made.
    for options in ({"mediapipe_length": 5}, {}):
        record = classifier_parts(model, TEXTS, TARGETS, **options)["compare"](path, NAME)
        assert record["sequence_length"] == steps_of(path) == 5
        assert record["largest_difference"] < 1e-5
        assert record["model_metric"] == np.mean(short.argmax(axis=1) == TARGETS)


@pytest.mark.slow
def test_a_file_of_other_weights_or_none_is_refused(written, tmp_path):
    _, path = written
    other = make_classifier(length=12)
    shake(other, seed=8)
    compare = classifier_parts(other, TEXTS, TARGETS)["compare"]
    with pytest.raises(Refused, match="differ"):
        compare(path, NAME)
    broken = tmp_path / NAME
    broken.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(Refused):
        compare(broken, NAME)


def test_a_negative_length_is_refused_before_anything_is_read(capsys):
    command = ["publish", "none", "--preset", "none", "--mediapipe-length", "-5"]
    assert semi_supervised.main(command) == 2
    assert "mediapipe_length must be 0 or more; got -5" in capsys.readouterr().err
