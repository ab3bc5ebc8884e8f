"""glibc malloc settings that keep freed memory in the process."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell the C library to reuse large blocks instead of giving them back, for good.

    A training step allocates its arrays anew. By default glibc asks the kernel for each large
    one and returns it after the step, and the kernel clears every page of it: where texts of many
    lengths follow each other that has taken a third of a training's processor time
    (benchmarks/NOTES.md). Results do not change. The process keeps the most memory that it ever
    needed; its peak is the same or lower.

    Returns:
        whether the C library has this (glibc; elsewhere nothing happens).

    Example:
        >>> keep_freed_memory() in (True, False)
        True
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _MOST))
