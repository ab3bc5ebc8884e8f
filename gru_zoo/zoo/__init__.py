"""The zoo: pretrained models by name, checked before they are opened."""

from gru_zoo.zoo.hub import push
from gru_zoo.zoo.loading import load
from gru_zoo.zoo.registry import card, list_models, models_folder, own_models_folder, verify

__all__ = [
    "card",
    "list_models",
    "load",
    "models_folder",
    "own_models_folder",
    "push",
    "verify",
]
