"""A user's texts, one per line, from a file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path


def read_lines(file: Path | None, strict: bool = False) -> list[str]:
    """Return the lines of a file, or of standard input, without their ends.

    A line ends with a newline, with or without a carriage return before it, and with nothing else:
    a text may hold a form feed or one of Unicode's separators. An empty line is an empty text, and
    a byte order mark is none of the text.

    Args:
        file: UTF-8; None reads standard input.
        strict: reject what is not UTF-8, instead of reading U+FFFD for it as a model does.

    Raises:
        ValueError: a line is not UTF-8, and `strict`; the message names it.

    Example:
        >>> _ = Path("lines.txt").write_bytes(b"one\\r\\n\\ntwo")
        >>> read_lines(Path("lines.txt"))
        ['one', '', 'two']
    """
    content = file.read_bytes() if file else _standard_input()
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    texts = []
    for number, line in enumerate(lines, 1):
        try:
            texts.append(line.removesuffix(b"\r").decode(errors="strict" if strict else "replace"))
        except UnicodeDecodeError as error:
            place = file or "standard input"
            raise ValueError(f"{place}, line {number}: must be UTF-8 text: {error}.") from error
    return texts


def _standard_input() -> bytes:
    # A test's or a notebook's has text only.
    buffer = getattr(sys.stdin, "buffer", None)
    return buffer.read() if buffer else sys.stdin.read().encode()
