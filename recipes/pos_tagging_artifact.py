"""A tagger's artifact and card, its device files alone, and a preset's rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gru_zoo.imports import require_extra
from gru_zoo.text.words import treebank_words
from recipes import pos_tagging_report
from recipes.shared import models
from recipes.shared.device_files import write_scored
from recipes.shared.golden_texts import GOLDEN_TEXTS
from recipes.shared.presets import folder_to_rewrite
from recipes.shared.publishing import require_same_data, score_of

if TYPE_CHECKING:
    from gru_zoo.artifacts.card import Card
    from gru_zoo.data.universal_dependencies import Sentence
    from gru_zoo.models.tagger import Tagger
    from gru_zoo.training.runs import RunFolder


def write_artifact(run: RunFolder, model: Tagger, test: Sequence[Sentence], command: str) -> Card:
    """Write `artifact/` into a run: every format, compared on the test split, with its card.

    Args:
        run: finished and evaluated.
        model: what it trained.
        test: what every file is compared and scored on.
        command: that trained it.

    Raises:
        ValueError: the model's cell has no such files.
        export.Refused: a file does not do what the model does.
    """
    from gru_zoo.artifacts.card import About
    from gru_zoo.artifacts.folder import publish
    from gru_zoo.artifacts.tagger import tagger_goldens
    from gru_zoo.models.tagger import LENGTHS

    metrics = run.metrics()
    about = About(
        name=run.path.name,
        metric="accuracy",
        data=metrics["data"],
        scored_on=metrics["scored_on"],
        scores=[score_of(run)],
        shipped_seed=run.config["seed"],
        commands=[command],
        **pos_tagging_report.card_fields(model, run),
    )
    goldens = [treebank_words(text) for text in GOLDEN_TEXTS]
    goldens = [words for words in goldens if 0 < len(words) <= LENGTHS[-1]]
    parts = _parts(model, test)
    return publish(
        run.path / "artifact", about, model, **parts, goldens=tagger_goldens(model, goldens)
    )


def write_files(model: Tagger, out: Path, test: Sequence[Sentence], overwrite: bool) -> None:
    """Write the device's files into a folder, each compared with the model.

    Raises:
        ValueError: the model's cell has no such files.
        export.Refused: a file does not do what the model does; it is not left there.
    """
    write_scored(out, _parts(model, test), "sentence", overwrite)


def rewrite_preset(name: str) -> Card:
    """Write a preset's files again from its own model, for a newer exporter.

    Raises:
        ValueError: no such preset, or its treebank is not what can be read here.
    """
    from gru_zoo.artifacts.folder import publish_again
    from gru_zoo.models.tagger import Tagger

    folder = folder_to_rewrite(name)
    model = models.of_zoo("preset", name, Tagger)
    return publish_again(folder, model, **_parts(model, test_of(model)))


def _parts(model: Tagger, test: Sequence[Sentence]) -> dict[str, Any]:
    """Return the parts of a tagger's artifact; raise for what is missing to write them all."""
    from gru_zoo.artifacts.tagger import tagger_parts

    parts = tagger_parts(model, test)
    require_extra("onnx", "the ONNX file")
    return parts


def test_of(model: Tagger) -> list[Sentence]:
    """Return the test split of a preset's treebank, or the part that its run has read.

    Raises:
        ValueError: it is not the one that the preset's scores are of.
    """
    from gru_zoo.data import universal_dependencies

    known = model.card.configuration
    test, source = universal_dependencies.load("test", known["treebank"])
    require_same_data(model.card, source)
    return test[: known.get("limit", 0) or None]
