"""A translator as files: an encoder and a decoder's step, each TFLite or both in a SavedModel.

    encoder    ids [1, time]                                       ->  keys, values [1, time, units]
    decoder    ids [1, beams], state_i [1, beams, units], keys, values
                                      ->  logits [1, beams, subwords], state_i after the step

The device resizes time and beams; the search itself stands in `lite_translator`. The SavedModel's
two signatures, `encoder` and `decoder`, take any number of sentences, and the encoder gives a mask
that the decoder asks for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.arguments import one_of
from gru_zoo.export.flatbuffer.checksum_archive import sealed
from gru_zoo.export.flatbuffer.packing import slim
from gru_zoo.export.flatbuffer.tied import QuantizedRows, share_rows
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.programs import require_finite
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.names import STATE
from gru_zoo.export.runners.lite_translator import SUBWORDS
from gru_zoo.export.signatures import convert, named
from gru_zoo.export.variants import BASIC
from gru_zoo.files import atomic_write
from gru_zoo.layers.kernels import forced
from gru_zoo.models.seq2seq import Seq2Seq

# Sizes that a file is made for where nobody resizes its inputs.
TIME = 16


class EncoderGraph(tf.Module):
    """`Seq2Seq.read` of one sentence without padding; holds the variables.

    Args:
        model: a translator of GRUs.

    Raises:
        ValueError: another cell.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> graph = EncoderGraph(model)
        >>> graph.encode(tf.ones((1, 5), tf.int32))["keys"].shape
        TensorShape([1, 5, 6])
    """

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        _require_gru(model)
        vectors = x = keras.Input((None, model.dim))
        for reader in model.readers:
            x = reader(x)
        both = keras.Model(vectors, [model.attention.key(x), model.attention.value(x)])
        self.whole = SequenceGraph(Network(both))
        self.table = model.embedding.embeddings.value
        self.scale = model.dim**0.5

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((1, None), tf.int32, "ids")])
    def encode(self, ids: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return keys and values [1, time, units]."""
        outputs = self.whole.whole(inputs=tf.gather(self.table, ids) * self.scale)
        return dict(zip(("keys", "values"), outputs.values(), strict=True))


class DecoderGraph(tf.Module):
    """`Seq2Seq.step` for the beams of one sentence; holds the variables.

    Args:
        model: a translator of GRUs.
        rows: look subwords up in `QuantizedRows`, which the output's matrix can share.

    Raises:
        ValueError: another cell.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> sorted(DecoderGraph(model).specs)
        ['ids', 'keys', 'state_0', 'state_1', 'values']
    """

    def __init__(self, model: Seq2Seq, rows: bool = False) -> None:
        super().__init__()
        _require_gru(model)
        self.specs = _specs(model, sentences=1)
        del self.specs["mask"]
        look_up = model.embedding
        if rows:
            look_up = QuantizedRows(look_up.embeddings.numpy(), scale=model.dim**0.5)
        self._step = lambda **arrays: _step(model, arrays, None, look_up)
        self.model_variables = [variable.value for variable in model.variables]

    @tf.function(autograph=False)
    def decode(self, **arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the logits and the states after a step, by name."""
        return self._step(**arrays)


class TranslationServer(tf.Module):
    """Encoder and decoder for many sentences at once, for a SavedModel; holds the variables.

    Args:
        model: a translator with a recurrent cell.

    Raises:
        ValueError: a Transformer, whose decoder has no state.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> sorted(TranslationServer(model).signatures())
        ['decoder', 'encoder']
    """

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        one_of("cell", model.cell, ("gru", "lstm", "rnn"))

        def read(ids: tf.Tensor) -> dict[str, tf.Tensor]:
            with forced("loop"):
                return dict(zip(("keys", "values", "mask"), model.read(ids), strict=True))

        def step(**arrays: tf.Tensor) -> dict[str, tf.Tensor]:
            return _step(model, arrays, arrays["mask"], model.embedding)

        self.encoder = tf.function(read, autograph=False)
        self.decoder = tf.function(step, autograph=False)
        self.model_variables = [variable.value for variable in model.variables]
        self._specs = _specs(model, sentences=None)

    def signatures(self) -> dict[str, Any]:
        """Return the concrete functions that are served."""
        ids = tf.TensorSpec((None, None), tf.int32, "ids")
        return {
            "encoder": self.encoder.get_concrete_function(ids=ids),
            "decoder": self.decoder.get_concrete_function(**self._specs),
        }


def encoder_file(model: Seq2Seq, path: str | os.PathLike, variant: str = "float32") -> None:
    """Write the encoder as a `.tflite` file, with the subwords behind it.

    Args:
        model: a translator of GRUs.
        path: the file; an older one is replaced.
        variant: "float32", "float16" or "int8" (weights; products partly in integers).

    Raises:
        ValueError: another cell, an unknown variant, or a weight that is not finite.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> encoder_file(model, "encoder_float32.tflite")
    """
    graph = EncoderGraph(model)
    subwords = json.dumps(model.subwords.get_config(), ensure_ascii=False).encode()
    function = graph.encode.get_concrete_function()
    _write(path, {"encoder": function}, graph, variant, {SUBWORDS: subwords})


def decoder_file(model: Seq2Seq, path: str | os.PathLike, variant: str = "float32") -> None:
    """Write the decoder's step as a `.tflite` file; arguments and errors of `encoder_file`.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> decoder_file(model, "decoder_float32.tflite")
    """
    graph = DecoderGraph(model, rows=variant == "int8")
    function = graph.decode.get_concrete_function(**graph.specs)
    _write(path, {"decoder": function}, graph, variant, {})


def saved_model(model: Seq2Seq, folder: str | os.PathLike) -> None:
    """Write encoder and decoder as a SavedModel folder, for many sentences at once.

    Raises:
        ValueError: the cell is a Transformer, or a weight is not finite.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> saved_model(model, "translator")
    """
    require_finite(model)
    server = TranslationServer(model)
    with atomic_write(folder) as partial:
        tf.saved_model.save(server, os.fspath(partial), signatures=server.signatures())


class ServedTranslator:
    """A SavedModel's two signatures as `translate` takes a translator.

    Args:
        folder: what `saved_model` wrote.
        model: what it was made from, for its subwords and the sizes of its state.

    Example:
        >>> from gru_zoo.text.subwords import Subwords
        >>> from gru_zoo.decoding.translating import translate
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> saved_model(model, "translator")
        >>> served = ServedTranslator("translator", model)
        >>> translate(served, ["ein Haus"])[0][0].ids == translate(model, ["ein Haus"])[0][0].ids
        True
    """

    def __init__(self, folder: str | os.PathLike, model: Seq2Seq) -> None:
        self._loaded = tf.saved_model.load(os.fspath(folder))  # owns its signatures' variables
        self.subwords, self.start = model.subwords, model.start

    def read(self, source: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return keys, values and mask, as `Seq2Seq.read`."""
        outputs = self._loaded.signatures["encoder"](ids=source)
        return outputs["keys"], outputs["values"], outputs["mask"]

    def step(
        self, ids: tf.Tensor, state: list[tf.Tensor], memory: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return logits and the next state, as `Seq2Seq.step`."""
        states = {f"{STATE}{i}": part for i, part in enumerate(state)}
        arrays = dict(zip(("keys", "values", "mask"), memory, strict=True))
        outputs = self._loaded.signatures["decoder"](ids=ids, **states, **arrays)
        return outputs["logits"], [outputs[name] for name in states]


def _write(
    path: str | os.PathLike,
    functions: dict[str, Any],
    holder: tf.Module,
    variant: str,
    attached: dict[str, bytes],
) -> None:
    one_of("variant", variant, BASIC)
    content = named(convert(functions, holder, variant), TIME)
    if variant == "int8":
        content = share_rows(content)
    with atomic_write(Path(path)) as partial:
        partial.write_bytes(sealed(slim(content), attached))


def _require_gru(model: Seq2Seq) -> None:
    if model.cell != "gru":
        raise ValueError(f"cell must be 'gru' for a TFLite file; got {model.cell!r}.")
    require_finite(model)


def _specs(model: Seq2Seq, sentences: int | None) -> dict[str, tf.TensorSpec]:
    """Return the decoder's inputs by name."""
    memory = tf.TensorSpec((sentences, None, model.attention.units))
    states = {
        f"{STATE}{i}": tf.TensorSpec((sentences, None, size), name=f"{STATE}{i}")
        for i, size in enumerate(model.state_sizes)
    }
    return {
        "ids": tf.TensorSpec((sentences, None), tf.int32, "ids"),
        "keys": tf.TensorSpec(memory.shape, name="keys"),
        "values": tf.TensorSpec(memory.shape, name="values"),
        "mask": tf.TensorSpec((sentences, None), tf.bool, "mask"),
        **states,
    }


def _step(
    model: Seq2Seq, arrays: dict[str, tf.Tensor], mask: Any, look_up: Any
) -> dict[str, tf.Tensor]:
    state = [arrays[f"{STATE}{i}"] for i in range(len(model.state_sizes))]
    memory = (arrays["keys"], arrays["values"], mask)
    logits, state = model.step_from(look_up(arrays["ids"]), state, memory)
    return {"logits": logits, **{f"{STATE}{i}": after for i, after in enumerate(state)}}
