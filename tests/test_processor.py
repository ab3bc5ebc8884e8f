"""The processor's name tells generations apart that a virtual machine calls alike."""

import pytest

from gru_zoo import processor

X86 = """processor\t: 0
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC

processor\t: 1
cpu family\t: 99
model\t\t: 98
model name\t: other
"""
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n"


@pytest.mark.parametrize(
    ("text", "named"), [(X86, "AMD EPYC (family 26, model 2)"), (ARM, "machine"), (None, "machine")]
)
def test_name(monkeypatch, tmp_path, text, named):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(processor, "_CPUINFO", str(tmp_path / "cpuinfo"))
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    monkeypatch.setattr(processor.platform, "machine", lambda: "machine")
    assert processor.processor() == named
