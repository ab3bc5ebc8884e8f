"""An artifact written anew by a newer exporter keeps its model and its goldens."""

import dataclasses
import shutil

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from gru_zoo.artifacts.card import About
from gru_zoo.artifacts.classifier import classifier_goldens, classifier_parts
from gru_zoo.artifacts.folder import publish, publish_again
from gru_zoo.artifacts.scores import Score
from tests.export.conftest import LABELS, make_classifier, random_reviews


@pytest.mark.slow
def test_files_are_new_and_the_model_is_not(tmp_path):
    about = About(
        name="small",
        task="text-classification",
        language=["en"],
        summary="A test.",
        metric="accuracy",
        dataset="none/none",
        data={"name": "none", "version": "1", "licence": "none", "sha256": "0"},
        scored_on="texts made for a test",
        scores=[Score(0, 0.5, 0.5, 1, 1.0)],
        shipped_seed=0,
        commands=["none"],
    )
    texts = [text.encode() for text in random_reviews(40)]
    targets = np.arange(40) % len(LABELS)
    folder, model = tmp_path / "small", make_classifier()
    parts = classifier_parts(model, texts, targets)
    goldens = classifier_goldens(model, ["good", "bad"])
    before = publish(folder, about, model, **parts, goldens=goldens)
    kept = {name: (folder / name).read_bytes() for name in ("model.keras", "golden.npz")}
    shutil.rmtree(folder / "saved_model")
    after = publish_again(folder, model, **parts)
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert (folder / "saved_model" / "saved_model.pb").is_file()
    same = {"date": "", "versions": {}, "exports": [], "files": {}, "commit": ""}
    assert dataclasses.replace(after, **same) == dataclasses.replace(before, **same)
    signatures = Interpreter(str(folder / "model_int8.tflite")).get_signature_list()
    assert {"rnn_z", "rnn_r", "probabilities"} < set(signatures["step"]["outputs"])
    (folder / "model.keras").write_bytes(kept["model.keras"][:-1])
    with pytest.raises(ValueError, match="must hold the model its card speaks of"):
        publish_again(folder, model, **parts)
