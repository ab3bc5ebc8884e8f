"""Every TFLite file of the zoo gives on a phone's CPU what it gives here."""

import numpy as np
import pytest

from gru_zoo.export.checks.limits import LIMITS
from gru_zoo.zoo import card
from tests.arm import artifacts, emulator

needs_emulator = pytest.mark.skipif(bool(emulator.why_not()), reason=emulator.why_not() or "")
FILES = artifacts.files()
# Either of two runs may be as far from the exact answer as the limit says, and one that feeds its
# state back hands on what it rounded: float32 has come out 1.4e-5 apart after 40 steps.
ROUNDINGS = {"from_keras": 1, "from_x86": 2}
FED_BACK = 2


@pytest.fixture(scope="module")
def records():
    return artifacts.compare()


@pytest.mark.slow
@needs_emulator
@pytest.mark.parametrize("cpu", emulator.CPUS)
@pytest.mark.parametrize("model, variant, path", FILES, ids=lambda one: str(one).split("/")[-1])
def test_arm_equals_x86_and_keras(model, variant, path, cpu, records):
    mine = [r for r in records if (r["model"], r["variant"]) == (model, variant)]
    assert mine, f"{path} was not run"
    for record in mine:
        for kind, difference in record["cpus"][cpu].items():
            name = f"{record['signature']} {record['output']} {kind}"
            allowed = LIMITS[variant].difference * ROUNDINGS[kind]
            allowed *= FED_BACK if record["signature"] == "step" else 1
            assert difference <= allowed, name
    if card(model).task == "text-classification":  # whose goldens are the files' own outputs
        whole = [record for record in mine if record["signature"] != "step"]
        assert any("from_keras" in record["cpus"][cpu] for record in whole)


def test_a_wrong_number_is_a_difference():
    right = np.array([[0.5, 200.0]], np.float32)
    assert artifacts.difference(right, right) == 0
    assert artifacts.difference(right + np.float32([0.1, 0]), right) == pytest.approx(0.1)
    assert artifacts.difference(right + np.float32([0, 2]), right) == pytest.approx(0.01)
    assert artifacts.difference(right * np.nan, right) == np.inf


def test_the_reason_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("GRU_ZOO_AARCH64", str(tmp_path))
    monkeypatch.setattr(emulator.shutil, "which", lambda name: None)
    assert emulator.why_not() == "no qemu-aarch64: apt-get install qemu-user"
    monkeypatch.setattr(emulator.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert emulator.why_not() == f"nothing in {tmp_path}: python -m tests.arm --set-up"
    (tmp_path / "versions").write_text("{'numpy': '1.0'}")
    assert emulator.why_not().startswith("other versions")
    (tmp_path / "versions").write_text(repr(emulator.versions()))
    assert emulator.why_not() is None
