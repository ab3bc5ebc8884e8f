"""TFLM gives, in the smallest arena that holds a step, what LiteRT and the whole model give."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from gru_zoo import GRU
from tests.export.conftest import make_classifier, shake

pytest.importorskip("tflite_micro", reason="TFLM is not installed: the extra micro")

from benchmarks import micro_readme, micro_steps, microcontroller  # noqa: E402
from gru_zoo.export import micro  # noqa: E402
from gru_zoo.export.graphs.integer_state import UNITS  # noqa: E402
from gru_zoo.export.graphs.step_graph import step_graph  # noqa: E402
from gru_zoo.export.signatures import convert  # noqa: E402
from gru_zoo.export.tflite_file import tflite  # noqa: E402
from gru_zoo.markdown import replace_section  # noqa: E402

T, D, U = 9, 4, 7


def stacked():
    return keras.Sequential(
        [
            layers.Input((None, D)),
            GRU(U, return_sequences=True, reset_after=False),
            layers.Dense(5, "relu"),
            layers.GRU(6),
            layers.Dense(3, "softmax"),
        ]
    )


def steps_of(model, content, sequence):
    """Run TFLM over one sequence from the first state on; return its outputs of the last step."""
    step, state = micro.MicroStep(content), step_graph(model).initial()
    (given,) = step.inputs.keys() - state.keys()
    for row in sequence:
        outputs = step({given: row[None], **state})
        state = {name: outputs[name] for name in state}
    return outputs


def test_the_last_step_of_a_stream_is_the_whole_sequence():
    model = stacked()
    shake(model, 3)
    sequence = np.random.default_rng(4).normal(size=(T, D)).astype("float32")
    outputs = steps_of(model, micro.step_file(model), sequence)
    np.testing.assert_allclose(outputs["outputs"], model(sequence[None]), atol=1e-5)


def test_words_and_pooling_too():
    model = make_classifier()
    ids = np.array([1, 5, 9, 2, 30, 5], np.int32)
    outputs = steps_of(model, micro.step_file(model), ids)
    np.testing.assert_allclose(outputs["probabilities"], model(ids[None]), atol=1e-5)


def test_the_smallest_arena_holds_the_step_and_a_smaller_one_does_not():
    model = stacked()
    content = micro.step_file(model)
    arena = micro.smallest_arena(content)
    given = {"inputs": np.ones((1, D), "float32"), **step_graph(model).initial()}
    small, large = micro.MicroStep(content, arena), micro.MicroStep(content)
    for name, array in large(given).items():
        np.testing.assert_array_equal(small(given)[name], array)
    with pytest.raises(ValueError, match="arena must hold the model"):
        micro.MicroStep(content, arena - 16)


def test_an_operator_that_tflm_lacks_is_refused():
    graph = step_graph(keras.Sequential([layers.Input((None, D)), GRU(40)]))
    step = graph.step.get_concrete_function(**graph.inputs, **graph.states)
    dynamic = convert({"step": step}, graph, "int8")  # Integer weights and float activations.
    with pytest.raises(ValueError, match="TFLM have its operators; .*FULLY_CONNECTED") as error:
        micro.smallest_arena(dynamic)
    assert "\n" not in str(error.value)


def test_what_is_no_file_of_a_step_is_refused(tmp_path):
    whole = micro.step_file(stacked())
    tflite(stacked(), tmp_path / "both.tflite")
    for damaged in (b"", b"x" * 5000, whole[:200]):
        with pytest.raises(ValueError, match="content must be a whole .tflite file"):
            micro.MicroStep(damaged)
    with pytest.raises(ValueError, match="content must have one signa"):
        micro.MicroStep((tmp_path / "both.tflite").read_bytes())


def test_what_cannot_stream_is_refused():
    model = keras.Sequential([layers.Input((None, D)), layers.Bidirectional(GRU(U))])
    with pytest.raises(ValueError, match="bidirectional"):
        micro.step_file(model)


@pytest.mark.slow
@pytest.mark.parametrize("variant", micro_steps.VARIANTS)
def test_the_same_numbers_as_litert(variant):
    record = micro_steps.measure("keyword", variant, steps=200)
    for output, unit in record["one_unit"].items():
        if variant == "float32":
            assert record["from_litert"]["own_states"][output] <= 1e-5, output
            assert record["from_litert_reference_kernels"]["own_states"][output] == 0, output
        else:
            # TFLM's gates round otherwise, by a unit or two each, and a state is made of several.
            assert record["from_litert"]["same_states"][output] <= 5.01 * unit, output
            assert record["from_litert"]["own_states"][output] <= 8.01 * unit, output
    if variant == "int8_full":
        assert record["from_litert"]["own_states"]["outputs"] <= 2.01 / 256


@pytest.mark.slow
@pytest.mark.parametrize("variant", micro_steps.VARIANTS)
def test_the_preset_too(variant):
    record = micro_steps.measure("sentiment", variant, steps=60)
    if variant == "float32":
        assert max(record["from_litert"]["own_states"].values()) < 1e-5
        return
    # A sum adds what the states of all steps differ by; from the same states, those of one.
    units = record["one_unit"]
    units |= {"state_sum": max(units["state_last"], 1 / UNITS)}
    for output, unit in units.items():
        assert record["from_litert"]["same_states"][output] <= 5.01 * unit, output
    for output in units.keys() - {"state_sum"}:
        assert record["from_litert"]["own_states"][output] <= 8.01 * units[output], output
    assert "FLOOR_DIV" in record["operators"] and record["file_bytes"] < 1.4e6


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
@pytest.mark.parametrize("variant", ["int8_full", "int16x8"])
def test_integers_follow_the_float_step(variant):
    model = make_classifier()
    random = np.random.default_rng(7)
    sequences = [random.integers(1, 50, 40).astype(np.int32) for _ in range(20)]
    content = micro.step_file(model, variant, sequences)
    about, ids = micro.MicroStep(content), random.integers(1, 50, 30).astype(np.int32)
    outputs = micro_steps.stream(about, about, content, [ids], len(ids))
    wanted = [model(ids[None, : length + 1]) for length in range(len(ids))]
    # Weights have 8 bits in both, and these are large.
    np.testing.assert_allclose(outputs["probabilities"], np.array(wanted), atol=0.06)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("int8",), "variant must be one of 'float32', 'int8_full', 'int16x8'; got"),
        (("int8_full",), "representative must be given for int8_full and int16x8, .* got none"),
        (("float32", [np.ones((5, D))]), "representative must be .* got one with float32"),
    ],
)
def test_what_goes_together_is_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        micro.step_file(stacked(), *arguments)


def test_the_readme_is_not_stale():
    records = json.loads(microcontroller.RESULTS.read_text(encoding="utf-8"))["records"]
    text = (microcontroller.ROOT / "README.md").read_text(encoding="utf-8")
    made = micro_readme.table(records)
    again = "make it again: python -m benchmarks.microcontroller --report-only --write"
    assert replace_section(text, made, micro_readme.BEGIN, micro_readme.END) == text, again
