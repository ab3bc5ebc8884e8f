"""What a check measures, and what it refuses."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from gru_zoo import export
from gru_zoo.export.checks import classifier_check, inspection, limits
from gru_zoo.export.flatbuffer import metadata
from gru_zoo.export.flatbuffer.checksum_archive import sealed
from tests.export.conftest import LABELS, REVIEWS, VARIANTS, random_reviews


@pytest.fixture(scope="module")
def reference(classifier):
    texts = random_reviews(250) + REVIEWS
    return classifier_check.Reference.of(classifier, texts, np.arange(len(texts)) % len(LABELS))


@pytest.mark.parametrize("variant", ["saved_model", *VARIANTS])
def test_record(classifier, exported, reference, variant):
    seen = []
    record = classifier_check.check(
        exported[variant],
        reference,
        variant,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert json.loads(json.dumps(record)) == record
    path = exported[variant]
    files = path.rglob("*") if path.is_dir() else [path]
    assert record["bytes"] == sum(file.stat().st_size for file in files if file.is_file())
    assert record["variant"] == variant
    assert record["texts"] == len(reference.texts) == seen[-1][0] == seen[-1][1]
    assert 0 < record["latency_ms"] < 1000
    expected = classifier.predict(reference.ids, verbose=0)
    accuracy = np.mean(expected.argmax(axis=1) == reference.labels)
    assert record["model_metric"] == pytest.approx(accuracy)
    assert record["metric"] == pytest.approx(accuracy, abs=0.02)
    assert record["largest_difference"] <= limits.LIMITS[variant].difference
    if variant == "int8":
        assert record["largest_difference"] > 1e-5
        assert tuple(map(int, record["min_runtime_version"].split("."))) >= (2, 3)


def test_threads_do_not_change_the_result(exported, reference):
    one = classifier_check.run(exported["int8"], reference, threads=1)
    np.testing.assert_array_equal(one, classifier_check.run(exported["int8"], reference, threads=3))


def test_no_labels_no_accuracy(classifier, exported):
    record = classifier_check.check(
        exported["float32"], classifier_check.Reference.of(classifier, ["good"]), "float32"
    )
    assert record["metric"] is record["model_metric"] is None


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 0.999])
def test_file_cut_short_is_refused(exported, reference, tmp_path, share):
    whole = exported["int8"].read_bytes()
    path = tmp_path / "short.tflite"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(export.Refused, match="must be a whole TFLite file.*short.tflite"):
        classifier_check.check(path, reference, "int8")


def test_any_changed_byte_is_refused(exported, reference, tmp_path):
    whole = exported["int8"].read_bytes()
    path = tmp_path / "changed.tflite"
    with metadata.zipfile.ZipFile(exported["int8"]) as archive:
        end_of_content = archive.start_dir  # after it: the archive's own directory
    for place in np.random.default_rng(2).integers(end_of_content, size=60):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        try:
            classifier_check.compare(path, reference, "int8")
        except export.Refused:
            continue
        # Only a header of the archive that repeats its directory may change unseen.
        assert metadata.read(path) == metadata.read(exported["int8"])
        assert place > whole.index(b"PK\x03\x04")


def test_file_that_is_not_there_says_so(reference, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.tflite"):
        classifier_check.check(tmp_path / "absent.tflite", reference, "float32")


def test_folder_that_is_no_saved_model_is_refused(reference, tmp_path):
    with pytest.raises(export.Refused, match="must be a SavedModel's folder"):
        classifier_check.check(tmp_path, reference, "saved_model")
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(export.Refused, match="must be a SavedModel's folder"):
        classifier_check.check(tmp_path, reference, "saved_model")


def test_operator_outside_the_builtin_ones_is_refused(tmp_path):
    class Sine(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 4, 4], tf.float32)])
        def __call__(self, x):
            return tf.linalg.inv(x)

    module = Sine()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.__call__.get_concrete_function()], module
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    path = tmp_path / "flex.tflite"
    path.write_bytes(sealed(converter.convert()))
    with pytest.raises(export.Refused, match="builtin operators only.*FlexMatrixInverse"):
        inspection.inspect(path)


def changed(reference, rows, probabilities, labels=None):
    """Return a reference whose model said something else about some texts."""
    new = reference.probabilities.copy()
    new[rows] = probabilities
    return dataclasses.replace(reference, probabilities=new, labels=labels)


def test_difference_beyond_the_limit_is_refused_and_named(exported, reference):
    moved = reference.probabilities[241] + np.float32([3e-5, -3e-5, 0])
    with pytest.raises(export.Refused, match=r"within 1e-05 .* difference of 3.*e-05 on text 241"):
        classifier_check.check(exported["float32"], changed(reference, 241, moved), "float32")


def one_text(*probabilities):
    """Return what a model says of one text."""
    return limits.Expected(np.float32([probabilities]))


def test_float16_keeps_the_label_of_a_decided_text():
    decided, undecided = one_text(0.3, 0.3475, 0.3525), one_text(0.3, 0.3499, 0.3501)
    other_label = np.float32([[0.3, 0.351, 0.349]])
    assert limits.judge("x", other_label, undecided, "float16") == pytest.approx(1.1e-3, rel=0.01)
    with pytest.raises(export.Refused, match="must give the model's label; .* on text 0"):
        limits.judge("x", other_label, decided, "float16")


# In numbers, for whoever changes `limits.LIMITS`.
FAR = {
    **dict.fromkeys(("saved_model", "onnx", "float32", "mediapipe"), 1e-5),
    "float16": 1e-2,
    **dict.fromkeys(("int8", "int8_full", "int16x8"), 1e-1),
    "int4": 3e-1,
}


def test_each_variant_has_its_limit():
    assert FAR.keys() == limits.LIMITS.keys()
    model = one_text(0.9, 0.1)
    for variant, limit in FAR.items():
        near, far = (
            model.probabilities + share * limit * np.float32([[-1, 1]]) for share in (0.9, 1.1)
        )
        assert limits.judge("x", near, model, variant) == pytest.approx(0.9 * limit, rel=0.02)
        with pytest.raises(export.Refused, match=f"must be within {limit:g} of the model's prob"):
            limits.judge("x", far, model, variant)


@pytest.mark.parametrize("variant", ["int8", "int8_full", "int16x8"])
def test_integers_may_lose_half_a_point(variant):
    """A thousand texts in two classes: five labels may be lost, not six."""
    count = limits.ENOUGH_TEXTS
    model = np.tile(np.float32([[0.45, 0.55]]), (count, 1))
    wide = limits.Expected(model, np.ones(count))
    for lost, allowed in ((5, True), (6, False)):
        file = model.copy()
        file[-lost:] = file[-lost:, ::-1]
        if allowed:
            assert limits.judge("x", file, wide, variant) == pytest.approx(0.1)
        else:
            with pytest.raises(export.Refused, match="more than 0.5 points .* a fall of 0.60"):
                limits.judge("x", file, wide, variant)


def test_nan_is_refused(reference):
    given = reference.probabilities.copy()
    given[7, 1] = np.nan
    with pytest.raises(export.Refused, match="on text 7"):
        limits.judge("x", given, reference, "int8")


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ([], None, "texts must be at least one text"),
        ("good", None, "texts must be at least one text in a list; got 'good'"),
        (["good"], [0, 1], "labels must be one for each of 1; got 2"),
    ],
)
def test_reference_names_what_is_wrong(classifier, texts, labels, message):
    with pytest.raises(ValueError, match=message):
        classifier_check.Reference.of(classifier, texts, labels)


def test_unknown_variant_suggests_a_near_name(exported, reference):
    with pytest.raises(ValueError, match="variant must be one of .*'int8'"):
        classifier_check.check(exported["int8"], reference, "int9")


def tiled(count, *probabilities):
    model = np.tile(np.float32([probabilities]), (count, 1))
    return limits.Expected(model, np.ones(count))


def test_of_few_texts_half_a_point_is_noise():
    few = tiled(limits.ENOUGH_TEXTS - 1, 0.45, 0.55)
    file = few.probabilities.copy()
    file[-6:] = file[-6:, ::-1]
    assert limits.judge("x", file, few, "int8") == pytest.approx(0.1)


@pytest.mark.parametrize("place", [1, limits.GOLDENS - 1, limits.GOLDENS])
def test_every_golden_keeps_its_label(place):
    many = tiled(limits.GOLDENS + 1, 0.498, 0.502)
    file = many.probabilities.copy()
    file[place] = file[place, ::-1]
    if place == limits.GOLDENS:
        assert limits.judge("x", file, many, "float16") == pytest.approx(0.004, rel=0.01)
        return
    with pytest.raises(export.Refused, match=f"another one on text {place}"):
        limits.judge("x", file, many, "float16")
