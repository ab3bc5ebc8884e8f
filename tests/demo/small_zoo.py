"""A zoo of two small classifiers: one that can read word by word, one that reads both ways."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from gru_zoo import export
from gru_zoo.card import Card
from gru_zoo.files import sha256, write_json
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.scores import Score
from tests.export.conftest import LABELS, make_classifier

FORWARDS, BOTH_WAYS = "three_words_gru", "three_words_both_ways"


def make(folder: Path) -> dict[str, SequenceClassifier]:
    """Write the zoo; return its models by name."""
    models = {
        BOTH_WAYS: make_classifier(length=20, seed=8, bidirectional=True),
        FORWARDS: make_classifier(length=20),
    }
    for name, model in models.items():
        gates = {} if model.bidirectional else {"gates": True}
        for variant in ("float32", "int8"):
            export.tflite(model, folder / name / f"{variant}.tflite", variant, **gates)
        files = {path.name: path for path in (folder / name).glob("*.tflite")}
        card = Card(
            name=name,
            task="text-classification",
            summary=f"Answers with one of {', '.join(LABELS)}.",
            language=["en"],
            metric="accuracy",
            model={},
            configuration={"labels": list(LABELS)},
            dataset="none",
            data={},
            scored_on="nothing",
            scores=[Score(0, 0.5, 0.5, 1, 1.0)],
            shipped_seed=0,
            exports=[
                {"variant": path.stem, "file": file, "metric": 0.5}
                for file, path in sorted(files.items())
            ],
            commands=[],
            versions={},
            date="2026-01-01",
            files={
                file: {"sha256": sha256(path), "bytes": path.stat().st_size}
                for file, path in files.items()
            },
        )
        write_json(folder / name / "card.json", dataclasses.asdict(card))
    return models
