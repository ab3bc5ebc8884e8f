"""The CPU's model name, recorded beside every latency."""

from __future__ import annotations

import platform


def processor() -> str:
    """Return the processor's model, or its architecture where the system does not name one.

    Example:
        >>> processor() != ""
        True
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line for line in file if line.startswith("model name")]
    except OSError:
        lines = []
    named = lines[0].split(":", 1)[1].strip() if lines else platform.processor()
    return named or platform.machine()
