"""A model as a SavedModel: what a user has goes in, and TensorFlow alone runs it.

A `SequenceClassifier` takes raw texts:

    text [batch] string  ->  label          [batch]          string, the most probable
                             score          [batch]          float32, its probability
                             labels         [batch, labels]  string, the same names in each row
                             probabilities  [batch, labels]  float32

Another model takes and gives arrays by the names that they have in a TFLite file too: "inputs"
[batch, time, features] float32, or of the model's own integers or bools, or "ids" [batch, time]
int32, and "outputs", or "probabilities" of the token after the last id, where it is a
`LanguageModel`; or, where there are several, Keras' names; outputs in a dictionary have its keys.
Time is dynamic where the model leaves it open, and the batch always.
Every output has the batch in front, as TensorFlow Serving asks for JSON rows; but the last states
that a `StackedGRU` returns are [layers, batch, units], as in the model.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.export.checks import classifier_check, inspection
from gru_zoo.export.checks.probes import probes
from gru_zoo.export.checks.saved_signature import open_signature
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.plain_loops import run_plain
from gru_zoo.export.graphs.programs import require_names, require_open_batch
from gru_zoo.export.write_errors import judged, require_new, writing
from gru_zoo.files import atomic_write
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.text.wordpiece import WordPieceTokenizer


class TextServer(tf.Module):
    """Tokenizer and network as one function of texts; holds the model's variables and table.

    Args:
        model: a built classifier.
    """

    def __init__(self, model: SequenceClassifier) -> None:
        super().__init__()
        self.tokenizer = model.tokenizer
        self.model_variables = [variable.value for variable in model.variables]
        self.label_names = tf.constant(model.labels)
        # A plain function: tf.Module would save the Keras model itself as an attribute.
        self._classify = lambda ids: run_plain(model, model, ids)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return label, score, labels and probabilities for texts [batch]."""
        ids = self.tokenizer(text)  # [batch, sequence_length]
        # No step is spent where every text of the batch has ended.
        longest = tf.reduce_max(tf.reduce_sum(tf.cast(ids != 0, tf.int32), axis=1, keepdims=True))
        probabilities = self._classify(ids[:, : tf.maximum(longest, 1)])
        best = tf.argmax(probabilities, axis=1)
        names = tf.broadcast_to(self.label_names, tf.shape(probabilities))
        return {
            "label": tf.gather(self.label_names, best),
            "score": tf.reduce_max(probabilities, axis=1),
            "labels": names,
            "probabilities": probabilities,
        }

    def signature(self) -> Any:
        """Return the concrete function that is served."""
        return self.__call__.get_concrete_function()


class ArrayServer(tf.Module):
    """A model that reads no text as a function of named arrays; holds its variables and tables.

    Args:
        model: a built model.

    Raises:
        ValueError: the model has another kind of input, or a stateful layer.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        network = Network(model)
        require_open_batch(model)
        require_names(network.inputs)
        self.model_variables = [variable.value for variable in model.variables]
        # Of layers that look numbers or words up; they are no variables.
        self.tables = [
            value
            for layer in model._flatten_layers()
            for value in vars(layer).values()
            if isinstance(value, tf.saved_model.experimental.TrackableResource)
        ]

        def outputs(**arrays: tf.Tensor) -> dict[str, tf.Tensor]:
            return run_plain(model, network.call, arrays)

        self.outputs = tf.function(outputs, autograph=False)
        self._specs = {}
        for name, given in network.inputs.items():
            time = [] if given.kind == "vector" else [given.length]
            self._specs[name] = tf.TensorSpec([None, *time, *given.shape], given.dtype, name)

    def signature(self) -> Any:
        """Return the concrete function that is served."""
        return self.outputs.get_concrete_function(**self._specs)


def saved_model(model: keras.Model, folder: str | os.PathLike, *, overwrite: bool = False) -> float:
    """Write a model as a SavedModel folder, after comparing it with the model.

    Args:
        model: a built `SequenceClassifier` or `LanguageModel`, or a built `keras.Sequential` or
            functional model of ids [batch, time], sequences [batch, time, features] or vectors
            [batch, features], none of its layers stateful.
        folder: where it goes.
        overwrite: whether an existing folder is replaced, by one that passed.

    Returns:
        The largest difference of an output from the model's.

    Raises:
        FileExistsError: `folder` exists, or was written meanwhile.
        NotADirectoryError: it is a file.
        ValueError: a model that cannot be exported, with the reason; a classifier of word pieces is
            one. Or `folder` has a "[" in it, from where TensorFlow cannot load a SavedModel.
        export.Refused: what was written differs from the model, or holds a Python function.
        OSError: it could not be written.

    Example:
        >>> from gru_zoo.text.tokenizers import WordTokenizer
        >>> words = WordTokenizer(["<PAD>", "<START>", "<UNKNOWN>", "fine"], sequence_length=8)
        >>> saved_model(SequenceClassifier(words, units=5), "fine") < 1e-5
        True
        >>> tf.saved_model.load("fine")(["a fine film"])["label"].shape
        TensorShape([1])
    """
    require_new("folder", folder, overwrite)
    _require_folder(Path(folder))
    if isinstance(model, SequenceClassifier):
        classifier_check.exportable(model)
        _require_graph(model)
        server: TextServer | ArrayServer = TextServer(model)
        reference = classifier_check.Reference.of(model, classifier_check.probe_texts(model))
    else:
        server = ArrayServer(model)
    with atomic_write(folder, overwrite=overwrite) as partial:
        with writing("folder", folder):
            _save(server, partial)
        with judged(partial, folder):
            if isinstance(model, SequenceClassifier):
                return classifier_check.compare(partial, reference, "saved_model")
            return _compare(partial, model)


def _require_folder(folder: Path) -> None:
    """Raise unless a SavedModel may stand at a path, and be loaded from it."""
    if folder.is_file():
        raise NotADirectoryError(f"folder must be a folder, or new; {str(folder)!r} is a file.")
    whole = os.path.abspath(folder)
    if "[" in whole or (os.sep == "/" and "\\" in whole):
        raise ValueError(
            "folder must be a path without '[' and '\\', which TensorFlow takes for a pattern "
            f"when it loads the SavedModel; got {whole}."
        )


def _save(server: TextServer | ArrayServer, folder: Path) -> None:
    """Write what is served; raise ValueError if a layer hides what its call reads."""
    try:
        tf.saved_model.save(server, os.fspath(folder), signatures=server.signature())
    except AssertionError as error:  # TensorFlow's, of what it cannot find from the server
        raise ValueError(
            "model must read nothing but weights, and tables that are attributes of its layers, "
            f"for a SavedModel. {str(error).splitlines()[0]}"
        ) from error


def _require_graph(model: SequenceClassifier) -> None:
    """Raise ValueError unless TensorFlow has the operators that a model's tokenizer is made of."""
    if isinstance(model.tokenizer, WordPieceTokenizer):
        raise ValueError(
            "model.tokenizer must be a WordTokenizer for a SavedModel; got a WordPieceTokenizer, "
            "which is Python and ends with its process. `export.tflite(model, path, 'mediapipe')` "
            "takes one."
        )


def _compare(folder: Path, model: keras.Model) -> float:
    """Return the largest difference; raise Refused unless a folder runs anywhere and is near."""
    inspection.inspect(folder)
    run, differences = open_signature(folder), []
    for probe in probes(model):
        tensors = {name: tf.constant(array) for name, array in probe.inputs.items()}
        differences.append(probe.compare(run(**tensors), folder))
    return max(differences)
