"""The CPU's model name, recorded beside every latency."""

from __future__ import annotations

import platform
from pathlib import Path

_CPUINFO = "/proc/cpuinfo"


def processor() -> str:
    """Return the processor's model, or its architecture where the system does not name one.

    A virtual machine's name, such as "AMD EPYC", is that of several generations, whose speeds
    differ by more than two times; where the system tells its family and model, they follow.

    Example:
        >>> processor() != ""
        True
    """
    try:
        text = Path(_CPUINFO).read_text(encoding="utf-8")
    except OSError:
        text = ""
    # The first core's lines, up to an empty one.
    pairs = (line.partition(":") for line in text.split("\n\n", 1)[0].splitlines())
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    named = facts.get("model name") or platform.processor() or platform.machine()
    if {"cpu family", "model"} <= facts.keys():
        named += f" (family {facts['cpu family']}, model {facts['model']})"
    return named
