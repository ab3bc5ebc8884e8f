"""TFLite metadata: what a device needs besides the numbers, inside the model file itself.

A `.tflite` file is one flatbuffer. Its named metadata buffer `TFLITE_METADATA` holds a second
flatbuffer that describes inputs and outputs, and a ZIP archive appended to the file holds the
files the description names. The tables are those of TensorFlow Lite's `metadata_schema.fbs`;
only the fields that a text classifier needs are written here.

    ModelMetadata
      SubGraphMetadata
        input "ids"              words: RegexTokenizerOptions with pattern and vocab.txt, or
                                 words.txt, where MediaPipe is not the reader
        "mask", "segment_ids"    WordPiece: two more inputs
        input process unit       WordPiece: BertTokenizerOptions with vocab.txt
        output "probabilities"   labels.txt; a threshold for all labels: ScoreThresholdingOptions;
                                 one for each: ScoreCalibrationOptions, score_calibration.txt

The calibration is the identity where a score reaches its label's threshold, and NO_SCORE below it,
which the global threshold then removes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import zipfile
from collections.abc import Sequence

import flatbuffers
import flatbuffers.number_types as types
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from gru_zoo.export.flatbuffer.checksum_archive import CHECKSUM_FILE, unsealed
from gru_zoo.export.flatbuffer.flat_tables import Offset, Reader, table, vector
from gru_zoo.export.flatbuffer.packing import packed

NAME = b"TFLITE_METADATA"
VOCABULARY_FILE = "vocab.txt"
WORDS_FILE = "words.txt"
LABELS_FILE = "labels.txt"

CALIBRATION_FILE = "score_calibration.txt"
WORD_INPUTS = ("ids",)
PIECE_INPUTS = ("ids", "mask", "segment_ids")  # names that MediaPipe looks for
NO_SCORE = -1.0

# Enumerations of metadata_schema.fbs.
# AssociatedFileType.TENSOR_AXIS_LABELS, .TENSOR_AXIS_SCORE_CALIBRATION, .VOCABULARY
_FILE_LABELS, _FILE_CALIBRATION, _FILE_VOCABULARY = 2, 4, 5
_CONTENT_FEATURE = 1  # ContentProperties.FeatureProperties
# ProcessUnitOptions.ScoreCalibrationOptions, .ScoreThresholdingOptions, .BertTokenizerOptions,
# .RegexTokenizerOptions
_UNIT_CALIBRATION, _UNIT_THRESHOLD, _UNIT_BERT, _UNIT_REGEX = 2, 3, 4, 6
_INVERSE_LOGISTIC = 2  # ScoreTransformationType: log(x) - log(1 - x)
# The first version of the schema whose parsers know RegexTokenizerOptions.
_PARSER_VERSION = "1.2.1"


@dataclasses.dataclass(frozen=True)
class TextMetadata:
    """What a text classifier's file says about itself.

    Attributes:
        vocabulary: bytes of the vocabulary file: a word and its id on each line; with `words_only`
            a word, or for WordPiece a piece, on each line, in the order of their ids.
        labels: names of the classes, in the order of the probabilities.
        pattern: RE2 pattern of what stands between words; None says that the vocabulary is
            WordPiece's.
        thresholds: probabilities below which MediaPipe leaves a label out of its answer: none,
            one for all labels, or one for each.
        name: the model's name, for people.
        description: one sentence, for people.
        words_only: whether the reader makes a word's other spellings. MediaPipe does not.
    """

    vocabulary: bytes
    labels: tuple[str, ...]
    pattern: str | None
    thresholds: tuple[float, ...] = ()
    name: str = "text classifier"
    description: str = ""
    words_only: bool = False

    @property
    def vocabulary_file(self) -> str:
        """Name of the vocabulary's file."""
        return WORDS_FILE if self.words_only else VOCABULARY_FILE

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the file's inputs."""
        return PIECE_INPUTS if self.pattern is None else WORD_INPUTS


def attach(model: bytes, metadata: TextMetadata) -> bytes:
    """Return a TFLite file with the metadata and its files inside.

    The inputs are named "ids" (and "mask", "segment_ids" for WordPiece) and the first output
    "probabilities", in the tensors as well as in the metadata.

    Args:
        model: bytes of a `.tflite` file with those inputs, in that order, and one output.
        metadata: what to say about it.

    Returns:
        The new file's bytes; the weights are the same, byte for byte.

    Raises:
        ValueError: a label is empty, repeated or holds a line break; another number of thresholds
            than none, one, or one a label; a threshold out of range; another number of inputs.

    Example:
        >>> text = TextMetadata(b"<PAD> 0\\n", labels=("negative", "positive"), pattern=r"(\\W+)")
        >>> file = attach(converter.convert(), text)  # doctest: +SKIP
    """
    _check_labels(metadata.labels)
    check_thresholds(metadata)
    content = schema.ModelT.InitFromPackedBuf(model)
    main = content.subgraphs[0]
    if len(main.inputs) != len(metadata.inputs):
        raise ValueError(
            f"model must have the inputs {', '.join(metadata.inputs)}; got {len(main.inputs)}."
        )
    for number, name in zip(main.inputs, metadata.inputs, strict=True):
        main.tensors[number].name = name
    main.tensors[main.outputs[0]].name = "probabilities"

    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(describe(metadata), np.uint8)
    entry.name, entry.buffer = NAME.decode(), len(content.buffers)
    content.buffers.append(buffer)
    content.metadata = [m for m in content.metadata or [] if m.name != NAME] + [entry]

    content = packed(content)
    files = {
        metadata.vocabulary_file: metadata.vocabulary,
        LABELS_FILE: "".join(f"{label}\n" for label in metadata.labels).encode(),
        **({CALIBRATION_FILE: _calibration(metadata)} if len(metadata.thresholds) > 1 else {}),
        CHECKSUM_FILE: hashlib.sha256(content).hexdigest().encode(),
    }
    return content + _archive(files)


def describe(metadata: TextMetadata) -> bytes:
    """Return the `ModelMetadata` flatbuffer (file identifier M001) for a text classifier."""
    builder = flatbuffers.Builder(1024)
    vocabulary = vector(builder, [_file(builder, metadata.vocabulary_file, _FILE_VOCABULARY)])
    subgraph = {}
    if metadata.pattern is None:
        inputs = [_tensor(builder, name) for name in metadata.inputs]
        bert = table(builder, 1, {0: vocabulary})
        subgraph[5] = vector(builder, [_unit(builder, _UNIT_BERT, bert)])
    else:
        regex = table(builder, 2, {0: metadata.pattern, 1: vocabulary})
        inputs = [_tensor(builder, "ids", units=[_unit(builder, _UNIT_REGEX, regex)])]
    files, units = _scores(builder, metadata.thresholds)
    outputs = vector(builder, [_tensor(builder, "probabilities", units, files)])
    subgraph |= {2: vector(builder, inputs), 3: outputs}
    fields = {
        0: metadata.name,
        1: metadata.description,
        3: vector(builder, [table(builder, 10, subgraph)]),
        7: _PARSER_VERSION,
    }
    builder.Finish(table(builder, 8, fields), b"M001")
    return bytes(builder.Output())


def read(path: str | os.PathLike) -> TextMetadata:
    """Read back what `attach` put into a file.

    Args:
        path: a `.tflite` file.

    Raises:
        ValueError: the file holds no such metadata, is cut short, or a byte of it has changed.

    Example:
        >>> read("saved_models/sentiment_imdb_gru_small/model_int8.tflite").labels  # doctest: +SKIP
        ('negative', 'positive')
    """
    content = unsealed(path)
    try:
        with zipfile.ZipFile(path) as archive:
            words_only = WORDS_FILE in archive.namelist()
            vocabulary = archive.read(WORDS_FILE if words_only else VOCABULARY_FILE)
            labels = archive.read(LABELS_FILE).decode().split("\n")[:-1]
            calibrated = CALIBRATION_FILE in archive.namelist()
            calibration = archive.read(CALIBRATION_FILE).decode() if calibrated else ""
    except KeyError as error:
        raise ValueError(
            f"path must be a TFLite file with its vocabulary inside; {path} is without: {error}"
        ) from error
    model = schema.Model.GetRootAs(content)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    number = next(entry.Buffer() for entry in entries if entry.Name() == NAME)
    root = Reader.root(model.Buffers(number).DataAsNumpy().tobytes())
    (subgraph,) = root.children(3)
    words = _options(subgraph.children(2)[0].children(4), _UNIT_REGEX)
    threshold = _options(subgraph.children(3)[0].children(4), _UNIT_THRESHOLD)
    thresholds = () if threshold is None else (threshold.number(0),)
    if calibration:
        thresholds = tuple(float(line.split(",")[-1]) for line in calibration.splitlines())
    return TextMetadata(
        vocabulary,
        tuple(labels),
        None if words is None else words.string(0),
        tuple(float(np.float32(value)) for value in thresholds),
        root.string(0),
        root.string(1),
        words_only,
    )


def _options(units: Sequence[Reader], kind: int) -> Reader | None:
    """Return the options of the first process unit of a kind."""
    found = (unit for unit in units if unit.number(0, types.Uint8Flags) == kind)
    return next((unit.child(1) for unit in found), None)


def _check_labels(labels: Sequence[str]) -> None:
    for label in labels:
        if not label or "\n" in label or "\r" in label:
            raise ValueError(f"labels must be names without line breaks; got {label!r}.")
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels must differ from each other; got {tuple(labels)!r}.")


def check_thresholds(metadata: TextMetadata) -> None:
    """Raise ValueError unless the thresholds fit the labels and lie between 0 and 1."""
    count = len(metadata.thresholds)
    if count not in (0, 1, len(metadata.labels)):
        raise ValueError(
            f"thresholds must be one, or one for each of {len(metadata.labels)} labels; "
            f"got {count}."
        )
    for value in metadata.thresholds:
        if not 0 < value < 1:
            raise ValueError(f"thresholds must lie between 0 and 1; got {value!r}.")


def _calibration(metadata: TextMetadata) -> bytes:
    """Return score_calibration.txt: scale, slope, offset and least score of each label.

    MediaPipe takes a line break at the end for one more label.
    """
    return "\n".join(f"1,1,0,{np.float32(value)}" for value in metadata.thresholds).encode()


def _scores(
    builder: flatbuffers.Builder, thresholds: Sequence[float]
) -> tuple[list[Offset], list[Offset]]:
    """Return the files and process units of the output."""
    files, units = [_file(builder, LABELS_FILE, _FILE_LABELS)], []
    if len(thresholds) > 1:
        files.append(_file(builder, CALIBRATION_FILE, _FILE_CALIBRATION))
        options = table(builder, 2, {0: _INVERSE_LOGISTIC, 1: NO_SCORE})
        units.append(_unit(builder, _UNIT_CALIBRATION, options))
    if thresholds:
        options = table(builder, 1, {0: float(min(thresholds))})
        units.append(_unit(builder, _UNIT_THRESHOLD, options))
    return files, units


def _archive(files: dict[str, bytes]) -> bytes:
    """Return a ZIP archive: stored, because MediaPipe maps the file instead of unpacking it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            kind = zipfile.ZIP_DEFLATED if name == WORDS_FILE else zipfile.ZIP_STORED
            # ZipInfo's date is fixed in 1980: the same model gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return stream.getvalue()


def _file(builder: flatbuffers.Builder, name: str, kind: int) -> Offset:
    return table(builder, 5, {0: name, 2: kind})


def _unit(builder: flatbuffers.Builder, kind: int, options: Offset) -> Offset:
    return table(builder, 2, {0: kind, 1: options})


def _tensor(
    builder: flatbuffers.Builder,
    name: str,
    units: Sequence[Offset] = (),
    files: Sequence[Offset] = (),
) -> Offset:
    feature = table(builder, 3, {0: _CONTENT_FEATURE, 1: table(builder, 0, {})})
    fields = {0: name, 3: feature}
    if units:
        fields[4] = vector(builder, units)
    if files:
        fields[6] = vector(builder, files)
    return table(builder, 7, fields)
