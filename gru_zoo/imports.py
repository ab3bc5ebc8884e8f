"""Import hooks: optional heavy packages hidden, missing extras reported."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

Execute = Callable[[ModuleType], None]

# Keras imports matplotlib and scikit-learn where they are installed, TensorFlow Lite JAX: for
# plots, wrappers and conversions that no command of ours uses, and half of the time to import
# TensorFlow where all three are there.
_OPTIONAL = ("jax", "matplotlib", "sklearn")
# Extra of this package -> what is imported of it.
_EXTRAS = {"onnx": ("onnx", "onnxruntime"), "int4": ("ai_edge_quantizer",)}


def when_imported(name: str, wrap: Callable[[Execute], Execute]) -> None:
    """Have a package run by `wrap(what runs it)` when it is imported for the first time.

    One that is imported already is not run again.

    Args:
        name: of the package.
        wrap: takes and returns a function that runs the package's module.

    Example:
        >>> def greeting(execute):
        ...     def execute_and_greet(module):
        ...         execute(module)
        ...         print(f"{module.__name__} is here")
        ...     return execute_and_greet
        >>> when_imported("__hello__", greeting)
        >>> import __hello__
        __hello__ is here
    """
    sys.meta_path.insert(0, _Waiting(name, wrap))


def import_without_optional() -> None:
    """Hide from TensorFlow and Keras what they only import because it is there.

    They are hidden while TensorFlow or Keras is imported, and no longer; whoever needs matplotlib
    imports it as ever. For commands: in a program of somebody else's, Keras' plots may be wanted.

    Example:
        >>> import_without_optional()
    """
    for name in {"tensorflow", "keras"}.difference(sys.modules):
        when_imported(name, _alone)


def require_extra(extra: str, what: str) -> None:
    """Raise ImportError unless the packages of an extra are installed; none is imported.

    Args:
        extra: "onnx" or "int4".
        what: needs them, for the message.

    Example:
        >>> import unittest.mock
        >>> with unittest.mock.patch.dict("sys.modules", onnx=None):  # as if it were not there
        ...     require_extra("onnx", "export.onnx")
        Traceback (most recent call last):
        ImportError: export.onnx needs onnx: pip install "gru-zoo[onnx]".
    """
    for package in _EXTRAS[extra]:
        if importlib.util.find_spec(package) is None:
            raise ImportError(f'{what} needs {package}: pip install "gru-zoo[{extra}]".')


@contextlib.contextmanager
def hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Let importing these packages fail, as if they were not installed; not those imported already.

    Example:
        >>> with hidden(("antigravity",)):
        ...     importlib.util.find_spec("antigravity") is None
        True
    """
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            if sys.modules.get(name, "imported") is None:
                del sys.modules[name]


def _alone(execute: Execute) -> Execute:
    def execute_alone(module: ModuleType) -> None:
        backend = _backend()
        with hidden(tuple(name for name in _OPTIONAL if name != backend)):
            execute(module)

    return execute_alone


def _backend() -> str | None:
    """Return the backend that Keras will take, as it finds it; None where none is named."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    home = os.path.expanduser("~")
    home = home if os.access(home, os.W_OK) else "/tmp"
    folder = os.path.expanduser(os.environ.get("KERAS_HOME", f"{home}/.keras"))
    try:
        return json.loads(Path(folder, "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        return None


class _Waiting(importlib.abc.MetaPathFinder):
    """Waits until a package is run for the first time, then is gone."""

    def __init__(self, name: str, wrap: Callable[[Execute], Execute]) -> None:
        self.name, self.wrap = name, wrap

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.name:
            return None
        sys.meta_path.remove(self)  # The others are asked.
        try:
            spec = importlib.util.find_spec(name)
        finally:
            # Whoever looks need not import: TensorFlow asks whether there is a Keras.
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = self._then_gone(self.wrap(spec.loader.exec_module))
        return spec

    def _then_gone(self, execute: Execute) -> Execute:
        def execute_once(module: ModuleType) -> None:
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            execute(module)

        return execute_once
