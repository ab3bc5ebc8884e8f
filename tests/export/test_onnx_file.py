"""export.onnx: the fused operator computes what Keras computes, or the model is refused by name."""

import dataclasses
import importlib.util

import keras
import numpy as np
import pytest
from keras import layers

from gru_zoo import GRU, StackedGRU
from gru_zoo.convert import onnx_gru
from gru_zoo.export.checks.probes import probes
from gru_zoo.export.onnx_file import onnx
from gru_zoo.layers import kernels
from gru_zoo.layers.pooling import MaskedPooling
from tests.export.conftest import REVIEWS, make_classifier, shake
from tests.export.text_kinds import piece_classifier
from tests.reference import CONVENTIONS, MASKS, Reference, random_case

standard = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

B, T, D, U, IDS = 3, 5, 4, 7, 11
FLOATS, WORDS = (None, D), (None,)
BOTH = layers.Bidirectional


def sequential(shape, *members):
    return keras.Sequential([layers.Input(shape), *members])


def embedded(*members, mask_zero=True):
    return sequential(WORDS, layers.Embedding(IDS, 6, mask_zero=mask_zero), *members)


def functional():
    sound, words = (
        layers.Input(FLOATS, name="sound"),
        layers.Input(WORDS, name="words", dtype="int64"),
    )
    h, state = layers.GRU(U, return_state=True, return_sequences=True)(sound)
    x = layers.Embedding(IDS, 6, mask_zero=True)(words)
    y = GRU(U, return_sequences=True, update_gate="write")(x, initial_state=state)
    pooled = layers.Concatenate()([layers.GlobalAveragePooling1D()(h), MaskedPooling()(y)])
    out = layers.Dense(3, "softmax", name="out")(layers.Add()([pooled, pooled]))
    return keras.Model({"sound": sound, "words": words}, [out, y])


def nested():
    inner = sequential(FLOATS, GRU(U, return_sequences=True), layers.Dense(2, "silu"))
    return sequential(FLOATS, inner, layers.Activation("relu6"), layers.GlobalMaxPooling1D())


def with_state():
    inputs = layers.Input(FLOATS)
    return keras.Model(inputs, StackedGRU(U, 2, bidirectional=True)(layers.Masking()(inputs)))


# name -> (model, how many GRU operators it must have)
MODELS = {
    "ours": (lambda: sequential(FLOATS, GRU(U)), 1),
    "keras, fixed time": (lambda: sequential((T, D), layers.GRU(U), layers.Dense(2, "tanh")), 1),
    "stack": (
        lambda: sequential(
            FLOATS,
            layers.GRU(U, return_sequences=True, use_bias=False),
            layers.LayerNormalization(),
            layers.Dropout(0.3),
            GRU(5, return_sequences=True, reset_after=False, update_gate="write"),
            layers.TimeDistributed(layers.Dense(3, "gelu")),
        ),
        2,
    ),
    "backwards": (lambda: sequential(FLOATS, GRU(U, go_backwards=True, return_sequences=True)), 1),
    "masked": (lambda: embedded(layers.GRU(U)), 1),
    "masked, states": (lambda: embedded(GRU(U, return_sequences=True)), 1),
    "masked, zeros": (
        lambda: embedded(layers.GRU(U, return_sequences=True, zero_output_for_mask=True)),
        1,
    ),
    "masked, zeros, last": (lambda: embedded(GRU(U, zero_output_for_mask=True)), 1),
    "masked, backwards": (
        lambda: embedded(layers.GRU(U, return_sequences=True, go_backwards=True), GRU(5)),
        2,
    ),
    "both": (lambda: embedded(BOTH(layers.GRU(U, return_sequences=True)), BOTH(GRU(5))), 2),
    "both, sum": (lambda: embedded(BOTH(GRU(U, reset_after=False), merge_mode="sum")), 1),
    "both, mean": (
        lambda: sequential(
            FLOATS, layers.Masking(), BOTH(GRU(U, return_sequences=True), merge_mode="ave")
        ),
        1,
    ),
    "mean": (
        lambda: embedded(GRU(U, return_sequences=True), layers.GlobalAveragePooling1D()),
        1,
    ),
    "no mask": (
        lambda: embedded(GRU(U, return_sequences=True), MaskedPooling(), mask_zero=False),
        1,
    ),
    "stacked": (lambda: embedded(StackedGRU(U, 2, bidirectional=True, return_state=False)), 2),
    "stacked, state": (with_state, 2),
    "convolved": (
        lambda: sequential(
            FLOATS,
            layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
            layers.BatchNormalization(),
            GRU(U, return_sequences=True),
            layers.Conv1D(5, 4, padding="same", use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.GRU(4),
        ),
        2,
    ),
    "depthwise": (
        lambda: sequential(
            FLOATS,
            layers.DepthwiseConv1D(4, padding="same", depth_multiplier=2),
            layers.SeparableConv1D(6, 3, padding="same", depth_multiplier=3, dilation_rate=2),
            layers.TimeDistributed(layers.BatchNormalization(center=False)),
            layers.TimeDistributed(layers.LayerNormalization(axis=1)),
            GRU(U),
            layers.LayerNormalization(axis=[1]),
        ),
        1,
    ),
    "convolved, masked": (
        lambda: embedded(layers.Conv1D(6, 2, padding="causal"), layers.GRU(U)),
        1,
    ),
    "pooled, far below 0": (
        lambda: embedded(
            layers.Dense(3, bias_initializer=keras.initializers.Constant(-1e6)), MaskedPooling()
        ),
        0,
    ),
    "functional": (functional, 2),
    "nested": (nested, 1),
    "classifier": (make_classifier, 1),
    "classifier, both": (lambda: make_classifier(bidirectional=True), 1),
    "classifier, keras": (lambda: make_classifier(cell="keras_gru", kernel="loop"), 1),
}


def inputs_for(session, batch, time, seed=7):
    """Random inputs for a file; the ids and the features of some steps are zero."""
    random = np.random.default_rng(seed)
    arrays = {}
    for port in session.get_inputs():
        if "int" in port.type:
            kind = np.int64 if "64" in port.type else np.int32
            arrays[port.name] = random.integers(IDS, size=(batch, time)).astype(kind)
        else:
            arrays[port.name] = random.normal(size=(batch, time, D)).astype("float32")
        arrays[port.name][:, random.random(time) < 0.3] = 0
        arrays[port.name][0, time - 2 :] = 0
    return arrays


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
@pytest.mark.parametrize("name", MODELS)
def test_equals_keras_at_every_batch_and_length(name, tmp_path):
    make, operators = MODELS[name]
    model = make()
    shake(model, 3)
    onnx(model, tmp_path / "model.onnx")
    proto = standard.load(tmp_path / "model.onnx")
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("GRU") == operators
    assert not {"Loop", "Scan", "If"} & set(kinds)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for batch, time in ((1, T), (2, T)) if "fixed" in name else ((1, 1), (2, 9), (5, 3)):
        arrays = inputs_for(session, batch, time)
        given = list(arrays.values()) if len(arrays) == 1 else [arrays]
        with kernels.forced("loop"):  # Compiles nothing.
            wanted = keras.tree.flatten(model(*given, training=False))
        for got, want in zip(session.run(None, arrays), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
@pytest.mark.parametrize(
    "backwards, mask", [(False, "none"), (True, "right padded"), (True, "any pattern")]
)
def test_equals_the_papers(convention, backwards, mask, tmp_path):
    case = random_case(seed=5, dtype="float32")
    real = np.ones((B, T), bool) if MASKS[mask] is None else MASKS[mask]
    case["x"] = np.where(real[..., None], case["x"], 0)
    case["h0"] = np.zeros_like(case["h0"])
    layer = GRU(
        U,
        reset_after=convention.reset_after,
        update_gate=convention.update_gate,
        go_backwards=backwards,
    )
    model = sequential(FLOATS, layers.Masking(), layer)
    bias = case["bias"] if convention.reset_after else case["bias"][0]
    layer.set_weights([case["kernel"], case["recurrent_kernel"], bias])
    onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (last,) = session.run(None, {"inputs": case["x"]})
    wanted = Reference(case, convention, real, go_backwards=backwards).last
    np.testing.assert_allclose(last, wanted, rtol=1e-5, atol=1e-6)


def test_the_classifiers_file_says_what_it_needs(tmp_path):
    model = make_classifier()
    onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("ids", "tensor(int32)", ["batch", "time"])
    assert (result.name, result.shape) == ("probabilities", ["batch", 3])
    inside = session.get_modelmeta().custom_metadata_map
    assert inside["labels"] == '["negative", "mixed", "positive"]'
    assert inside["vocabulary"].encode() == model.tokenizer.vocabulary_bytes()
    ids = model.tokenizer.encode(REVIEWS)
    (probabilities,) = session.run(None, {"ids": ids})
    np.testing.assert_allclose(probabilities, model.predict(REVIEWS, verbose=0), atol=1e-5)


def test_a_classifier_of_word_pieces_has_no_pattern(tmp_path):
    model = piece_classifier()
    onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    inside = session.get_modelmeta().custom_metadata_map
    assert inside.keys() == {"labels", "vocabulary"}
    assert inside["vocabulary"].encode() == model.tokenizer.vocabulary_bytes()
    (probabilities,) = session.run(None, {"ids": model.tokenizer.encode(REVIEWS)})
    np.testing.assert_allclose(probabilities, model.predict(REVIEWS, verbose=0), atol=1e-5)


def test_a_wrong_conversion_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    def swapped(layer, index=0):
        made = right(layer, index)
        z, r, h = np.split(made.tensors["W"], 3, axis=1)
        made.tensors["W"] = np.concatenate([r, z, h], axis=1)
        return made

    right = onnx_gru.to_onnx_tensors
    monkeypatch.setattr("gru_zoo.export.onnx_writer.recurrent.to_onnx_tensors", swapped)
    model = sequential(FLOATS, GRU(U))
    shake(model, 3)
    with pytest.raises(ValueError, match="must be within 1e-05 of the model; output 'outputs'"):
        onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_largest_difference_is_returned(monkeypatch, tmp_path):
    def off(model):
        for probe in probes(model):
            moved = {name: wanted + np.float32(4e-6) for name, wanted in probe.outputs.items()}
            yield dataclasses.replace(probe, outputs=moved)

    model = sequential(FLOATS, GRU(U))
    shake(model, 3)
    assert onnx(model, tmp_path / "near.onnx") < 2e-6
    monkeypatch.setattr("gru_zoo.export.onnx_file.probes", off)
    assert onnx(model, tmp_path / "model.onnx") == pytest.approx(4e-6, rel=0.3)


class Mine(layers.GRU):
    """A subclass, which may compute anything."""


def with_other_mask():
    inputs = layers.Input(FLOATS)
    return keras.Model(inputs, GRU(U)(inputs, mask=keras.ops.greater(inputs[:, :, 0], 0)))


REFUSED = {
    "zoneout": (
        lambda: sequential(FLOATS, GRU(U, zoneout=0.2, name="g")),
        "'g'.*zoneout must be 0",
    ),
    "layer_norm": (
        lambda: sequential(FLOATS, GRU(U, layer_norm=True, name="g")),
        "'g'.*layer_norm",
    ),
    "activation": (
        lambda: sequential(FLOATS, layers.GRU(U, activation="relu", name="g")),
        "'g'.*activation must be 'tanh'",
    ),
    "stateful": (
        lambda: keras.Sequential(
            [layers.Input((T, D), batch_size=2), layers.GRU(U, stateful=True, name="g")]
        ),
        "stateful must be False.*'g'",
    ),
    "subclass": (lambda: sequential(FLOATS, Mine(U, name="g")), "'g' is a Mine"),
    "lstm": (lambda: sequential(FLOATS, layers.LSTM(U, name="l")), "'l' is a LSTM"),
    "attention": (
        lambda: (lambda x: keras.Model(x, layers.MultiHeadAttention(2, 2, name="m")(x, x)))(
            layers.Input(FLOATS)
        ),
        "'m' is a MultiHeadAttention",
    ),
    "both lstm": (lambda: sequential(FLOATS, BOTH(layers.LSTM(U), name="b")), "'b'.*got LSTM"),
    "unlike": (
        lambda: sequential(
            FLOATS, BOTH(GRU(U), backward_layer=GRU(5, go_backwards=True), name="b")
        ),
        "'b' must have the same units",
    ),
    "dense": (
        lambda: sequential(FLOATS, GRU(U), layers.Dense(2, "mish", name="d")),
        "activation of layer 'd' must be one of .*; got 'mish'",
    ),
    "operation": (
        lambda: (lambda x: keras.Model(x, keras.ops.sin(GRU(U)(x))))(layers.Input(FLOATS)),
        "is a Sin",
    ),
    "types": (
        lambda: sequential(FLOATS, GRU(U, dtype="mixed_float16", name="g")),
        "layer 'g' computes in float16",
    ),
    "convolution": (
        lambda: sequential((T, D), layers.Conv1D(3, 2, name="c"), GRU(U)),
        "layer 'c' .*must have padding 'causal' or 'same'",
    ),
    "axis": (
        lambda: sequential((T, D), layers.BatchNormalization(axis=1, name="n"), GRU(U)),
        "axis of layer 'n' must be -1 for ONNX; got 1",
    ),
    "axis of the steps": (
        lambda: sequential((T, D), layers.LayerNormalization(axis=1, name="n"), GRU(U)),
        "axis of layer 'n' must be -1, the last one, for ONNX; got 1",
    ),
    "neither scale nor centre": (
        lambda: sequential(
            FLOATS, layers.LayerNormalization(scale=False, center=False, name="n"), GRU(U)
        ),
        "layer 'n' must normalize one axis, with a scale or a centre",
    ),
    "mask": (with_other_mask, "must take the mask that its input carries"),
    "softmax": (
        lambda: embedded(GRU(U, return_sequences=True), layers.Softmax(name="s")),
        "'s' must be a softmax over axis -1 without a mask",
    ),
    "not built": (lambda: keras.Sequential([GRU(U)]), "model must be built"),
    "no model": (lambda: GRU(U), "must be a SequenceClassifier or .*; got GRU"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_before_anything_is_written(name, tmp_path):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as error:
        onnx(make(), tmp_path / "model.onnx")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_layer_that_is_called_twice_has_its_weights_in_the_file_once(tmp_path):
    a, b = (layers.Input(WORDS, dtype="int32", name=name) for name in "ab")
    words, gru = layers.Embedding(500, 16), GRU(24)
    read = layers.Concatenate()([gru(words(a)), gru(words(b))])
    model = keras.Model([a, b], layers.Dense(1)(read))
    onnx(model, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < 1.1 * 4 * model.count_params()


def test_an_existing_file_is_replaced_only_if_asked(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("of last week")
    model = sequential(FLOATS, GRU(U))
    with pytest.raises(FileExistsError, match="must be new, or overwrite=True; '.*model.onnx'"):
        onnx(model, path)
    assert path.read_text() == "of last week"
    onnx(model, path, overwrite=True)
    assert onnxruntime.InferenceSession(path).get_inputs()[0].name == "inputs"


def test_full_disk_leaves_the_old_file(tmp_path, full_disk):
    path = tmp_path / "model.onnx"
    path.write_text("of last week")
    model = sequential(FLOATS, GRU(40))
    with full_disk, pytest.raises(OSError, match="model.onnx' could not be written"):
        onnx(model, path, overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_text() == "of last week"


def test_without_the_packages_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'needs onnx: pip install "gru-zoo\[onnx\]"'):
        onnx(sequential(FLOATS, GRU(U)), tmp_path / "model.onnx")
