"""What benchmarks/tflite_latency.py compares: our files, Keras' own and ONNX, equal weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from gru_zoo import GRU, export
from gru_zoo.convert import to_keras
from gru_zoo.export.signatures import to_builtins
from gru_zoo.export.variants import BASIC
from gru_zoo.models.classifier import SequenceClassifier, load_classifier

PRESET = "saved_models/sentiment_imdb_gru_supervised/model.keras"
STEPS, FEATURES, UNITS, CLASSES = 49, 40, 128, 12


def keyword() -> keras.Model:
    """Return the keyword model, random weights: (49, 40) -> GRU(128) -> 12."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((STEPS, FEATURES)),
            GRU(UNITS, bias_initializer="glorot_uniform"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def all_steps(units: int = UNITS) -> keras.Model:
    """Return a model that gives every step's state."""
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((None, FEATURES)), GRU(units, return_sequences=True)])


def make(folder: Path) -> None:
    """Write every file; what an earlier exporter wrote there is replaced, not timed."""
    folder.mkdir(parents=True, exist_ok=True)
    models = {"sentiment": load_classifier(PRESET), "keyword": keyword()}
    for name, model in models.items():
        for variant in BASIC:
            export.tflite(model, folder / f"{name}_{variant}.tflite", variant, overwrite=True)
        export.onnx(model, folder / f"{name}.onnx", overwrite=True)
        (folder / f"{name}_keras.tflite").write_bytes(_as_keras_does(model))
    export.tflite(all_steps(), folder / "all_steps.tflite", overwrite=True)
    (folder / "products.tflite").write_bytes(_products(models["keyword"].layers[0]))


def inputs(name: str) -> dict[str, np.ndarray]:
    """Return one input of a model, by the name it has in our files."""
    random = np.random.default_rng(0)
    if name == "sentiment":
        return {"ids": random.integers(3, 20_000, (1, 400), np.int32)}
    return {"inputs": random.normal(size=(1, STEPS, FEATURES)).astype(np.float32)}


def _as_keras_does(model: keras.Model) -> bytes:
    """Return the file that Keras' own layer gives: batch 1, its call traced, builtins only."""
    if isinstance(model, SequenceClassifier):
        theirs = SequenceClassifier.from_config({**model.get_config(), "cell": "keras_gru"})
        theirs.set_weights(model.get_weights())
        spec = tf.TensorSpec((1, model.tokenizer.sequence_length), tf.int32)
    else:
        theirs = keras.Sequential([keras.Input(model.input_shape[1:]), to_keras(model.layers[0])])
        theirs.add(layers.Dense(CLASSES, activation="softmax"))
        theirs.set_weights(model.get_weights())
        spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    holder = tf.Module()
    holder.weights = [variable.value for variable in theirs.variables]
    function = tf.function(lambda x: {"outputs": theirs(x, training=False)}, autograph=False)
    return to_builtins(function.get_concrete_function(spec), holder, "float32")


def _products(gru: Any) -> bytes:
    """Return a file of a step's two matrix products and nothing else."""
    holder = tf.Module()
    holder.kernel, holder.recurrent = gru.cell.kernel.value, gru.cell.recurrent_kernel.value

    def products(x: tf.Tensor, h: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"x": x @ holder.kernel, "h": h @ holder.recurrent}

    specs = tf.TensorSpec((1, FEATURES), tf.float32), tf.TensorSpec((1, UNITS), tf.float32)
    return to_builtins(tf.function(products).get_concrete_function(*specs), holder, "float32")
