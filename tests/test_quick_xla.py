"""Quick tests alone compile without optimizations, and a user's own flags are kept."""

import os

from tests.plugins import quick_xla


def test_the_flags_are_those_of_quick_tests_only(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")  # remembers what was there
    monkeypatch.delenv("XLA_FLAGS")
    for markers in ("", "not gpu", "slow and not gpu"):
        quick_xla.use(markers)
        assert "XLA_FLAGS" not in os.environ
    quick_xla.use("not slow and not gpu")
    assert os.environ["XLA_FLAGS"] == quick_xla.FLAGS
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=true")
    quick_xla.use("not slow")
    assert os.environ["XLA_FLAGS"] == "--xla_cpu_use_fusion_emitters=true"
