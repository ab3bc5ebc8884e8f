"""A model as one TFLite file: builtin operators only, two ways to run it, the weights once.

    serving_default   ids [1, time] or inputs [1, time, features]  ->  probabilities or outputs
    step              one time step of a causal model: every state goes in and comes out by name

The first takes any number of steps once its input is resized. A text classifier's file also holds
vocabulary, labels and the tokenizer's pattern, as TFLite metadata; that of a language model, which
gives probabilities of the token after the last id, has its vocabulary behind the checksum.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gru_zoo.arguments import one_of, positive_int
from gru_zoo.export import mediapipe
from gru_zoo.export.checks import arrays, classifier_check, inspection
from gru_zoo.export.checks.representative import checked, streams
from gru_zoo.export.flatbuffer.checksum_archive import sealed
from gru_zoo.export.flatbuffer.int4 import int4
from gru_zoo.export.flatbuffer.metadata import attach
from gru_zoo.export.flatbuffer.packing import slim
from gru_zoo.export.flatbuffer.tied import QuantizedRows, share_rows
from gru_zoo.export.graphs.network import Network
from gru_zoo.export.graphs.precision import require_unquantized
from gru_zoo.export.graphs.programs import require_names
from gru_zoo.export.graphs.sequence_graph import SequenceGraph
from gru_zoo.export.graphs.step_graph import StepGraph
from gru_zoo.export.integer_step import integer_step
from gru_zoo.export.names import STEP, WHOLE
from gru_zoo.export.runners.lite_language_model import tokenizer_files
from gru_zoo.export.signatures import convert, named, to_builtins
from gru_zoo.export.variants import VARIANTS
from gru_zoo.export.workers.isolated import require_seconds
from gru_zoo.export.write_errors import judged, require_new, writing
from gru_zoo.files import atomic_write
from gru_zoo.imports import require_extra
from gru_zoo.models.classifier import SequenceClassifier
from gru_zoo.models.language_model import LanguageModel
from gru_zoo.text.tokenizers import WordTokenizer

# Steps that a file is made for where the model leaves them open.
LENGTH = 1000
MOST = 2**31 - 1
# The first runtime that knows int8 matrices with one scale a row in float32 products.
PER_ROW = (2, 17, 0)


def tflite(
    model: keras.Model,
    path: str | os.PathLike,
    variant: str = "float32",
    *,
    overwrite: bool = False,
    texts: Sequence[str] | None = None,
    representative: Sequence[Any] | None = None,
    sequence_length: int | None = None,
    gates: bool = False,
    thresholds: float | Mapping[str, float] | None = None,
    min_runtime: str | None = None,
    seconds: float = 600,
) -> float:
    """Write a model as a `.tflite` file, after comparing it with the model.

    Args:
        model: a built `SequenceClassifier` or `LanguageModel`, or a built Keras functional or
            Sequential model of GRU layers (ours or Keras', stacked, bidirectional), convolutions
            that keep the number of steps, layers that treat every step alike, and pooling.
        path: the file.
        variant: "float32"; "float16", "int8" or "int4", which store the weights smaller ("int4"
            needs the extra `int4`); "int8_full" or "int16x8", the step alone, all in integers;
            "mediapipe", a text classifier in a form that MediaPipe opens, larger and slower.
        overwrite: whether an existing file is replaced, by one that passed.
        texts: texts to compare a classifier on; None makes some from its vocabulary. Only of a
            variant that reads whole texts.
        representative: sequences as the model will meet them, ids [time] or [time, features]. The
            variants that compute in integers need them; another is compared on them, instead of on
            random numbers, which may be unlike anything that the model has learnt.
        sequence_length: steps that the whole-sequence input is made for unless it is resized; None
            takes the model's own, or 1,000. Only a classifier of texts takes another than its own;
            of several inputs it is for those that the model leaves open.
        gates: also give each GRU's gates z and r as outputs of the step.
        thresholds: for MediaPipe, see `mediapipe.describe`.
        min_runtime: version of the TFLite runtime that must be able to run the file, such as
            "2.3", which costs "int8" some accuracy; None takes what the best form needs.
        seconds: how long a conversion to integers may take.

    Returns:
        The largest difference of an output from the model's.

    Raises:
        FileExistsError: `path` exists, or was written meanwhile.
        ValueError: unknown variant; or the model cannot be had in it, with the reason.
        ImportError: the variant needs a package that is missing.
        export.Refused: the file differs from the model by more than the variant's limit.
        OSError: the file could not be written.

    Example:
        >>> from gru_zoo import GRU
        >>> model = keras.Sequential([keras.Input((None, 4)), GRU(7)])
        >>> tflite(model, "tiny.tflite") < 1e-5
        True
    """
    spec = VARIANTS[one_of("variant", variant, VARIANTS)]
    require_seconds(seconds)
    require_new("path", path, overwrite)
    if sequence_length is not None:
        positive_int("sequence_length", sequence_length)
        if sequence_length > MOST:
            raise ValueError(
                f"sequence_length must be at most {MOST:,}, as sizes in a file are; got "
                f"{sequence_length}."
            )
        if isinstance(model, SequenceClassifier):
            model = mediapipe.resized(model, sequence_length)
    old = min_runtime is not None and _version(min_runtime) < PER_ROW
    tied = isinstance(model, LanguageModel) and variant == "int8" and not old
    network = _network(model, tied)
    _require_read(variant, model, network, texts, sequence_length)
    options = {"gates": gates, "thresholds": thresholds}
    sequences = _refuse(variant, model, network, representative, options)
    length = sequence_length or arrays.length(network) or LENGTH
    # A folder that cannot be written ends it here.
    with atomic_write(path, overwrite=overwrite) as partial:
        with writing("path", path):  # The converter goes through the disk too.
            if spec.integer_only:
                content = integer_step(model, variant, sequences, gates=gates, seconds=seconds)
            elif spec.layout == "flat":
                convert_one = functools.partial(to_builtins, weights=spec.weights)
                content = mediapipe.flat(model, convert_one)
            else:
                content = _both(network, spec.weights, gates, length, per_tensor=old)
                content = share_rows(content) if tied else content
            partial.write_bytes(_closed(slim(content), model, spec.layout, thresholds))
        _require_runtime(partial, min_runtime)
        with judged(partial, path):
            return _compare(partial, model, variant, length, sequences, texts)


def _compare(
    path: Path,
    model: keras.Model,
    variant: str,
    length: int,
    sequences: Sequence[Mapping[str, Any]] | None,
    texts: Sequence[str] | None,
) -> float:
    """Return the largest difference of a file from the model, or raise Refused."""
    spec, differences = VARIANTS[variant], []
    if isinstance(model, SequenceClassifier) and spec.layout != "step":
        given = classifier_check.probe_texts(model) if texts is None else texts
        reference = classifier_check.Reference.of(model, given)
        differences.append(classifier_check.compare(path, reference, variant))
    if spec.layout != "flat":
        compare = arrays.compare_integers if spec.integer_only else arrays.compare
        differences.append(compare(path, model, variant, length, sequences))
    return max(differences)


def _network(model: keras.Model, tied: bool) -> Network:
    """Return a model as a network, or raise if no variant can be had."""
    if isinstance(model, SequenceClassifier):
        classifier_check.exportable(model)
    if isinstance(model, keras.Model):
        for layer in model._flatten_layers():
            require_unquantized(layer, "TFLite")
    look_ups = None
    if tied:
        look_ups = {model.embedding.name: QuantizedRows(model.embedding.embeddings.numpy())}
    network = Network(model, look_ups)
    require_names(network.inputs)
    return network


def _refuse(
    variant: str,
    model: keras.Model,
    network: Network,
    representative: Sequence[Any] | None,
    options: Mapping[str, Any],
) -> list[dict[str, Any]] | None:
    """Raise if a variant cannot be had for a model; return the representative sequences."""
    spec = VARIANTS[variant]
    text = isinstance(model, SequenceClassifier)
    if spec.layout == "flat" and not text:
        raise ValueError(
            f"model must be a SequenceClassifier for variant {variant!r}, which MediaPipe runs on "
            f"texts; got {type(model).__name__}."
        )
    if options["thresholds"] is not None:
        if not _described(model, spec.layout):
            raise ValueError(f"thresholds must be None for variant {variant!r} of this model.")
        mediapipe.describe(model, options["thresholds"])
    if options["gates"] and spec.layout == "flat":
        raise ValueError(f"gates must be False for variant {variant!r}: it has no step.")
    if spec.weights == "int4":
        require_extra("int4", "variant 'int4'")
    if spec.layout == "flat" and representative is not None:
        raise ValueError(f"representative must be None for variant {variant!r}; got some.")
    if not spec.integer_only:
        if options["gates"]:
            StepGraph(network, gates=True)  # Says why there is no step.
        return None if representative is None else checked(model, representative)
    if representative is None:
        raise ValueError(
            f"representative must be some sequences for variant {variant!r}; got None."
        )
    StepGraph(network, options["gates"])
    return streams(model, checked(model, representative))


def _require_read(
    variant: str,
    model: keras.Model,
    network: Network,
    texts: Sequence[str] | None,
    sequence_length: int | None,
) -> None:
    """Raise for texts or a length that nothing would be done with."""
    step = VARIANTS[variant].layout == "step"
    if texts is not None and (step or not isinstance(model, SequenceClassifier)):
        raise ValueError(
            f"texts must be None for variant {variant!r} of this model: its file reads none."
        )
    if sequence_length is None:
        return
    if step:
        raise ValueError(
            f"sequence_length must be None for variant {variant!r}: it takes one step at a time; "
            f"got {sequence_length}."
        )
    own = arrays.length(network)
    if own not in (None, sequence_length):
        raise ValueError(
            f"sequence_length must be None or {own}, the model's own; got {sequence_length}."
        )


def _both(network: Network, weights: str, gates: bool, length: int, per_tensor: bool) -> bytes:
    """Return a file with the whole sequence and, for a causal model, one step."""
    holder, whole = tf.Module(), SequenceGraph(network)
    holder.whole = whole
    functions = {WHOLE: whole.whole.get_concrete_function(**whole.inputs)}
    if whole.causal:
        holder.step = step = StepGraph(network, gates)
        functions[STEP] = step.step.get_concrete_function(**step.inputs, **step.states)
    small = weights == "int4"  # made from the float32 file
    content = convert(functions, holder, "float32" if small else weights, per_tensor)
    content = named(content, length, network.lengths())
    return int4(content) if small else content


def _closed(
    content: bytes,
    model: keras.Model,
    layout: str,
    thresholds: float | Mapping[str, float] | None,
) -> bytes:
    """Return a file with its checksum, and with what turns text into ids where it fits."""
    if _described(model, layout):
        return attach(content, mediapipe.describe(model, thresholds, words_only=layout != "flat"))
    if isinstance(model, LanguageModel):
        return sealed(content, tokenizer_files(model.tokenizer))
    return sealed(content)


def _described(model: keras.Model, layout: str) -> bool:
    """Return whether a file says how text becomes ids, and which probabilities are left out."""
    if layout == "step" or not isinstance(model, SequenceClassifier):
        return False
    # MediaPipe wants three inputs of a WordPiece model; only the flat layout has them.
    return layout == "flat" or isinstance(model.tokenizer, WordTokenizer)


def _require_runtime(path: Path, wanted: str | None) -> None:
    """Raise unless a file runs on runtimes from a version on."""
    needed = inspection.inspect(path)["min_runtime_version"]
    if wanted is not None and needed is not None and _version(needed) > _version(wanted):
        raise ValueError(f"min_runtime must be at least {needed} for this model; got {wanted!r}.")


def _version(text: str) -> tuple[int, ...]:
    """Return a version as three numbers."""
    try:
        numbers = [int(number) for number in text.split(".")]
        if min(numbers) < 0:
            raise ValueError
    except (ValueError, AttributeError):
        raise ValueError(
            f"min_runtime must be a version such as '2.17', or None; got {text!r}."
        ) from None
    return (*numbers, 0, 0)[:3]
