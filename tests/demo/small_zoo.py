"""A zoo of two small classifiers, one word by word, one both ways; of a language model; or of
two translators."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gru_zoo import export
from gru_zoo.artifacts.card import Card
from gru_zoo.artifacts.scores import Score
from gru_zoo.files import sha256, write_json
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.tokenizers import SPECIAL, WordTokenizer
from tests.export.conftest import LABELS, make_classifier
from tests.small_data import small_captions

FORWARDS, BOTH_WAYS = "three_words_gru", "three_words_both_ways"
NEXT_WORDS = "next_words"
THERE, BACK = "captions_there", "captions_back"
VOCABULARY = (
    *SPECIAL,
    *"the film filming fine a was is it's good bad Paris end \u05e9\u05dc\u05d5\u05dd".split(),
)


def make(folder: Path) -> dict[str, SequenceClassifier]:
    """Write the zoo of classifiers; return its models by name."""
    models = {
        BOTH_WAYS: make_classifier(length=20, seed=8, bidirectional=True),
        FORWARDS: make_classifier(length=20),
    }
    for name, model in models.items():
        gates = {} if model.bidirectional else {"gates": True}
        about = {
            "task": "text-classification",
            "summary": f"Answers with one of {', '.join(LABELS)}.",
            "metric": "accuracy",
            "configuration": {"labels": list(LABELS)},
        }
        _write(folder / name, model, 0.5, about, **gates)
    return models


def make_language_model(folder: Path) -> LanguageModel:
    """Write the zoo of one language model; return the model."""
    keras.utils.set_random_seed(5)
    model = LanguageModel(WordTokenizer(VOCABULARY, 400, fold_case=True), 6, 7)
    random = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.7, weight.shape))
    about = {
        "task": "text-generation",
        "summary": "Says which word may come next.",
        "metric": "perplexity",
        "configuration": {},
    }
    _write(folder / NEXT_WORDS, model, 7.25, about)
    return model


def make_translators(folder: Path) -> None:
    """Write the zoo of two translators, of captions there and back."""
    from gru_zoo.export import translator
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.text.subwords import Subwords

    pairs = small_captions.pairs("train")
    subwords = Subwords.fit([*pairs.source, *pairs.target], size=90, longest=20)
    for seed, name, language in ((1, THERE, ["de", "en"]), (2, BACK, ["en", "de"])):
        keras.utils.set_random_seed(seed)
        # The sizes of two states, and of keys, are alike in a file: they are told apart.
        model = Seq2Seq(subwords, dim=8, units=12, heads=2)
        for weight in model.weights:
            weight.assign(3 * weight)
        for variant in ("float32", "int8"):
            translator.encoder_file(model, folder / name / f"encoder_{variant}.tflite", variant)
            translator.decoder_file(model, folder / name / f"decoder_{variant}.tflite", variant)
        about = {
            "task": "translation",
            "summary": f"Translates {' to '.join(language)}.",
            "metric": "bleu",
            "configuration": {"beams": 3, "alpha": 0.5},
            "language": language,
        }
        _write_card(folder / name, model, 2.5, about)


def _write(
    folder: Path, model: keras.Model, score: float, about: dict[str, Any], **options: Any
) -> None:
    """Write a model's files and its card."""
    for variant in ("float32", "int8"):
        export.tflite(model, folder / f"{variant}.tflite", variant, **options)
    _write_card(folder, model, score, {"language": ["en"], **about})


def _write_card(folder: Path, model: keras.Model, score: float, about: dict[str, Any]) -> None:
    files = {path.name: path for path in folder.glob("*.tflite")}
    card = Card(
        name=folder.name,
        model={"class": type(model).__name__, "parameters": model.count_params()},
        dataset="none",
        data={"name": "none", "version": "1", "licence": "none"},
        scored_on="nothing",
        scores=[Score(0, 0.5, 0.5, 1, 1.0)],
        shipped_seed=0,
        exports=[
            {
                "variant": path.stem.rpartition("_")[2],
                "file": file,
                "metric": score,
                "bytes": path.stat().st_size,
                "largest_difference": 0.0,
            }
            for file, path in sorted(files.items())
        ],
        commands=[],
        versions={},
        date="2026-01-01",
        files={
            file: {"sha256": sha256(path), "bytes": path.stat().st_size}
            for file, path in files.items()
        },
        **about,
    )
    write_json(folder / "card.json", dataclasses.asdict(card))
