"""GRU Zoo: a fast, proven GRU for Keras, recipes around it, and pretrained models.

Names are imported when first used, so `import gru_zoo` does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

from gru_zoo import registered

_HOMES = {
    "GRU": "gru_zoo.layers.gru",
    "GRUCell": "gru_zoo.layers.gru",
    "StackedGRU": "gru_zoo.layers.stacked",
    "card": "gru_zoo.zoo",
    "list_models": "gru_zoo.zoo",
    "load": "gru_zoo.zoo",
    "push": "gru_zoo.zoo",
    "verify": "gru_zoo.zoo",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gru_zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*globals(), *__all__})


registered.announce()
