"""Tiny real trainings, the same data for every cell, and files for the device."""

import dataclasses
import importlib
import json
import typing

import numpy as np
import pytest

from recipes.comparison import children, long_run, runner, stored, subjects
from recipes.comparison.plan import missing, plan
from tests.recipes.comparison.made import CELLS, tiny


@pytest.mark.slow
def test_one_tiny_training_of_each_kind(tmp_path, monkeypatch):
    """Both children run in this process, so that TensorFlow is started once."""
    from recipes.comparison import device

    mains = {"recipes.comparison.long_run": long_run.main, "recipes.comparison.device": device.main}

    def run(module, arguments, log, keep_open=()):
        mains[module](arguments)
        return {"wall_seconds": 1.0, "cpu_seconds": 1.0, "cpu_share": 1.0, "peak_memory_mb": 1}

    monkeypatch.setattr(children, "run", run)
    jobs = plan([tiny()], ["gru"], 1, {})
    result = runner.run_job(jobs[0], tmp_path, False, 0)
    assert abs(result["parameters"] - 776) <= 0.02 * 776
    assert result["stopped"] == "updates" and len(result["history"]) == 2
    assert result["validation"] == max(row["validation"] for row in result["history"]) < 0
    assert [row["updates"] for row in result["gates"]] == [0, 2, 4]
    assert result["device"]["bytes"] > 1000 and result["device"]["latency_ms"] > 0
    assert result["device"]["largest_difference"] < 0.1
    assert str(tmp_path) not in json.dumps(result)
    stored.keep(tmp_path / "results", jobs[0].key, result)
    assert missing(jobs, stored.read(tmp_path / "results")) == jobs[1:]


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_a_devices_loop_is_the_layer(cell):
    import keras

    from gru_zoo.layers.encoders import encoder
    from recipes.comparison.device_loops import written

    random = np.random.default_rng(3)
    inputs = keras.Input((5, 4))
    masked = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, encoder(cell, 7, bidirectional=True, num_layers=2)(masked))
    model.set_weights([random.normal(0, 0.5, w.shape) for w in model.get_weights()])
    rows = random.normal(size=(3, 5, 4)).astype("float32")
    rows[0, [0, 3]] = rows[2, 4:] = 0
    expected = model(rows).numpy()
    with written(model):
        together = model(rows).numpy()
        alone = model(rows[:1]).numpy()
    np.testing.assert_allclose(together, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(alone, expected[:1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model(rows).numpy(), expected)


def test_the_same_examples_for_every_cell():
    settings = {"problem": "copy", "steps": 5, "parameters": 1, "learning_rate": 1.0, "seed": 3}
    effort = {"updates": 1, "every": 1, "patience": 1, "cpu_seconds": 1.0}
    one, other = (
        long_run.Data(long_run.LongRun(cell=cell, **settings, **effort)) for cell in ("gru", "rnn")
    )
    for number in (0, 7):
        for a, b in zip(one.batch(number), other.batch(number), strict=True):
            assert a.tolist() == b.tolist()
    assert one.batch(0)[0].tolist() != one.batch(1)[0].tolist()
    assert one.validation[0].tolist() != one.test[0].tolist()


@pytest.mark.parametrize("task", subjects.TASKS, ids=lambda task: task.name)
def test_the_recipes_take_what_they_are_given(task):
    train = importlib.import_module(f"recipes.{task.name}").Train
    known = {field.name for field in dataclasses.fields(train)}
    given = {"cell", "parameters", "learning_rate", "seed", "runs", "name", "resume"}
    assert given | set(task.flags) | set(task.quick) <= known
    for cell in CELLS:
        assert repr(cell) in str(typing.get_type_hints(train)["cell"])


def small_model(task, cell):
    from gru_zoo.models.classifier import SequenceClassifier
    from gru_zoo.models.reader import Reader
    from gru_zoo.models.seq2seq import Seq2Seq
    from gru_zoo.models.tagger import Tagger
    from gru_zoo.text.stories import StoryText
    from gru_zoo.text.subwords import Subwords
    from gru_zoo.text.tokenizers import WordTokenizer
    from gru_zoo.text.word_features import WordFeatures

    if task == "sentiment":
        words = ["<PAD>", "<START>", "<UNKNOWN>", *"abcdefgh"]
        return SequenceClassifier(WordTokenizer(words, sequence_length=8), units=8, cell=cell)
    if task == "pos_tagging":
        features = WordFeatures.fit([("a", "film", "which", "talks")] * 3)
        return Tagger(features, ["DET", "NOUN"], units=8, cell=cell)
    if task == "translation":
        subwords = Subwords.fit(["ein kleines Haus", "a small house"], size=40, longest=10)
        return Seq2Seq(subwords, cell, dim=8, units=8, heads=2)
    text = StoryText.fit(["Eva left the house.", "Where is Adam now?"], story_length=9)
    return Reader(text, ["eva", "adam"], units=8, cell=cell)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm", "transformer"])
@pytest.mark.parametrize("task", [task.name for task in subjects.TASKS])
def test_every_tasks_model_has_a_devices_file(task, cell, tmp_path):
    from recipes.comparison import device

    model, random = small_model(task, cell), np.random.default_rng(4)
    # Answers of fresh weights hardly differ, and a file that read nothing would be near enough.
    model.set_weights([random.normal(0, 0.5, w.shape) for w in model.get_weights()])
    model.save(tmp_path / "model.keras")
    measured = device.measure(task, tmp_path / "model.keras", 7)
    # Compared with the model inside: a wrong file raises.
    assert measured["largest_difference"] < 0.2 and measured["latency_ms"] > 0


@pytest.mark.slow
def test_a_device_file_without_the_models_values_is_refused(tmp_path, monkeypatch):
    from recipes.comparison import device

    model, convert = small_model("sentiment", "gru"), device.convert
    random = np.random.default_rng(4)
    model.set_weights([random.normal(0, 1, w.shape) for w in model.get_weights()])
    model.save(tmp_path / "model.keras")

    def emptied(model, specs):
        kept = model.get_weights()
        model.set_weights([0 * weight for weight in kept])
        content = convert(model, specs)
        model.set_weights(kept)
        return content

    monkeypatch.setattr(device, "convert", emptied)
    with pytest.raises(ValueError, match="the int8 file must be within .* of the model; got"):
        device.measure("sentiment", tmp_path / "model.keras", 7)


@pytest.mark.slow
@pytest.mark.parametrize("problem", subjects.PROBLEMS, ids=lambda problem: problem.name)
def test_every_cell_can_have_the_budget(problem):
    from gru_zoo.models.budget import units_for

    for cell in CELLS:
        place = (problem.name, problem.lengths[0], cell, problem.parameters)
        config = long_run.LongRun(*place, learning_rate=1e-3, seed=0, **problem.flags)
        units = units_for(lambda units, own=config: long_run.build(own, units), problem.parameters)
        made = long_run.build(config, units).count_params()
        assert abs(made - problem.parameters) <= subjects.TOLERANCE * problem.parameters, cell
