"""The metadata inside a file, read back by ourselves and by MediaPipe's generated schema."""

import dataclasses
import io
import zipfile

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer import metadata
from gru_zoo.export.flatbuffer.checksum_archive import sealed, unsealed
from gru_zoo.export.flatbuffer.metadata import TextMetadata, attach, describe, read

TEXT = TextMetadata(
    vocabulary=b"<PAD> 0\n<START> 1\n<UNKNOWN> 2\ncaf\xc3\xa9 3\n",
    labels=("negative", "pos\u00edtive"),
    pattern=r"([^\p{L}]+)",
    name="a name",
    description="What it does.",
)


WORDS = dataclasses.replace(
    TEXT, vocabulary="".join(f"w\u00f6rd{n}\n" for n in range(500)).encode(), words_only=True
)
PIECES = TextMetadata(
    vocabulary=b"[PAD]\n[UNK]\n[CLS]\n[SEP]\ncaf\xc3\xa9\n",
    labels=("negative", "mixed", "positive"),
    pattern=None,
    thresholds=(0.5, 0.25, 0.75),
)


def tiny_model(weights: np.ndarray, inputs: int = 1) -> bytes:
    """Return a model without operators: inputs, an output, and a constant of many bytes."""
    model = schema.ModelT()
    model.version, model.operatorCodes = 3, []
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = weights.view(np.uint8)
    graph = schema.SubGraphT()
    graph.tensors = []
    for number in (*[0] * inputs, 0, 1):
        tensor = schema.TensorT()
        tensor.shape, tensor.buffer = np.array([weights.size if number else 1], np.int32), number
        graph.tensors.append(tensor)
    graph.inputs, graph.outputs, graph.operators = [*range(inputs)], [inputs], []
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(attach(tiny_model(np.arange(5, dtype=np.float32)), TEXT))
    return path


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        dataclasses.replace(TEXT, thresholds=(0.25,)),
        dataclasses.replace(TEXT, thresholds=(0.25, 0.5)),
        WORDS,
        PIECES,
        dataclasses.replace(PIECES, thresholds=()),
    ],
)
def test_reads_back_what_was_attached(tmp_path, text):
    model = tiny_model(np.arange(5, dtype=np.float32), len(text.inputs))
    (tmp_path / "tiny.tflite").write_bytes(attach(model, text))
    assert read(tmp_path / "tiny.tflite") == text


def test_word_pieces_need_three_inputs():
    with pytest.raises(ValueError, match="must have the inputs ids, mask, segment_ids; got 1"):
        attach(tiny_model(np.ones(1, np.float32)), PIECES)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ((0.5, 0.5, 0.5), "one for each of 2 labels; got 3"),
        ((0.0,), "must lie between 0 and 1; got 0.0"),
        ((1.0,), "must lie between 0 and 1; got 1.0"),
        ((float("nan"),), "must lie between 0 and 1; got nan"),
        ((0.5, 50), "must lie between 0 and 1; got 50"),
    ],
)
def test_thresholds_that_a_file_cannot_hold(thresholds, message):
    text = dataclasses.replace(TEXT, thresholds=thresholds)
    with pytest.raises(ValueError, match=message):
        attach(tiny_model(np.ones(1, np.float32)), text)


def test_attaching_again_replaces(path):
    other = dataclasses.replace(TEXT, name="another", labels=("x", "y", "z"))
    path.write_bytes(attach(path.read_bytes(), other))
    assert read(path) == other
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    assert [entry.name for entry in model.metadata] == [metadata.NAME]


def test_large_weights_stay_the_same_and_aligned(tmp_path):
    weights = np.random.default_rng(0).normal(size=3_000_001).astype(np.float32)
    path = tmp_path / "large.tflite"
    path.write_bytes(attach(tiny_model(weights), TEXT))
    data = path.read_bytes()
    model = schema.Model.GetRootAs(data)
    np.testing.assert_array_equal(model.Buffers(1).DataAsNumpy().view(np.float32), weights)
    for number in range(model.BuffersLength()):
        table = model.Buffers(number)._tab
        if table.Offset(4):
            assert table.Vector(table.Offset(4)) % 16 == 0
    assert read(path) == TEXT


def test_files_are_stored_uncompressed_and_undated(path):
    with zipfile.ZipFile(path) as archive:
        for file in archive.infolist():
            assert file.compress_type == zipfile.ZIP_STORED
            assert file.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read("labels.txt").decode() == "negative\npos\u00edtive\n"


def test_words_are_compressed_and_a_changed_byte_of_them_is_refused(tmp_path):
    whole, path = attach(tiny_model(np.ones(1, np.float32)), WORDS), tmp_path / "words.tflite"
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive:
        assert "vocab.txt" not in archive.namelist()
        words = archive.getinfo("words.txt")
    assert words.compress_size < len(WORDS.vocabulary) / 2
    start = whole.index(b"words.txt", words.header_offset) + len(b"words.txt")
    # A few bits at its ends say nothing: without them the words are the same.
    for place in range(start + 1, start + words.compress_size - 8, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        for opened in (read, unsealed):
            with pytest.raises(ValueError, match=r"path must be .*words.tflite"):
                opened(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("good", "good"), "labels must differ"),
        (("", "good"), "without line breaks; got ''"),
        (("go\nod", "bad"), "without line breaks; got 'go"),
    ],
)
def test_labels_that_a_file_cannot_hold(labels, message):
    with pytest.raises(ValueError, match=message):
        attach(tiny_model(np.ones(1, np.float32)), TextMetadata(b"", labels, " "))


def test_file_without_metadata_is_refused(tmp_path):
    path = tmp_path / "bare.tflite"
    path.write_bytes(tiny_model(np.ones(1, np.float32)))
    with pytest.raises(ValueError, match="must be a whole TFLite file; .*bare.tflite"):
        read(path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("something.txt", "else")
    bare = path.read_bytes()
    path.write_bytes(bare + archive.getvalue())
    with pytest.raises(ValueError, match="must be a whole TFLite file; .*bare.tflite"):
        read(path)
    path.write_bytes(sealed(bare))
    with pytest.raises(ValueError, match="with its vocabulary inside; .*bare.tflite is without"):
        read(path)


def test_mediapipes_schema_reads_the_tables():
    generated = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    packed = describe(TEXT)
    assert packed[4:8] == b"M001"
    root = generated.ModelMetadataT.InitFromObj(generated.ModelMetadata.GetRootAs(packed))
    assert (root.name, root.description) == (b"a name", b"What it does.")
    assert root.minParserVersion == b"1.2.1"
    (graph,) = root.subgraphMetadata
    (ids,), (probabilities,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    assert (ids.name, probabilities.name) == (b"ids", b"probabilities")
    (unit,) = ids.processUnits
    assert unit.optionsType == generated.ProcessUnitOptions.RegexTokenizerOptions
    assert unit.options.delimRegexPattern.decode() == TEXT.pattern
    (vocabulary,) = unit.options.vocabFile
    assert vocabulary.name == b"vocab.txt"
    assert vocabulary.type == generated.AssociatedFileType.VOCABULARY
    (labels,) = probabilities.associatedFiles
    assert labels.name == b"labels.txt"
    assert labels.type == generated.AssociatedFileType.TENSOR_AXIS_LABELS
    for tensor in (ids, probabilities):
        kind = generated.ContentProperties.FeatureProperties
        assert tensor.content.contentPropertiesType == kind


def test_mediapipes_schema_reads_word_pieces_and_thresholds():
    generated = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated")
    packed = describe(PIECES)
    root = generated.ModelMetadataT.InitFromObj(generated.ModelMetadata.GetRootAs(packed))
    (graph,) = root.subgraphMetadata
    names = [tensor.name for tensor in graph.inputTensorMetadata]
    assert names == [b"ids", b"mask", b"segment_ids"]
    (unit,) = graph.inputProcessUnits
    assert unit.optionsType == generated.ProcessUnitOptions.BertTokenizerOptions
    (vocabulary,) = unit.options.vocabFile
    assert vocabulary.name == b"vocab.txt"
    (probabilities,) = graph.outputTensorMetadata
    calibration, threshold = probabilities.processUnits
    assert calibration.optionsType == generated.ProcessUnitOptions.ScoreCalibrationOptions
    kind = generated.ScoreTransformationType.INVERSE_LOGISTIC
    assert calibration.options.scoreTransformation == kind
    assert calibration.options.defaultScore == -1
    assert threshold.optionsType == generated.ProcessUnitOptions.ScoreThresholdingOptions
    assert threshold.options.globalScoreThreshold == 0.25
    _, file = probabilities.associatedFiles
    assert file.name == b"score_calibration.txt"
    assert file.type == generated.AssociatedFileType.TENSOR_AXIS_SCORE_CALIBRATION
