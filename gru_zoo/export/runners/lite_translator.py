"""A translator's two TFLite files, run as a device runs them: the interpreter, NumPy, a loop.

Nothing here needs TensorFlow or Keras. The search is `gru_zoo.decoding.beam_search`, the one that
runs over the Keras model too; its step is one call of the decoder's file for all beams.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from gru_zoo import arguments
from gru_zoo.decoding.beam_search import Found, beam_search, longest_for
from gru_zoo.export.flatbuffer.checksum_archive import attachment, unsealed
from gru_zoo.export.names import STATE
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.text.subwords import BANNED, END, START, Subwords

# The encoder's file has them behind it.
SUBWORDS = "subwords.json"


class LiteTranslator:
    """Texts to translations through the LiteRT interpreter.

    Args:
        encoder: path of the encoder's `.tflite` file.
        decoder: path of the decoder's.
        threads: of the interpreter.

    Raises:
        ValueError: a file is cut short or changed, or the first is no encoder.

    Example:
        >>> from gru_zoo.export import translator
        >>> from gru_zoo.models.seq2seq import Seq2Seq
        >>> model = Seq2Seq(Subwords.fit(["ein Haus"], 20, 10), dim=4, units=6, heads=2)
        >>> translator.encoder_file(model, "encoder.tflite")
        >>> translator.decoder_file(model, "decoder.tflite")
        >>> lite = LiteTranslator("encoder.tflite", "decoder.tflite")
        >>> len(lite.translate(["ein Haus"], beams=2))
        1
    """

    def __init__(
        self, encoder: str | os.PathLike, decoder: str | os.PathLike, threads: int = 1
    ) -> None:
        self.subwords = Subwords.from_config(json.loads(attachment(encoder, SUBWORDS)))
        unsealed(decoder)
        self._encoder = _Signature(encoder, "encoder", threads)
        self._decoder = _Signature(decoder, "decoder", threads)

    def read(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Return keys and values [1, time, units] of a source, </s> its last id."""
        return self._encoder(ids=np.array([ids], np.int32))

    def step(
        self, ids: np.ndarray, state: list[np.ndarray], memory: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return logits [1, beams, subwords] and the next state.

        Args:
            ids: the last subword of each beam, int32 [1, beams].
            state: of the step before; zeros [1, beams, size] at first.
            memory: of `read`.
        """
        states = {f"{STATE}{i}": np.ascontiguousarray(a) for i, a in enumerate(state)}
        outputs = self._decoder(ids=ids, **states, **memory)
        return outputs["logits"], [outputs[name] for name in states]

    def start(self, beams: int) -> list[np.ndarray]:
        """Return the state before the first step."""
        shapes = self._decoder.shapes
        sizes = [shapes[name][-1] for name in sorted(shapes) if name.startswith(STATE)]
        return [np.zeros((1, beams, size), np.float32) for size in sizes]

    def search(self, text: str, beams: int = 6, alpha: float = 1.0) -> list[Found]:
        """Return the best translations of a text, as ids.

        Raises:
            ValueError: the text is empty, unknown or too long; see `Subwords.encode`.
        """
        source = [*self.subwords.encode([text])[0], END]
        memory = self.read(source)
        return beam_search(
            lambda ids, state: self.step(ids, state, memory),
            self.start(beams),
            1,
            beams=beams,
            longest=longest_for(len(source) - 1),
            start=START,
            end=END,
            alpha=alpha,
            banned=BANNED,
        )[0]

    def translate(self, texts: Sequence[str], beams: int = 6, alpha: float = 1.0) -> list[str]:
        """Return the best translation of each text.

        Raises:
            ValueError: something among the texts is none, or one that `search` does not take.
        """
        if isinstance(texts, (str, bytes)) or (given := arguments.texts("texts", texts)) is None:
            raise ValueError(f"texts must be a list of texts; got a {type(texts).__name__}.")
        return [self.subwords.decode(self.search(text, beams, alpha)[0].ids) for text in given]


class _Signature:
    """One signature of a file as a function of named arrays, resized when their shapes change."""

    def __init__(self, path: str | os.PathLike, key: str, threads: int) -> None:
        self._interpreter = interpreter(path, threads)
        self._runner = self._interpreter.get_signature_runner(key)
        self.shapes = {
            name: tuple(about["shape"]) for name, about in self._runner.get_input_details().items()
        }

    def __call__(self, **arrays: np.ndarray) -> dict[str, Any]:
        return self._runner(**arrays)
