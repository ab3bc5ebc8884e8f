"""Every cell of what is measured about a sentiment model, against sums done by hand."""

import types

import numpy as np
import pytest

from gru_zoo.evaluation import robustness
from gru_zoo.evaluation.robustness import Texts, measured_sections
from gru_zoo.evaluation.robustness_samples import KINDS, UNUSUAL

MODEL = types.SimpleNamespace(
    labels=("negative", "positive"), tokenizer=types.SimpleNamespace(sequence_length=30)
)


def of(name, words, labels):
    """Return texts of so many words, each different, with their labels."""
    texts = [" ".join([f"{name}{number}"] * count) for number, count in enumerate(words)]
    return Texts(name, texts, np.array(labels))


# All answers have the probability 0.9, whose odds are 9. Three of four of them are right in the
# validation data: those of the odds 3 fit best, so that T = log 9 / log 3 = 2.
VALIDATION = of("held", [1] * 4, [1, 1, 1, 0])
TEST = of("test", [3, 50, 51, 801], [1, 0, 1, 0])
OTHER = of("other", [1] * 5, [1, 1, 1, 0, 0])
POSITIVE = {text: 0.9 for text in (*VALIDATION.texts, *TEST.texts)}
POSITIVE |= dict(zip(OTHER.texts, (0.9, 0.9, 0.1, 0.1, 0.9), strict=True))


@pytest.fixture
def sections(monkeypatch):
    """The sections by title."""

    def probabilities(model, texts):
        found = np.array([POSITIVE.get(text, 0.8) for text in texts])
        return np.stack([1 - found, found], axis=1).astype(np.float32)

    monkeypatch.setattr(robustness, "probabilities", probabilities)
    found = measured_sections(MODEL, VALIDATION, TEST, [OTHER])
    return {section.title: section for section in found}


def test_calibration(sections):
    section = sections["Calibration"]
    scaled = "temperature-scaled, T = 2.00"
    # Two of the test's four answers are right, three of the others' five.
    log = np.log
    nll = [
        -(share * log(chance) + (1 - share) * log(1 - chance))
        for share in (0.5, 0.6)
        for chance in (0.9, 0.75)
    ]
    assert section.rows == [
        ["test", "uncalibrated", "40.0 %", f"{nll[0]:.3f}"],
        ["test", scaled, "25.0 %", f"{nll[1]:.3f}"],
        ["other", "uncalibrated", "30.0 %", f"{nll[2]:.3f}"],
        ["other", scaled, "15.0 %", f"{nll[3]:.3f}"],
    ]
    assert len({row[3] for row in section.rows}) == 4
    assert "fitted on held" in section.text


def test_accuracy_by_length_and_recalls(sections):
    assert sections["Accuracy by length"].rows == [
        ["0 to 50", 2, "50.00 %"],
        ["51 to 100", 1, "100.00 %"],
        ["more than 800", 1, "0.00 %"],
    ]
    section = sections[robustness.OUTSIDE]
    assert section.columns[-2:] == ["recall, positive", "recall, negative"]
    # Two of three positive texts are found, one of two negative ones.
    assert section.rows == [["other", 5, "60.00 %", "66.67 %", "50.00 %"]]


def test_samples_and_unusual_input(sections):
    expected = [
        [name, f"{sum(label for _, label in samples)} of {len(samples)}", "80 %"]
        for name, samples in KINDS.items()
    ]
    assert sections[robustness.SAMPLES].rows == expected
    assert sections["Unusual input"].rows == [[name, "positive", "80 %"] for name in UNUSUAL]
