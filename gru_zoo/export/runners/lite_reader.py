"""A reader's TFLite file, run in Python as a device runs it: raw stories to answers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gru_zoo.arguments import string
from gru_zoo.export.runners.runtime import interpreter
from gru_zoo.text.stories import StoryText

# Files in the folder `assets` beside a reader's file.
TEXT, ANSWERS = "text.json", "answers.txt"


class LiteReader:
    """Raw stories to answers through the LiteRT interpreter, a story at a time.

    Args:
        path: a `.tflite` file of a reader.
        text: the reader's; None reads it from the folder `assets` beside the file.

    Attributes:
        interpreter: the LiteRT interpreter.
        text: stories to ids.

    Raises:
        FileNotFoundError: the file is not there, or `text` is None and the assets are not.
        ValueError: it is no TFLite file.

    Example:
        >>> LiteReader("missing/model_int8.tflite")
        Traceback (most recent call last):
        FileNotFoundError: ...
    """

    def __init__(self, path: str | os.PathLike, text: StoryText | None = None) -> None:
        self._assets = Path(path).parent / "assets"
        if text is None:
            text = StoryText(**json.loads((self._assets / TEXT).read_text(encoding="utf-8")))
        self.text = text
        self.interpreter = interpreter(path)
        self._places = {a["name"]: a["index"] for a in self.interpreter.get_input_details()}
        self._results = {a["name"]: a["index"] for a in self.interpreter.get_output_details()}
        self._sentences = 0

    def read(self, story: Sequence[str], question: str) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities `[answers]` and gates `[hops, sentences]` float32.

        Raises:
            ValueError: the story has no sentence, is too long or is a text, or a sentence is not
                one for the reader's text.
        """
        self.text.check_story(story)
        if not story:
            raise ValueError("story must have a sentence; got none.")
        for sentence in story:
            if not isinstance(sentence, str):
                raise ValueError(f"story must hold strings; got {sentence!r}.")
        string("question", question)
        rows = np.stack([self.text.row(sentence, "story") for sentence in story])
        if len(rows) != self._sentences:
            self.interpreter.resize_tensor_input(self._places["story"], (1, *rows.shape))
            self.interpreter.allocate_tensors()
            self._sentences = len(rows)
        self.interpreter.set_tensor(self._places["story"], rows[None])
        asked = self.text.row(question, "question")
        self.interpreter.set_tensor(self._places["question"], asked[None])
        self.interpreter.invoke()
        answer = self.interpreter.get_tensor(self._results["answer"])[0]
        return answer, self.interpreter.get_tensor(self._results["gates"])[0]

    def answer(self, story: Sequence[str], question: str) -> str:
        """Return the likeliest answer; the answers' names are read from the assets.

        Raises:
            FileNotFoundError: the assets are not beside the file.
            ValueError: as `read`.
        """
        names = (self._assets / ANSWERS).read_text(encoding="utf-8").splitlines()
        return names[int(self.read(story, question)[0].argmax())]
