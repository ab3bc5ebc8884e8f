"""What export.tflite refuses before anything is written, and what its options change."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from gru_zoo import GRU, export
from gru_zoo.export.checks import arrays, inspection
from gru_zoo.export.flatbuffer.checksum_archive import unsealed
from tests.export import models
from tests.export.conftest import LABELS, make_classifier, shake
from tests.export.text_kinds import piece_classifier


@pytest.fixture(scope="module")
def keyword():
    model = keras.Sequential([keras.Input((9, 5)), GRU(32), layers.Dense(4)])
    shake(model, 5)
    return model


@pytest.fixture(scope="module")
def file(keyword, tmp_path_factory):
    path = tmp_path_factory.mktemp("keyword") / "keyword.tflite"
    assert export.tflite(keyword, path) < 1e-5
    return path


def buffers(path):
    """Sizes of a file's constants."""
    model = schema.ModelT.InitFromPackedBuf(unsealed(path))
    return [0 if b.data is None else len(b.data) for b in model.buffers]


def test_weights_are_there_once(keyword, file):
    cell = keyword.layers[0].cell
    sizes = buffers(file)
    for weight in (cell.kernel, cell.recurrent_kernel, keyword.layers[1].kernel):
        assert sizes.count(4 * int(np.prod(weight.shape))) == 1, weight.path
    states = ["inputs", f"state_{keyword.layers[0].name}"]
    assert Interpreter(str(file)).get_signature_list()["step"]["inputs"] == states
    assert sum(sizes) < 4 * keyword.count_params() + 2000


@pytest.mark.slow
def test_the_input_is_made_for_the_models_length_and_can_be_resized(file, keyword, tmp_path):
    interpreter = Interpreter(str(file))
    (about,) = interpreter.get_input_details()
    assert about["shape"].tolist() == [1, 9, 5]
    assert about["shape_signature"].tolist() == [1, -1, 5]
    export.tflite(make_classifier(), tmp_path / "long.tflite", sequence_length=31)
    (about,) = Interpreter(str(tmp_path / "long.tflite")).get_input_details()
    assert about["shape"].tolist() == [1, 31]


@pytest.mark.slow
def test_old_runtimes_can_be_asked_for(keyword, tmp_path):
    export.tflite(keyword, tmp_path / "new.tflite", "int8")
    export.tflite(keyword, tmp_path / "old.tflite", "int8", min_runtime="2.3")
    versions = [
        inspection.inspect(tmp_path / name)["min_runtime_version"]
        for name in ("new.tflite", "old.tflite")
    ]
    assert versions == ["2.17.0", "2.3.0"]
    with pytest.raises(ValueError, match=r"min_runtime must be at least 2\..* got '2.1'"):
        export.tflite(keyword, tmp_path / "older.tflite", "int8", min_runtime="2.1")
    assert not (tmp_path / "older.tflite").exists()


def test_gates_come_out_of_the_step(keyword, tmp_path):
    export.tflite(keyword, tmp_path / "gates.tflite", gates=True)
    outputs = Interpreter(str(tmp_path / "gates.tflite")).get_signature_list()["step"]["outputs"]
    name = keyword.layers[0].name
    assert {f"{name}_z", f"{name}_r"} < set(outputs)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("last", {"variant": "int8_full"}, "representative must be some sequences"),
        ("last", {"variant": "int8_full", "representative": []}, "representative must hold at"),
        (
            "last",
            {"variant": "int16x8", "representative": [np.full((4, 5), np.nan)]},
            "must be finite",
        ),
        (
            "last",
            {"variant": "int16x8", "representative": [np.zeros((4, 6))]},
            r"must have shape \[time, 5\]",
        ),
        ("last", {"representative": [np.zeros((4, 6))]}, r"must have shape \[time, 5\]"),
        ("last", {"variant": "mediapipe"}, "must be a SequenceClassifier for variant 'mediapipe'"),
        ("last", {"thresholds": 0.5}, "thresholds must be None"),
        (
            "both",
            {"variant": "int8_full", "representative": [np.zeros((4, 5))]},
            "it is bidirectional",
        ),
        ("both", {"gates": True}, "it is bidirectional"),
        ("last", {"texts": ["fine"]}, "texts must be None for variant 'float32' of this model"),
        (
            "last",
            {"variant": "int8_full", "sequence_length": 9},
            "sequence_length must be None for variant 'int8_full': it takes one step .*; got 9",
        ),
        ("last", {"sequence_length": 0}, "sequence_length must be an integer of at least 1"),
        ("last", {"seconds": None}, "seconds must be a number; got None"),
        ("last", {"seconds": "600"}, "seconds must be a number; got '600'"),
        ("last", {"seconds": 0}, "seconds must be a number above 0; got 0"),
        ("last", {"min_runtime": 2.3}, "min_runtime must be a version such as '2.17'"),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        export.tflite(models.make(name), tmp_path / "model.tflite", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([0.5, 0.5, 0.5], r"thresholds, unless they map each label to one, must be a number; got"),
        ("0.5", "thresholds, unless .* must be a number; got '0.5'"),
        (dict.fromkeys(LABELS, "0.5"), r"thresholds\['negative'\] must be a number; got '0.5'"),
        (1.5, "thresholds must lie between 0 and 1; got 1.5"),
    ],
)
@pytest.mark.parametrize("variant", ["float32", "mediapipe"])
def test_a_wrong_threshold_is_refused_before_the_conversion(
    tmp_path, monkeypatch, variant, thresholds, message
):
    for name in ("_both", "mediapipe.flat"):
        monkeypatch.setattr(f"gru_zoo.export.tflite_file.{name}", None)  # never reached
    with pytest.raises(ValueError, match=message):
        path = tmp_path / "model.tflite"
        export.tflite(make_classifier(), path, variant, thresholds=thresholds)
    assert not list(tmp_path.iterdir())


def test_thresholds_are_refused_for_word_pieces_that_mediapipe_cannot_read(tmp_path):
    with pytest.raises(ValueError, match="thresholds must be None for variant 'float32'"):
        export.tflite(piece_classifier(), tmp_path / "model.tflite", thresholds=0.5)


def test_a_length_that_is_not_the_models_own_is_refused(keyword, tmp_path):
    with pytest.raises(ValueError, match="sequence_length must be None or 9, .* own; got 77"):
        export.tflite(keyword, tmp_path / "model.tflite", sequence_length=77)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"texts": ["fine"]}, "texts must be None for variant 'int16x8'"),
        ({"sequence_length": 9}, "sequence_length must be None for variant 'int16x8'"),
    ],
)
def test_a_step_of_integers_takes_neither_texts_nor_a_length(option, message, tmp_path):
    options = {"representative": [np.ones(3, int)], **option}
    with pytest.raises(ValueError, match=message):
        export.tflite(make_classifier(), tmp_path / "model.tflite", "int16x8", **options)


@pytest.mark.slow
def test_a_file_is_compared_on_what_the_model_will_meet(tmp_path):
    model = keras.Sequential([keras.Input((None, 25)), GRU(32)])
    shake(model, 5)
    cell = model.layers[0].cell
    cell.kernel.assign(60 * cell.kernel)  # Integers' error of such a product is large.
    with pytest.raises(inspection.Refused, match="must be within 0.1 of the model"):
        export.tflite(model, tmp_path / "random.tflite", "int8")
    quiet = [np.random.default_rng(n).normal(0, 1e-3, (11 + n, 25)) for n in range(3)]
    path = tmp_path / "quiet.tflite"
    assert export.tflite(model, path, "int8", representative=quiet) < 0.05
    with pytest.raises(ValueError, match="must be None for variant 'mediapipe'"):
        ids = [np.ones(4, int)]
        export.tflite(make_classifier(), tmp_path / "m.tflite", "mediapipe", representative=ids)


@pytest.mark.slow
def test_a_vector_beside_a_sequence_is_compared_too(tmp_path):
    frames, about = keras.Input((None, 5), name="frames"), keras.Input((3,), name="about")
    out = layers.Concatenate()([GRU(7)(frames), about])
    model = keras.Model([frames, about], layers.Dense(4)(out))
    random = np.random.default_rng(0)
    item = {"frames": random.normal(size=(4, 5)), "about": random.normal(size=(4, 3))}
    assert export.tflite(model, tmp_path / "a.tflite", representative=[item]) < 1e-5


def test_a_path_that_exists_stays(keyword, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")
    with pytest.raises(FileExistsError, match=r"must be new, or overwrite=True; .*model.tflite"):
        export.tflite(keyword, path)
    assert path.read_bytes() == b"before"


def test_a_folder_that_cannot_be_written_is_found_out_first(keyword, tmp_path, monkeypatch):
    from gru_zoo.export import tflite_file

    monkeypatch.setattr(tflite_file, "_both", None)  # never reached
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", "/proc"):
        with pytest.raises(OSError):
            export.tflite(keyword, f"{folder}/model.tflite")


@pytest.mark.parametrize("name", ["last", "both"])
def test_a_weight_that_is_not_finite_is_refused(tmp_path, name):
    model = models.make(name)
    weight = model.trainable_variables[1]
    weight.assign(np.full(weight.shape, np.nan))
    with pytest.raises(ValueError, match="finite weights; .*holds NaN"):
        export.tflite(model, tmp_path / "model.tflite")


def test_a_file_cut_short_or_changed_is_refused(file, tmp_path):
    whole = file.read_bytes()
    path = tmp_path / "damaged.tflite"
    for share in (0, 0.3, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(inspection.Refused, match="must be a whole TFLite file"):
            inspection.inspect(path)
    for place in np.random.default_rng(1).integers(len(unsealed(file)), size=20):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(inspection.Refused, match="must be unchanged"):
            inspection.inspect(path)


def test_operators_outside_the_builtin_ones_are_refused():
    import tensorflow as tf

    from gru_zoo.export.signatures import to_builtins

    inverse = tf.function(lambda x: {"y": tf.linalg.inv(x)})
    function = inverse.get_concrete_function(tf.TensorSpec((1, 4, 4), tf.float32))
    with pytest.raises(ValueError, match="builtin operators"):
        to_builtins(function, tf.Module(), "float32")


@pytest.mark.parametrize("longest", [1, 7])
def test_a_file_made_for_few_steps_is_compared_as_any_other(longest, tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((None, 4)), layers.GRU(7)])
    lengths = []

    def streamed(path, inputs, like):
        lengths.append(len(inputs["inputs"]))
        return once(path, inputs, like)

    once = arrays.streamed
    monkeypatch.setattr(arrays, "streamed", streamed)
    export.tflite(model, tmp_path / "m.tflite", sequence_length=longest)
    assert lengths == [1, 7]
