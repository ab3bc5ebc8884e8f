"""What another library's error says."""

from __future__ import annotations


def lines_of(error: BaseException) -> list[str]:
    """Return the lines of an error's message, or the name of its class where it has none.

    Example:
        >>> lines_of(ValueError("two\\nlines")), lines_of(KeyboardInterrupt())
        (['two', 'lines'], ['KeyboardInterrupt'])
    """
    return str(error).strip().splitlines() or [type(error).__name__]
