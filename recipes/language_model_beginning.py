"""The model that a language model's training begins with, or that is averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gru_zoo.training.runs import RunFolder
from recipes.shared import models
from recipes.shared.publishing import is_run, pretrained

if TYPE_CHECKING:
    from gru_zoo.models.language_model import LanguageModel
    from recipes.language_model import Train

TOKENIZERS = {"imdb": "WordTokenizer", "tiny_shakespeare": "CharacterTokenizer"}


def known(config: Train) -> LanguageModel | None:
    """Return the model to start from or to average; raise if it does not fit the data set."""
    places = config.mean_of or [config.pretrained]
    if not places[0]:
        if config.grow:
            raise ValueError("grow requires pretrained, the model to grow; got none.")
        return None
    from gru_zoo.models.language_model import LanguageModel
    from gru_zoo.models.transfer import mean_of

    flag = "mean_of" if config.mean_of else "pretrained"
    found = [models.require_kind(flag, place, pretrained(place), LanguageModel) for place in places]
    kind = TOKENIZERS[config.dataset]
    for model, place in zip(found, places, strict=True):
        if type(model.tokenizer).__name__ != kind:
            raise ValueError(
                f"{flag} must have a {kind} for {config.dataset}; {place} has a "
                f"{type(model.tokenizer).__name__}."
            )
    _check_sizes(config, places[0], found[0])
    return mean_of(found)


def _check_sizes(config: Train, place: str, model: LanguageModel) -> None:
    """Raise ValueError if the flags ask for other sizes than those of the model in `place`."""
    sizes = {**model.get_config(), "vocabulary_size": model.tokens}
    # A corpus of few words gives fewer tokens than the run's own flag asked for.
    asked = RunFolder.open(place).config if is_run(place) else {}
    for name in ("vocabulary_size", "embedding_dim", "units"):
        given, has = getattr(config, name), sizes[name]
        if config.grow and given < has:
            raise ValueError(f"{name} must be at least {has} to grow {place}; got {given}.")
        if not config.grow and given not in (has, asked.get(name), getattr(type(config), name)):
            raise ValueError(f"{name} must be {has}, as in {place}, without --grow; got {given}.")
