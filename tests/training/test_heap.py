"""Freed memory is used again without the kernel."""

import ctypes
import subprocess
import sys

import pytest

from gru_zoo.training import heap

# 40 MB: above what glibc keeps by itself, however often it is freed.
CHILD = """
import ctypes, resource, sys
from gru_zoo.training.heap import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
c.memset.argtypes, c.free.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], [
    ctypes.c_void_p
]
def use():
    block = c.malloc(40_000_000)
    c.memset(block, 1, 40_000_000)
    c.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    command = [sys.executable, "-c", CHILD, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_the_kernel_is_asked_once():
    assert faults("keep") < 100 < 5_000 < faults("default")


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: object())
    assert heap.keep_freed_memory() is False
