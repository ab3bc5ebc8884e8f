"""Models that a user may bring, and what an exporter may get wrong in them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import Input, layers

from gru_zoo import GRU, GRUCell, StackedGRU, export
from gru_zoo.export.checks import arrays
from gru_zoo.export.checks.inspection import Refused
from gru_zoo.export.graphs.plain_loops import plain_loops
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.graphs.streaming_state import StreamingState
from gru_zoo.export.micro import step_file
from gru_zoo.export.runners.streamer import Streamer
from gru_zoo.export.workers.isolated import ConversionFailed

F = 5
RANDOM = np.random.default_rng(0)


def sequential(*stack, shape=(None, F)):
    keras.utils.set_random_seed(3)
    return keras.Sequential([Input(shape), *stack])


def towers(first=None, second=None, one="question", other="answer"):
    a, b = Input((first, F), name=one), Input((second, F), name=other)
    return keras.Model(
        [a, b], layers.Dense(2)(layers.Concatenate()([layers.GRU(7)(a), layers.GRU(6)(b)]))
    )


def frames(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def whole(path, **inputs):
    return Interpreter(str(path)).get_signature_runner("serving_default")(**inputs)["outputs"]


def streamed(path, x):
    stream = Streamer(path)
    return [stream.push(row) for row in x[0]][-1]["outputs"]


def test_a_cell_of_a_subclass_is_exported_as_it_is(tmp_path):
    class SlowCell(GRUCell):
        def recur(self, projected, state, dropped=None, kept=None):
            return 0.5 * (state + super().recur(projected, state, dropped, kept))

    layer = GRU(6)
    layer.cell = SlowCell(6)
    model = sequential(layer, layers.Dense(2))
    assert export.tflite(model, tmp_path / "m.tflite") < 1e-5
    x = frames(1, 8, F)
    np.testing.assert_allclose(streamed(tmp_path / "m.tflite", x), model(x), atol=1e-6)


@pytest.mark.slow
def test_two_sequences_need_not_be_equally_long(tmp_path):
    model = towers()
    export.tflite(model, tmp_path / "m.tflite")
    for first, second in [(9, 4), (3, 8), (6, 6)]:
        question, answer = frames(1, first, F), frames(1, second, F)
        found = whole(tmp_path / "m.tflite", question=question, answer=answer)
        np.testing.assert_allclose(found, model([question, answer]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(9, 4), (None, 5), (4, None)])
def test_sequences_of_lengths_of_their_own_have_no_common_step(tmp_path, first, second):
    model = towers(first, second)
    export.tflite(model, tmp_path / "m.tflite")
    interpreter = Interpreter(str(tmp_path / "m.tflite"))
    assert list(interpreter.get_signature_list()) == ["serving_default"]
    stored = {about["name"]: about["shape"].tolist() for about in interpreter.get_input_details()}
    assert stored == {"question": [1, first or 1000, F], "answer": [1, second or 1000, F]}
    question, answer = frames(1, first or 9, F), frames(1, second or 8, F)
    found = whole(tmp_path / "m.tflite", question=question, answer=answer)
    np.testing.assert_allclose(found, model([question, answer]), atol=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "longest"), [(9, 4, 9), (None, 5, None), (4, None, None)]
)
def test_one_open_sequence_leaves_the_length_open(first, second, longest):
    network = arrays.Network(towers(first, second))
    assert arrays.length(network) == longest
    shapes = [x.shape for x in arrays._random(network.model, network, longest or 7).values()]
    assert shapes == [(1, first or 7, F), (1, second or 7, F)]


def test_a_step_of_sequences_of_different_lengths_is_refused_before_anything_else(tmp_path):
    model, path = towers(9, 4), tmp_path / "m.tflite"
    data = {"representative": [{"question": frames(9, F), "answer": frames(9, F)}]}
    for convert in (
        lambda: export.tflite(model, path, gates=True),
        lambda: export.tflite(model, path, "int16x8", **data),
        lambda: step_file(model, "int8_full", **data),
        lambda: step_file(model),
    ):
        with pytest.raises(ValueError, match="sequences of one .* 'question' of 9, 'answer' of 4"):
            convert()
    assert not list(tmp_path.iterdir())


def calls_and_layers():
    """A model whose layer `gru` is called twice, and which has a layer `gru_2`, as Keras' third."""
    keras.utils.set_random_seed(3)
    a, b = Input((None, F), name="a"), Input((None, F), name="b")
    one, third = layers.GRU(7, name="gru"), layers.GRU(7, name="gru_2")
    read = layers.Concatenate()([one(a), one(b), third(a)])
    return keras.Model([a, b], layers.Dense(2)(read))


@pytest.mark.slow
def test_every_call_has_a_state_of_its_own(tmp_path):
    model = calls_and_layers()
    export.tflite(model, tmp_path / "m.tflite")
    stream, a, b = Streamer(tmp_path / "m.tflite"), frames(1, 6, F), frames(1, 6, F)
    assert sorted(stream.state) == ["state_gru", "state_gru_2", "state_gru_3"]
    for t in range(6):
        found = stream.push(a=a[0, t], b=b[0, t])
    np.testing.assert_allclose(found["outputs"], model([a, b]), atol=1e-6)


def test_two_layers_cannot_share_a_state():
    streaming, pooling = StreamingState(), layers.GlobalMaxPooling1D()
    rows = arrays.Network(sequential(layers.Dense(3))).rows({"inputs": frames(1, F)})["inputs"]
    streaming("pooled", pooling, rows)
    with pytest.raises(ValueError, match="two give 'state_pooled_begun'"):
        streaming("pooled", pooling, rows)


def test_a_wrong_step_is_no_ground_for_integers(monkeypatch):
    model = sequential(layers.GRU(7), layers.Dense(2))
    arrays.require_step(model)
    unharmed = StreamingState._gru
    monkeypatch.setattr(
        StreamingState, "_gru", lambda self, name, gru, x: 1.01 * unharmed(self, name, gru, x)
    )
    with pytest.raises(Refused, match=f"one step of model '{model.name}' .*must be within 1e-05"):
        arrays.require_step(model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stack",
    [
        [layers.GRU(7, return_sequences=True), layers.Dense(6, "relu")],
        [layers.GRU(7, activation="relu", return_sequences=True)],
    ],
    ids=["dense", "relu"],
)
def test_a_maximum_of_anything_in_float16(tmp_path, stack):
    model = sequential(*stack, layers.GlobalMaxPooling1D(), layers.Dense(3))
    export.tflite(model, tmp_path / "m.tflite", "float16")
    x = frames(1, 6, F)
    for found in whole(tmp_path / "m.tflite", inputs=x), streamed(tmp_path / "m.tflite", x):
        np.testing.assert_allclose(found, model(x), atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", [layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D])
def test_pooling_that_keeps_its_axis(tmp_path, pooling):
    stack = [layers.GRU(7, return_sequences=True), pooling(keepdims=True), layers.Dense(2)]
    model = sequential(*stack)
    export.tflite(model, tmp_path / "m.tflite")
    x = frames(1, 6, F)
    for found in whole(tmp_path / "m.tflite", inputs=x), streamed(tmp_path / "m.tflite", x):
        np.testing.assert_allclose(found, model(x), atol=1e-6)


def test_the_last_axis_may_be_counted_from_the_front(tmp_path):
    x = Input((None, F))
    read = layers.Concatenate(axis=2)([layers.GRU(7, return_sequences=True)(x), x])
    model = keras.Model(x, layers.Softmax(axis=2)(read))
    export.tflite(model, tmp_path / "m.tflite")
    given = frames(1, 6, F)
    np.testing.assert_allclose(whole(tmp_path / "m.tflite", inputs=given), model(given), atol=1e-6)


@pytest.mark.slow
def test_an_embedding_inside_of_another_model_reads_ids(tmp_path):
    encoder = sequential(layers.Embedding(30, 8), layers.GRU(7), shape=(None,))
    model = sequential(encoder, layers.Dense(2), shape=(None,))
    export.tflite(model, tmp_path / "m.tflite")
    ids = np.array([[4, 29, 1, 17]], np.int32)
    np.testing.assert_allclose(whole(tmp_path / "m.tflite", ids=ids), model(ids), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_as_far_off_as_half_precision_is(tmp_path, policy):
    kept = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = sequential(layers.GRU(16), layers.Dense(3))
    finally:
        keras.config.set_dtype_policy(kept)
    assert 1e-5 < export.tflite(model, tmp_path / "m.tflite") < 5e-3
    arrays.require_step(model)


@pytest.mark.slow
def test_a_model_at_every_step(tmp_path):
    inner = keras.Sequential([Input((F,)), layers.Dense(6, "relu"), layers.Dense(4)])
    model = sequential(layers.TimeDistributed(inner), layers.GRU(7))
    export.tflite(model, tmp_path / "m.tflite")
    x = frames(1, 6, F)
    for found in whole(tmp_path / "m.tflite", inputs=x), streamed(tmp_path / "m.tflite", x):
        np.testing.assert_allclose(found, model(x), atol=1e-6)


@pytest.mark.slow
def test_both_directions_in_half_precision(tmp_path):
    options = {"dtype": "float16"}
    both = layers.Bidirectional(
        layers.GRU(7, return_sequences=True, **options),
        backward_layer=layers.GRU(5, return_sequences=True, go_backwards=True, **options),
        **options,
    )
    model = sequential(both, layers.GlobalMaxPooling1D())
    assert export.tflite(model, tmp_path / "m.tflite") < 5e-3
    x = frames(1, 6, F)
    np.testing.assert_allclose(whole(tmp_path / "m.tflite", inputs=x), model(x), atol=5e-3)
    assert both.forward_layer.compute_dtype == "float16"


@pytest.mark.slow
def test_the_last_state_of_a_stack_before_a_head(tmp_path):
    x = Input((None, F))
    _, h_n = StackedGRU(7, 2)(x)
    model = keras.Model(x, layers.Dense(3)(h_n[-1]))
    export.tflite(model, tmp_path / "m.tflite")
    given = frames(1, 6, F)
    for found in whole(tmp_path / "m.tflite", inputs=given), streamed(tmp_path / "m.tflite", given):
        np.testing.assert_allclose(found, model(given), atol=1e-6)


def test_dropout_of_a_call_that_says_training_ends_with_training():
    x = Input((None, F))
    h = layers.Dropout(0.5)(layers.GRU(7)(x), training=True)
    model, given = keras.Model(x, layers.Dense(2)(h)), frames(1, 6, F)
    graph = SequenceGraph(arrays.Network(model))
    found = graph.whole(inputs=given)["outputs"]
    np.testing.assert_allclose(found, model(given, training=False), atol=1e-6)


def test_an_embedding_with_lora_is_looked_up_and_a_quantized_one_refused():
    model = sequential(layers.Embedding(30, 8), layers.GRU(7), shape=(None,))
    table = model.layers[0]
    table.enable_lora(2)
    table.lora_embeddings_b.assign(RANDOM.normal(size=(2, 8)))
    ids = np.array([[4, 29, 1, 17]], np.int32)
    graph = SequenceGraph(arrays.Network(model))
    found = graph.whole(ids=ids)["outputs"]
    np.testing.assert_allclose(found, model(ids), atol=1e-6)
    table.quantize("int8")
    with pytest.raises(ValueError, match="must have float32 weights for TFLite; got int8"):
        SequenceGraph(arrays.Network(model))


@pytest.mark.parametrize("pooling", [layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D])
def test_pooling_over_features_is_refused(tmp_path, pooling):
    model = sequential(pooling(data_format="channels_first", name="p"), shape=(6, F))
    message = "'p' .*must have data_format='channels_last'; got 'channels_first'"
    with pytest.raises(ValueError, match=message):
        export.tflite(model, tmp_path / "m.tflite")
    with pytest.raises(ValueError, match=message):
        step_file(model)


def test_an_output_of_another_shape_is_refused():
    with pytest.raises(Refused, match=r"output 'y' has shape \(1, 3\), the model's \(1, 1\)"):
        arrays._judge("m.tflite", "float32", {"y": np.ones((1, 3))}, {"y": np.ones((1, 1))})


def test_an_error_of_the_model_is_none_of_the_path(tmp_path):
    @keras.saving.register_keras_serializable()
    def refuse(x):
        message = "this activation takes no negative number"
        raise tf.errors.InvalidArgumentError(None, None, message)

    model = sequential(layers.GRU(7), layers.Dense(3))
    model.layers[-1].activation = refuse
    with pytest.raises(tf.errors.InvalidArgumentError, match="takes no negative number"):
        export.tflite(model, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


def test_layers_are_left_as_they_were_by_exports_at_the_same_time(tmp_path):
    model = sequential(layers.GRU(7, return_sequences=True), layers.GRU(5))
    # Each begins while another has the layers changed.
    inside = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:

        def one(_):
            inside.wait(10)
            for _ in range(50):
                with plain_loops(model):
                    time.sleep(1e-4)

        list(pool.map(one, range(3)))
    assert [layer.use_cudnn for layer in model.layers] == ["auto", "auto"]


def test_a_stateful_layer_is_refused_and_left_alone(tmp_path):
    model = keras.Sequential([Input(batch_shape=(1, None, F)), layers.GRU(7, stateful=True)])
    with pytest.raises(ValueError, match=r"layer 'gru.*' must have stateful=False; got True"):
        export.tflite(model, tmp_path / "m.tflite")
    assert not np.any(model.layers[0].states[0]) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["int16", "bool"])
def test_numbers_that_are_neither_float_nor_ids_are_refused(tmp_path, dtype):
    samples = Input((None, F), dtype=dtype, name="samples")
    model = keras.Model(samples, layers.GRU(7)(layers.Rescaling(0.1)(samples)))
    with pytest.raises(ValueError, match="input 'inputs' of the model must be float, or ids"):
        export.tflite(model, tmp_path / "m.tflite")
    pytest.importorskip("onnxruntime")
    with pytest.raises(ValueError, match="input 'inputs' of the model must be float, or ids"):
        export.onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("shape", "stack", "remedy"),
    [
        ((10, F), (GRU(8), layers.RepeatVector(10), GRU(7, name="reads")), (10, 8)),
        ((24,), (layers.Reshape((24, 1)), GRU(8, name="reads"), layers.Dense(1)), (24, 1)),
    ],
)
def test_a_sequence_made_of_a_vector_is_refused_and_called_so(tmp_path, shape, stack, remedy):
    with pytest.raises(ValueError, match=r"'reads' \(GRU\) .* as RepeatVector and Re") as refusal:
        export.tflite(sequential(*stack, shape=shape), tmp_path / "m.tflite")
    assert f"keras.Input({remedy})" in str(refusal.value) and not list(tmp_path.iterdir())


def test_names_that_states_and_gates_have(tmp_path):
    with pytest.raises(ValueError, match=r"inputs must not be called as states.*\['state_a'\]"):
        export.tflite(towers(one="state_a"), tmp_path / "m.tflite")
    x = Input((None, F))
    read = layers.GRU(7, name="gru")(x)
    outputs = [layers.Dense(2, name="state_gru")(read), layers.Dense(2, name="gru_z")(read)]
    for output, gates in zip(outputs, (False, True), strict=True):
        model = keras.Model(x, {output._keras_history.operation.name: output, "b": read})
        with pytest.raises(ValueError, match="outputs must have names of their own"):
            export.tflite(model, tmp_path / "m.tflite", gates=gates)


def masking():
    return sequential(layers.Masking(0.0), layers.GRU(7), layers.Dense(2))


@pytest.mark.slow
def test_a_masked_step_is_left_out_of_a_sequence_and_counts_in_a_stream(tmp_path):
    model = masking()
    export.tflite(model, tmp_path / "m.tflite")
    x = frames(1, 6, F)
    x[0, 2] = 0
    np.testing.assert_allclose(whole(tmp_path / "m.tflite", inputs=x), model(x), atol=1e-6)
    plain = keras.Sequential([Input((None, F)), *model.layers[1:]])
    np.testing.assert_allclose(streamed(tmp_path / "m.tflite", x), plain(x), atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("converted_here")
@pytest.mark.parametrize("variant", ["int8_full", "int16x8"])
def test_masking_is_nothing_to_integers(tmp_path, variant):
    representative = (frames(20, F) for _ in range(4))  # a generator, which is read once
    assert export.tflite(masking(), tmp_path / "m.tflite", variant, representative=representative)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["int8_full", "int16x8"])
def test_zeros_alone_end_no_process_and_leave_nothing(tmp_path, variant):
    model = sequential(layers.Embedding(30, 8), layers.GRU(32), layers.Dense(3), shape=(None,))
    model.layers[0].set_weights([np.zeros((30, 8))])
    ids = [RANDOM.integers(1, 30, 20).astype("int32") for _ in range(3)]
    with pytest.raises(ConversionFailed, match="zero throughout the representative data"):
        export.tflite(model, tmp_path / "m.tflite", variant, representative=ids)
    assert not list(tmp_path.iterdir())
