"""What a Keras model reads, what it gives, and how it gets from one to the other.

    functional, Sequential   its graph of operations         Keras' names of inputs and outputs
    SequenceClassifier       ids -> "probabilities"          of the labels; padding ends a text
    LanguageModel            ids -> "probabilities"          of the token after the last id

How a layer is run is the business of whoever walks a program (`network`).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.models.functional import Functional

from gru_zoo.layers.embeddings import embedding_table
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel


@dataclasses.dataclass(frozen=True)
class Given:
    """One input of a network, without batch and time.

    Attributes:
        kind: "ids", "steps", or "vector" (the same at every step).
        shape: () for ids, else (features,).
        length: steps that the model was made for; None if any.
        numbers: type of an input that is not ids: float32, or the model's own integers or bools.
    """

    kind: str
    shape: tuple[int, ...]
    length: int | None = None
    numbers: str = dataclasses.field(default="float32", repr=False)

    @property
    def dtype(self) -> tf.DType:
        """Type of the input."""
        return tf.int32 if self.kind == "ids" else tf.as_dtype(self.numbers)


@dataclasses.dataclass(frozen=True)
class Program:
    """A model as a sequence of operations.

    Attributes:
        inputs: name -> `Given`; what TensorFlow takes for no name of an argument, such as "-", is
            "_" in it.
        output_names: of what `run` and `call` return, in their order.
        run: (apply, a value for each input) -> the outputs, where `apply(layer, *values)` runs a
            layer in the caller's way.
        call: tensors [batch, ...], one for each input -> the outputs as Keras computes them.
        aliases: names of layers whose states have shorter ones.
        padded: whether padding may stand anywhere; otherwise a text ends before the first id 0.
        any_length: whether `call` takes sequences of any length.
    """

    inputs: dict[str, Given]
    output_names: list[str]
    run: Callable[..., Any]
    call: Callable[..., list[Any]]
    aliases: Mapping[str, str]
    padded: bool = True
    any_length: bool = True


def program_of(model: keras.Model) -> Program:
    """Return a model's program.

    Args:
        model: a built `SequenceClassifier`, `LanguageModel`, or Keras functional or Sequential
            model.

    Raises:
        ValueError: another kind of model, one that is not built, or an input of another kind.

    Example:
        >>> model = keras.Sequential([keras.Input((None, 4)), layers.GRU(7), layers.Dense(2)])
        >>> program_of(model).inputs
        {'inputs': Given(kind='steps', shape=(4,), length=None)}
    """
    if isinstance(model, SequenceClassifier):
        return Program(
            inputs={"ids": Given("ids", (), model.tokenizer.sequence_length)},
            output_names=["probabilities"],
            run=functools.partial(_classify, model),
            call=lambda ids: [model(ids, training=False)],
            aliases={model.rnn.name: "last", model.pooling.name: ""},
            padded=False,
        )
    if isinstance(model, LanguageModel):
        return Program(
            inputs={"ids": Given("ids", ())},
            output_names=["probabilities"],
            run=functools.partial(_continue, model),
            call=lambda ids: [model.output({"last": model.read(ids)[1]})],
            aliases={model.rnn.name: "last"},
        )
    return _of_functional(model)


def run_functional(function: Any, apply: Callable, *inputs: Any) -> list[Any]:
    """Run a functional model's operations, each through `apply`; see `Program.run`."""
    values = dict(zip(map(id, function.inputs), inputs, strict=True))
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.is_input:
                continue
            known = dict(values)
            for mask in _own_masks(node):
                known[id(mask)] = None  # Steps carry it already.
            args, kwargs = positional(node.operation, *node.arguments.fill_in(known))
            if "training" in kwargs:  # model(x, training=False) overrides a call's own too.
                kwargs = {**kwargs, "training": False}
            results = keras.tree.flatten(apply(node.operation, *args, **kwargs))
            values.update(zip(map(id, node.outputs), results, strict=True))
    return [values[id(tensor)] for tensor in function.outputs]


def positional(
    operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return a call's arguments, the first as a positional one where it was given by its name.

    Example:
        >>> positional(layers.Dense(2), (), {"inputs": 3.0, "training": False})
        ((3.0,), {'training': False})
    """
    if args:
        return args, kwargs
    first, *_ = inspect.signature(operation.call).parameters
    if first not in kwargs:
        return args, kwargs
    return (kwargs[first],), {name: value for name, value in kwargs.items() if name != first}


def matched(model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return what a functional or Sequential model is called with, a value for each of its inputs.

    Keras takes a dictionary by the names of the inputs, unless the model was made with one.

    Example:
        >>> b, a = keras.Input((3,), name="b"), keras.Input((3,), name="a")
        >>> matched(keras.Model([b, a], layers.Subtract()([b, a])), ({"a": 1, "b": 2},), {})
        [2, 1]
    """
    function = functional(model)
    (given, *_), _ = positional(model, args, kwargs)
    if isinstance(given, Mapping) and not isinstance(function._inputs_struct, Mapping):
        return [given[tensor.name] for tensor in function.inputs]
    return keras.tree.flatten(given)


def functional(model: Any) -> Any:
    """Return a functional or Sequential model as a functional one.

    Raises:
        ValueError: another kind of model, or one that is not built.
    """
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ValueError(f"model must be built; {model.name!r} is not: give it keras.Input.")
        return model._functional
    if isinstance(model, Functional):
        return model
    raise ValueError(
        "model must be a SequenceClassifier or LanguageModel, or a Keras functional or Sequential "
        f"model; got {type(model).__name__}."
    )


def table_of(layer: layers.Embedding) -> Any:
    """Return an embedding's vectors, [ids, features] float32."""
    return tf.cast(embedding_table(layer), tf.float32)


def require_known_numbers(inputs: Mapping[str, Given]) -> None:
    """Raise ValueError for an input that is neither float nor ids."""
    for name, given in inputs.items():
        if given.kind != "ids" and not given.dtype.is_floating:
            raise ValueError(
                f"input {name!r} of the model must be float, or ids that an Embedding looks up; it "
                "holds other integers or bools. keras.Input(..., dtype='float32') takes the same "
                "numbers."
            )


def require_finite(model: keras.Model) -> None:
    """Raise ValueError if a weight of the model is NaN or infinite."""
    for weight in model.weights:
        value = weight.numpy()
        # NumPy knows no kind of bfloat16.
        if "float" in weight.dtype and not np.isfinite(value.astype(np.float64)).all():
            raise ValueError(
                f"model must have finite weights; {weight.path} holds NaN or infinity."
            )


def require_open_batch(model: keras.Model) -> None:
    """Raise ValueError if a model keeps states of a fixed number of sequences.

    Keras runs any other on batches of every size, also where an input has one of its own, as in a
    Sequential model that takes its shape from the first batch of `fit`.
    """
    if not any(getattr(layer, "stateful", False) for layer in model._flatten_layers()):
        return
    # Models of ours have no such tensors, and leave their batch open.
    for tensor in getattr(model, "inputs", None) or []:
        if tensor.shape[0] is not None:
            raise ValueError(
                f"model must leave the batch open; input {tensor.name!r} has shape {tensor.shape}."
            )


def readers(tensor: Any) -> Iterator[Any]:
    """Yield the layers and operations that read an input, those inside of another model too."""
    for node in tensor._keras_history.operation._outbound_nodes:
        if not isinstance(node.operation, (keras.Sequential, Functional)):
            yield node.operation
            continue
        given = matched(node.operation, node.arguments.args, node.arguments.kwargs)
        for one, inner in zip(given, functional(node.operation).inputs, strict=True):
            if one is tensor:
                yield from readers(inner)


def _classify(model: SequenceClassifier, apply: Callable, ids: Any) -> Any:
    """The classifier's call, without its dropout."""
    states = apply(model.rnn, apply(model.embedding, ids))
    return apply(model.head, apply(model.pooling, states))


def _continue(model: LanguageModel, apply: Callable, ids: Any) -> Any:
    """The language model's `output` after the last id."""
    _, last = apply(model.rnn, apply(model.embedding, ids))
    features = apply(model.projection, last)  # [1, embedding_dim]
    # Not transposed first: the table is then one constant, which TFLite also looks words up in.
    logits = tf.matmul(features, table_of(model.embedding), transpose_b=True)
    return tf.nn.softmax(logits + tf.cast(model.token_bias.value, tf.float32))


def _of_functional(model: Any) -> Program:
    function = functional(model)
    names = _output_names(function)
    inputs = _inputs(function)

    def call(*tensors: Any) -> list[Any]:
        one = len(tensors) == 1
        nest = tensors[0] if one else keras.tree.pack_sequence_as(model.input, list(tensors))
        return keras.tree.flatten(model(nest, training=False))

    return Program(
        inputs=inputs,
        output_names=names,
        run=functools.partial(run_functional, function),
        call=call,
        aliases={},
        # Keras refuses another length than a functional model's own.
        any_length=all(given.length is None for given in inputs.values()),
    )


def _output_names(function: Any) -> list[str]:
    """Return the names of a functional model's outputs: a dictionary's keys, or else Keras'."""
    paths = [path for path, _ in keras.tree.flatten_with_path(function._outputs_struct)]
    if isinstance(function._outputs_struct, Mapping) and all(len(path) == 1 for path in paths):
        return [str(key) for (key,) in paths]
    return ["outputs"] if len(paths) == 1 else _different(list(function.output_names))


def _different(names: list[str]) -> list[str]:
    """Return names of outputs, one for each: a layer of two outputs gives its name to both."""
    found: list[str] = []
    for index, name in enumerate(names):
        number = index + 1
        own = name
        while own in found or (own != name and own in names):
            own, number = f"{name}_{number}", number + 1
        found.append(own)
    return found


def _argument(name: str) -> str:
    """Return an input's name as TensorFlow's signatures have it: letters, digits, underscores."""
    plain = re.sub(r"\W", "_", name)
    # "self" is what TensorFlow's own function has before the inputs.
    return plain if plain[0].isalpha() and plain != "self" else f"arg_{plain}"


def _own_masks(node: Any) -> list[Any]:
    """Return the masks that Keras itself handed on with a node's inputs."""
    masks = [getattr(tensor, "_keras_mask", None) for tensor in node.arguments.keras_tensors]
    return [mask for mask in masks if mask is not None]


def _require_no_strings(tensor: Any) -> None:
    """Raise ValueError for an input of texts, whose layer is no part of a file for devices."""
    if tensor.dtype != "string":
        return
    layer = next(readers(tensor), None)
    what = "a layer" if layer is None else f"layer {layer.name!r} ({type(layer).__name__})"
    raise ValueError(
        f"input {tensor.name!r} of the model must be numbers; it is strings, which {what} turns "
        "into ids. Export the model behind that layer, keras.Model(layer.output, model.output), "
        "and ship its vocabulary, layer.get_vocabulary(), with the file."
    )


def _looked_up(tensor: Any, seen: set[int]) -> bool:
    """Return whether an embedding reads a tensor, or what is made of it."""
    if id(tensor) in seen:
        return False
    seen.add(id(tensor))
    nodes = tensor._keras_history.operation._outbound_nodes
    return any(isinstance(layer, layers.Embedding) for layer in readers(tensor)) or any(
        _looked_up(output, seen) for node in nodes for output in node.outputs
    )


def require_names(names: Iterable[str]) -> None:
    """Raise ValueError unless TensorFlow's signatures tell the names of inputs apart.

    Example:
        >>> require_names(["x", "X"])
        Traceback (most recent call last):
        ValueError: inputs must have names that differ in more than case for TensorFlow; got 'x'...
    """
    known: dict[str, str] = {}
    for name in names:
        if (other := known.setdefault(name.casefold(), name)) != name:
            raise ValueError(
                f"inputs must have names that differ in more than case for TensorFlow; got "
                f"{other!r} and {name!r}."
            )


def _inputs(function: Any) -> dict[str, Given]:
    """Return the inputs of a functional model by name."""
    found = {}
    for tensor in function.inputs:
        _require_no_strings(tensor)
        name = tensor.name
        numbers = "float32" if "float" in tensor.dtype else tensor.dtype
        looked_up = any(isinstance(layer, layers.Embedding) for layer in readers(tensor))
        # Whole numbers of a known length that nothing looks up are features.
        whole = "int" in tensor.dtype and (tensor.shape[-1] is None or _looked_up(tensor, set()))
        if len(tensor.shape) == 2 and (looked_up or whole):
            given = Given("ids", (), tensor.shape[1])
        elif len(tensor.shape) == 3 and tensor.shape[2] is not None:
            given = Given("steps", (tensor.shape[2],), tensor.shape[1], numbers)
        elif len(tensor.shape) == 2 and tensor.shape[1] is not None:
            given = Given("vector", (tensor.shape[1],), numbers=numbers)
        else:
            raise ValueError(
                f"input {name!r} of the model must be ids [batch, time], or [batch, time, "
                f"features] or [batch, features] with known features; got {tensor.shape}."
            )
        argument = _argument(name)
        if argument in found:
            raise ValueError(
                f"inputs must have names that differ in letters and digits; got {name!r} beside "
                "another that is the same in them."
            )
        found[argument] = given
    if len(found) == 1:
        (given,) = found.values()
        return {"ids" if given.kind == "ids" else "inputs": given}
    return found
