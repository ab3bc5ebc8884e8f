"""TFLite metadata: what a device needs besides the numbers, inside the model file itself.

A `.tflite` file is one flatbuffer. Its named metadata buffer `TFLITE_METADATA` holds a second
flatbuffer that describes inputs and outputs, and a ZIP archive appended to the file holds the
files the description names. The tables are those of TensorFlow Lite's `metadata_schema.fbs`;
only the fields that a text classifier needs are written here.

    ModelMetadata
      SubGraphMetadata
        input   "ids"            RegexTokenizerOptions: pattern, vocab.txt
        output  "probabilities"  labels.txt
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table

NAME = b"TFLITE_METADATA"
VOCABULARY_FILE = "vocab.txt"
LABELS_FILE = "labels.txt"
CHECKSUM_FILE = "sha256.txt"  # of all bytes before the archive; no runtime reads it, `read` does

# Enumerations of metadata_schema.fbs.
_FILE_LABELS, _FILE_VOCABULARY = 2, 5  # AssociatedFileType.TENSOR_AXIS_LABELS, .VOCABULARY
_CONTENT_FEATURE = 1  # ContentProperties.FeatureProperties
_UNIT_REGEX_TOKENIZER = 6  # ProcessUnitOptions.RegexTokenizerOptions
# The first version of the schema whose parsers know RegexTokenizerOptions.
_PARSER_VERSION = "1.2.1"


@dataclasses.dataclass(frozen=True)
class TextMetadata:
    """What a text classifier's file says about itself.

    Attributes:
        vocabulary: bytes of the vocabulary file, a word and its id on each line.
        labels: names of the classes, in the order of the probabilities.
        pattern: RE2 pattern of what stands between words.
        name: the model's name, for people.
        description: one sentence, for people.
    """

    vocabulary: bytes
    labels: tuple[str, ...]
    pattern: str
    name: str = "text classifier"
    description: str = ""


class AlignedBuilder(flatbuffers.Builder):
    """A flatbuffer builder that puts byte vectors on 16 bytes, as the TFLite schema asks.

    The generated Python code does not know the schema's `force_align`; kernels that load whole
    vector registers from a weight do.
    """

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802, D102
        if x.dtype == np.uint8:
            self.Prep(16, x.nbytes)
        return super().CreateNumpyVector(x)


def attach(model: bytes, metadata: TextMetadata) -> bytes:
    """Return a TFLite file with the metadata and its files inside.

    The first input is named "ids" and the first output "probabilities", in the tensors as well as
    in the metadata.

    Args:
        model: bytes of a `.tflite` file with one input and one output.
        metadata: what to say about it.

    Returns:
        The new file's bytes; the weights are the same, byte for byte.

    Raises:
        ValueError: a label is empty, repeated or holds a line break.

    Example:
        >>> text = TextMetadata(b"<PAD> 0\\n", labels=("negative", "positive"), pattern=r"(\\W+)")
        >>> file = attach(converter.convert(), text)  # doctest: +SKIP
    """
    _check_labels(metadata.labels)
    content = schema.ModelT.InitFromPackedBuf(model)
    main = content.subgraphs[0]
    main.tensors[main.inputs[0]].name = "ids"
    main.tensors[main.outputs[0]].name = "probabilities"

    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(describe(metadata), np.uint8)
    entry.name, entry.buffer = NAME.decode(), len(content.buffers)
    content.buffers.append(buffer)
    content.metadata = [m for m in content.metadata or [] if m.name != NAME] + [entry]

    builder = AlignedBuilder(len(model) + 2**16)
    builder.Finish(content.Pack(builder), b"TFL3")
    content = bytes(builder.Output())
    files = {
        VOCABULARY_FILE: metadata.vocabulary,
        LABELS_FILE: "".join(f"{label}\n" for label in metadata.labels).encode(),
        CHECKSUM_FILE: hashlib.sha256(content).hexdigest().encode(),
    }
    return content + _archive(files)


def describe(metadata: TextMetadata) -> bytes:
    """Return the `ModelMetadata` flatbuffer (file identifier M001) for a text classifier."""
    builder = flatbuffers.Builder(1024)
    files = {
        name: _table(builder, 5, {0: name, 1: text, 2: kind})
        for name, text, kind in (
            (VOCABULARY_FILE, "Words and their ids.", _FILE_VOCABULARY),
            (LABELS_FILE, "Names of the classes, one a line.", _FILE_LABELS),
        )
    }
    vocabulary = _vector(builder, [files[VOCABULARY_FILE]])
    tokenizer = _table(builder, 2, {0: metadata.pattern, 1: vocabulary})
    unit = _table(builder, 2, {0: _UNIT_REGEX_TOKENIZER, 1: tokenizer})
    feature = _table(builder, 3, {0: _CONTENT_FEATURE, 1: _table(builder, 0, {})})
    ids = _tensor(builder, "ids", "Word ids of the text.", feature, units=[unit])
    probabilities = _tensor(
        builder, "probabilities", "One probability a label.", feature, files=[files[LABELS_FILE]]
    )
    inputs, outputs = _vector(builder, [ids]), _vector(builder, [probabilities])
    subgraph = _table(builder, 10, {2: inputs, 3: outputs})
    fields = {
        0: metadata.name,
        1: metadata.description,
        3: _vector(builder, [subgraph]),
        7: _PARSER_VERSION,
    }
    builder.Finish(_table(builder, 8, fields), b"M001")
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
    data = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            start = min(file.header_offset for file in archive.infolist())
            checksum = archive.read(CHECKSUM_FILE).decode()
            vocabulary = archive.read(VOCABULARY_FILE)
            labels = archive.read(LABELS_FILE).decode().split("\n")[:-1]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ValueError(
            f"path must be a whole TFLite file with its vocabulary inside; {path} is cut short, "
            f"changed or without one: {error}"
        ) from error
    if hashlib.sha256(data[:start]).hexdigest() != checksum:
        raise ValueError(f"path must be unchanged since it was written; {path} has other bytes.")
    model = schema.Model.GetRootAs(data)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    number = next(entry.Buffer() for entry in entries if entry.Name() == NAME)
    root = _Reader.root(model.Buffers(number).DataAsNumpy().tobytes())
    tokenizer = root.first(3).first(2).first(4).child(1)
    return TextMetadata(
        vocabulary, tuple(labels), tokenizer.string(0), root.string(0), root.string(1)
    )


def _check_labels(labels: Sequence[str]) -> None:
    for label in labels:
        if not label or "\n" in label or "\r" in label:
            raise ValueError(f"labels must be names without line breaks; got {label!r}.")
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels must differ from each other; got {tuple(labels)!r}.")


def _archive(files: dict[str, bytes]) -> bytes:
    """Return a ZIP archive: stored, because devices map the file instead of unpacking it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            # ZipInfo's date is fixed in 1980: the same model gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def _tensor(
    builder: flatbuffers.Builder,
    name: str,
    description: str,
    content: Any,
    units: Sequence[Any] = (),
    files: Sequence[Any] = (),
) -> Any:
    fields = {0: name, 1: description, 3: content}
    if units:
        fields[4] = _vector(builder, units)
    if files:
        fields[6] = _vector(builder, files)
    return _table(builder, 7, fields)


class _Offset(int):
    """The place of a finished table in a builder."""


def _vector(builder: flatbuffers.Builder, tables: Sequence[_Offset]) -> _Offset:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return _Offset(builder.EndVector())


def _table(builder: flatbuffers.Builder, slots: int, fields: dict[int, Any]) -> _Offset:
    """Write a table: strings and offsets by reference, other numbers as single bytes."""
    values = {
        slot: _Offset(builder.CreateString(value)) if isinstance(value, str) else value
        for slot, value in fields.items()
    }
    builder.StartObject(slots)
    for slot, value in values.items():
        if isinstance(value, _Offset):
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        else:
            builder.PrependUint8Slot(slot, value, 0)
    return _Offset(builder.EndObject())


class _Reader:
    """A table of a flatbuffer, read by slot numbers."""

    def __init__(self, data: bytes, position: int) -> None:
        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> _Reader:
        return cls(data, int.from_bytes(data[:4], "little"))

    def _field(self, slot: int) -> int:
        offset = self._table.Offset(4 + 2 * slot)
        if not offset:
            raise ValueError(f"the metadata has no field {slot} where a text classifier has one.")
        return offset

    def string(self, slot: int) -> str:
        return self._table.String(self._field(slot) + self._table.Pos).decode()

    def child(self, slot: int) -> _Reader:
        return _Reader(self._table.Bytes, self._table.Indirect(self._field(slot) + self._table.Pos))

    def first(self, slot: int) -> _Reader:
        return _Reader(
            self._table.Bytes, self._table.Indirect(self._table.Vector(self._field(slot)))
        )
