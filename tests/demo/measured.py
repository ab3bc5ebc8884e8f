"""What the pages' own modules answer on whole test splits, tokenizer and search included."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np

from gru_zoo import list_models, load
from gru_zoo.data import imdb
from gru_zoo.zoo import card
from recipes import translation_artifact
from tests.demo.chromium import Chromium

CLASSIFIER = "sentiment_imdb_gru_small"
PIECE = 500  # texts handed over at once

OPEN_CLASSIFIER = """(async () => {{
    const {{ Classifier }} = await import("./src/classifier.js");
    const presets = await (await fetch("models/presets.json")).json();
    const {{ files }} = presets.find(({{ name }}) => name === "{name}");
    const file = files.find(({{ variant }}) => variant === "{variant}");
    window.opened?.delete();
    window.opened = await Classifier.open(file, new URL("models/", location.href));
}})()"""
CLASSIFY = """(async () => {{
    const rows = [];
    for (const text of {texts}) {{
        const {{ ids }} = window.opened.tokenizer.encode(text);
        const {{ probabilities, milliseconds }} = await window.opened.classify(ids);
        rows.push([milliseconds, ...probabilities]);
    }}
    return rows;
}})()"""
OPEN_TRANSLATOR = """(async () => {{
    const {{ Translator }} = await import("./src/translator.js");
    const presets = await (await fetch("models/translators.json")).json();
    const preset = presets.find(({{ name }}) => name === "{name}");
    const file = preset.files.find(({{ variant }}) => variant === "{variant}");
    window.opened = await Translator.open(file, preset, new URL("models/", location.href));
}})()"""
TRANSLATE = """(async () => {{
    const rows = [];
    for (const text of {texts}) {{
        const start = performance.now();
        const {{ texts }} = await window.opened.translate(text, () => true);
        rows.push([performance.now() - start, texts[0]]);
    }}
    return rows;
}})()"""


def classifier_records(browser: Chromium) -> Iterator[dict[str, Any]]:
    """Yield a record for each file of the classifier, on IMDB's test half."""
    test = list(imdb.load("test", "tfds")[0].as_numpy_iterator())
    texts = [row["text"].decode(errors="replace") for row in test]
    labels = np.array([row["label"] for row in test])
    wanted = load(CLASSIFIER).predict(texts, batch_size=256, verbose=0)
    for variant in _variants(browser, "presets.json", CLASSIFIER):
        browser.evaluate(OPEN_CLASSIFIER.format(name=CLASSIFIER, variant=variant))
        rows = np.array(_asked(browser, CLASSIFY, texts, f"{CLASSIFIER}, {variant}"))
        yield {
            "model": CLASSIFIER,
            "variant": variant,
            "texts": len(texts),
            "from_keras": float(np.abs(rows[:, 1:] - wanted).max()),
            "score": float((rows[:, 1:].argmax(axis=1) == labels).mean()),
            "ms": statistics.median(rows[:, 0]),
        }


def translator_records(browser: Chromium) -> Iterator[dict[str, Any]]:
    """Yield a record for both files of a variant of each translator, on its test split."""
    from gru_zoo.decoding.translating import translations

    for name in (name for name in list_models() if card(name).task == "translation"):
        model = load(name)
        known = model.card.configuration
        pairs = translation_artifact.test_of(model)
        search = {"beams": known["beams"], "alpha": known["alpha"]}
        wanted = translations(model, pairs.source, **search)
        for variant in _variants(browser, "translators.json", name):
            browser.evaluate(OPEN_TRANSLATOR.format(name=name, variant=variant))
            rows = _asked(browser, TRANSLATE, pairs.source, f"{name}, {variant}")
            given = [text for _, text in rows]
            same = [one == other for one, other in zip(given, wanted, strict=True)]
            yield {
                "model": name,
                "variant": variant,
                "texts": len(given),
                "same_as_keras": statistics.mean(same),
                "score": translation_artifact.bleu(given, pairs.target)[0],
                "ms": statistics.median(milliseconds for milliseconds, _ in rows),
            }


def _variants(browser: Chromium, models: str, name: str) -> list[str]:
    """Return the variants that a page offers of a model."""
    presets = browser.evaluate(f"fetch('models/{models}').then((answer) => answer.json())")
    (files,) = (preset["files"] for preset in presets if preset["name"] == name)
    return [file["variant"] for file in files]


def _asked(browser: Chromium, script: str, texts: list[str], what: str) -> list[Any]:
    rows: list[Any] = []
    for start in range(0, len(texts), PIECE):
        rows += browser.evaluate(script.format(texts=json.dumps(texts[start : start + PIECE])))
        print(f"\r{what}: {len(rows):,} of {len(texts):,}", end="", flush=True)
    print()
    return rows
