"""Texts that UTF-8 cannot carry: they have half of a surrogate pair.

Python stands such halves for bytes of a command's argument that are not UTF-8 (PEP 383); JSON may
have them too.
"""

from __future__ import annotations

from typing import Any


def replaced(text: Any) -> Any:
    """Return a text with U+FFFD for each half of a pair, as a browser sends it; others as they are.

    Example:
        >>> replaced("Caf\\udce9") == "Caf\\ufffd"
        True
    """
    if not isinstance(text, str):
        return text
    # A pair in two parts is one character in UTF-16.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
