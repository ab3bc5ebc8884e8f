import dataclasses
import json

import pytest

from gru_zoo.artifacts.card import Card, Section
from gru_zoo.artifacts.card_text import readme
from gru_zoo.artifacts.scores import Score
from gru_zoo.zoo.table import preset_table


@pytest.fixture
def card():
    return Card(
        name="task_data_gru_tiny",
        task="text-classification",
        summary="Says yes or no.",
        language=["en"],
        metric="accuracy",
        model={"class": "Something", "parameters": 1234},
        dataset="someone/something",
        data={"name": "something", "version": "1.0", "licence": "CC0"},
        scored_on="200 rows: the test split",
        scores=[Score(0, 0.90, 0.91, 3, 61.0), Score(1, 0.92, 0.93, 2, 40.0)],
        shipped_seed=1,
        exports=[
            {
                "file": "model_int8.tflite",
                "variant": "int8",
                "bytes": 345_678,
                "metric": 0.915,
                "largest_difference": 0.0123,
                "latency_ms": 1.5,
            }
        ],
        commands=["python -m recipes.something train"],
        measured=[Section("Length", ["words", "accuracy"], [["up to 100", "90.1 %"]], "By words.")],
        limits=["It reads 20 words."],
        versions={"keras": "3.15.1"},
        date="2026-01-02",
        files={name: {"sha256": "00", "bytes": 3} for name in ("model.keras", "model_int8.tflite")},
    )


def test_json_brings_the_card_back(card, tmp_path):
    card.write(tmp_path)
    assert Card.from_json(tmp_path / "card.json") == card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card["model"].pop("parameters"), "model must have .*parameters is missing"),
        (lambda card: card["published"].append({"system": "x"}), "published .*value is missing"),
        (lambda card: card["exports"][0].pop("bytes"), "exports must have .*bytes is missing"),
        (lambda card: card["files"]["model.keras"].pop("sha256"), "files must .*sha256 is missing"),
        (
            lambda card: card["files"].pop("model_int8.tflite"),
            "files must have a checksum of 'model_int8.tflite'; it has none",
        ),
        (
            lambda card: card["exports"][0].update(file="../outside.tflite"),
            "files must have a checksum of '../outside.tflite'",
        ),
    ],
)
def test_what_a_card_lacks_is_named(card, change, message, tmp_path):
    card.write(tmp_path)
    values = json.loads((tmp_path / "card.json").read_text())
    change(values)
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(
        ValueError, match=f"card.json must be a model card; it is corrupt: {message}"
    ):
        Card.from_json(tmp_path / "card.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.update(limits=None), "limits must be of type .*; got None"),
        (lambda card: card.update(task=3), "task must be of type str; got 3"),
        (lambda card: card.update(data=[]), "data must be of type dict.*; got "),
        (lambda card: card.update(language=["en", 1]), "language must be of type"),
        (
            lambda card: card["scores"][0].update(value=None),
            "value must be of type float; got None",
        ),
        (lambda card: card["scores"][0].update(seed=True), "seed must be of type int; got True"),
        (lambda card: card["exports"][0].update(bytes=None), "exports's bytes must be of type int"),
        (lambda card: card["exports"][0].update(metric="x"), "exports's metric must be of type"),
    ],
)
def test_a_field_of_another_type_is_named(card, change, message, tmp_path):
    card.write(tmp_path)
    values = json.loads((tmp_path / "card.json").read_text())
    change(values)
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=f"it is corrupt: {message}"):
        Card.from_json(tmp_path / "card.json")


def test_a_figure_of_others_has_its_source(card):
    with pytest.raises(ValueError, match="published must have .*source is missing"):
        dataclasses.replace(card, published=[{"system": "another", "value": "90 %"}])


def test_what_a_configuration_may_lack(card):
    bare = dataclasses.replace(card, task="translation", configuration={})
    assert "all its beams" in readme(bare)


def test_readme_tells_the_shipped_figure_and_the_spread(card):
    text = readme(card)
    assert "value: 0.9200" in text
    assert "**Accuracy:** 92.00 % on 200 rows: the test split" in text
    assert "91.00 ± 1.41 % (2 seeds)" in text  # standard deviation by hand: sqrt(2)
    assert "| 1 (this model) | 92.00 % | 93.00 % | 2 | 40 s |" in text
    assert "| `model_int8.tflite` | 346 KB | 91.50 % | 1.2e-02 | 1.50 ms per text |" in text


def test_before_it_is_published_it_is_loaded_by_its_path(card):
    assert 'load("./path/to/this/folder")' in readme(card)
    assert "zoo verify ./path/to/this/folder`" in readme(card)
    command = f"python -m recipes.something publish runs/a --preset {card.name}"
    published = readme(dataclasses.replace(card, commands=[*card.commands, command]))
    assert f'load("{card.name}")' in published and "./path" not in published


def test_front_matter_is_yaml_that_hugging_face_reads(card):
    yaml = pytest.importorskip("yaml")
    _, front, _ = readme(card).split("---\n", 2)
    meta = yaml.safe_load(front)
    assert meta["pipeline_tag"] == "text-classification"
    result = meta["model-index"][0]["results"][0]
    assert result["dataset"]["type"] == "someone/something"
    assert result["metrics"][0]["value"] == 0.92


def test_one_seed_has_no_spread(card):
    one = dataclasses.replace(card, scores=card.scores[1:])
    assert one.spread() == "92.00 % (one seed)"


def test_the_text_says_which_trainings_weights_they_are(card):
    assert "The seed was chosen on validation data." in readme(card)
    one = dataclasses.replace(card, scores=card.scores[1:])
    runs = ["python -m recipes.a train --name a", "python -m recipes.a train --mean-of a b"]
    rounded = "python -m recipes.a train --mean-of runs/a --half"
    further = "python -m recipes.a train --from two_words_gru"
    for trained, wanted in (
        (runs[:1], "One seed was trained."),
        (runs, "are the average of several"),
        ([runs[0], rounded], "One seed was trained."),
        ([*runs, rounded], "are the average of several"),
        ([*runs, further], "One seed was trained."),
        ([further], "One seed was trained."),
    ):
        commands = [*trained, "python -m recipes.a publish runs/a/b --preset c"]
        text = readme(dataclasses.replace(one, commands=commands))
        assert wanted in text
        assert ("(weight average)" in text) == ("average" in wanted)
        assert ("excluding the models it was initialised from" in text) == (trained != runs[:1])


def test_the_text_says_what_files_were_scored_on(card):
    export = {**card.exports[0], "scored_on": "two lines", "model_metric": 0.75}
    text = readme(dataclasses.replace(card, exports=[export]))
    assert "Files are scored on two lines, where the Keras model has 75.00 %." in text
    for whole in (card.exports[0], {**export, "texts": 25}):
        assert "Files are scored on" not in readme(dataclasses.replace(card, exports=[whole]))


def test_a_translators_latencies_say_what_they_are_of(card):
    export = {**card.exports[0], "metric": 31.0, "sentence_ms": 16.2}
    names = ("saved_model", "encoder_int8.tflite", "decoder_int8.tflite")
    translator = dataclasses.replace(
        card,
        task="translation",
        metric="bleu",
        configuration={"beams": 4},
        exports=[{**export, "file": name} for name in names],
    )
    rows = [line for line in readme(translator).splitlines() if line.startswith("| `")]
    units = ("sentence (encoder only)", "sentence", "decoding step")
    for row, unit in zip(rows, units, strict=True):
        assert row.endswith(f"| 1.50 ms per {unit} | 16.20 ms |")
    assert "one decoding step of all 4 beams" in readme(translator)
    assert "sentence" not in readme(card)


def test_a_file_without_a_latency_shows_none(card):
    export = {**card.exports[0], "latency_ms": None}
    assert "| 1.2e-02 |  |" in readme(dataclasses.replace(card, exports=[export]))


def test_the_table_of_presets_has_two_of_others_results_and_says_what_the_time_is_of(card):
    published = [{"system": name, "value": "1 %", "source": "x"} for name in "abc"]
    (row,) = preset_table([dataclasses.replace(card, published=published)]).splitlines()[2:]
    assert "| a 1 %; b 1 % |" in row and row.endswith("| 50 s per seed |")
    assert "| a 1 % |" in preset_table([dataclasses.replace(card, published=published[:1])])
    # The seconds of an average are the sum of its trainings'.
    trainings = ["python -m recipes.a train --name a", "python -m recipes.a train --mean-of a b"]
    average = dataclasses.replace(card, scores=card.scores[1:], commands=trainings)
    assert "| 40 s (last stage; sum of the averaged runs) |" in preset_table([average])
    once = dataclasses.replace(average, commands=trainings[:1])
    assert "| 40 s |" in preset_table([once]) and "(one seed)" in preset_table([once])


def test_the_text_says_how_much_a_shorter_file_reads(card):
    export = {**card.exports[0], "sequence_length": 501}
    assert "`model_int8.tflite` reads at most 500 words" in readme(
        dataclasses.replace(card, exports=[export])
    )
    assert "reads at most" not in readme(card)


@pytest.mark.parametrize("files", [None, [], "x", {"a": None}, 3])
def test_a_card_whose_files_are_none_is_named(card, files, tmp_path):
    card.write(tmp_path)
    values = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(values | {"files": files}))
    with pytest.raises(ValueError, match="card.json must be a model card; it is corrupt"):
        Card.from_json(tmp_path / "card.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": "a"}', b"\xff\xfe"])
def test_a_corrupt_card_is_named(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ValueError, match="card.json must be a model card; it is corrupt"):
        Card.from_json(tmp_path / "card.json")
