"""The GRU of NVIDIA's cuDNN: whether it can run a layer, the order of its weights, the call.

cuDNN's gates are i, r and n: i is z of update_gate="keep", and n is c of reset_after=True. Its
parameters are one vector: the matrices Wr, Wi, Wn (each [units, features], row by row), Rr, Ri, Rn
([units, units]), then the biases in the same order. Negating what feeds z turns "write" to "keep".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from gru_zoo.layers.checks import activation_name

if TYPE_CHECKING:
    from gru_zoo.layers.gru import GRU


def why_not_cudnn(layer: GRU, mask: Any = None, training: bool = False) -> str | None:
    """Return why cuDNN cannot run `layer`, or None if it can; answers on any machine.

    Args:
        layer: a GRU layer, built or not.
        mask: the mask of the call, [batch, time] bool, or None.
        training: whether dropout is on.

    Example:
        >>> from gru_zoo import GRU
        >>> why_not_cudnn(GRU(3, reset_after=False))
        'it needs reset_after=True'
    """
    cell = layer.cell
    if not cell.reset_after:
        return "it needs reset_after=True"
    if layer.unroll:
        return "it needs unroll=False"
    if reason := why_not_these_equations(cell) or why_not_mask(mask):
        return reason
    if cell.layer_norm:
        return "it has no layer normalization"
    if cell.zoneout:
        return "it has no zoneout"
    if training and cell.recurrent_dropout:
        return "it has no recurrent dropout"
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    return None if gpus else "TensorFlow finds no GPU on this machine"


def why_not_these_equations(cell: Any) -> str | None:
    """Return what a kernel in TensorFlow with fixed equations lacks for `cell`, or None."""
    from gru_zoo.layers.gru import GRUCell  # which imports this module

    if type(cell) is not GRUCell:
        return f"its cell is a {type(cell).__name__}, which may compute something else"
    if keras.backend.backend() != "tensorflow":
        return f"it needs the TensorFlow backend, and Keras runs on {keras.backend.backend()}"
    for argument, wanted in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        given = activation_name(getattr(cell, argument))
        if given != wanted:
            return f"it needs {argument} {wanted!r}, and the layer has {given!r}"
    return None


def why_not_mask(mask: Any) -> str | None:
    """Return why cuDNN cannot take this mask, or None if it can or its values are not known yet.

    Example:
        >>> why_not_mask(np.array([[True, False, True]]))
        'it takes right-padded masks only'
    """
    try:
        mask = None if mask is None else ops.convert_to_numpy(mask)
    except NotImplementedError:  # a tensor in a graph; `cudnn` looks at it when the graph runs
        return None
    padded = mask is None or not np.any(mask[:, 1:] & ~mask[:, :-1])
    return None if padded else "it takes right-padded masks only"


def pack(kernel: Any, recurrent_kernel: Any, biases: Any, update_gate: str = "keep") -> Any:
    """Return cuDNN's parameter vector.

    Args:
        kernel: kernel_zrh [features, 3 units].
        recurrent_kernel: recurrent_kernel_zrh [units, 3 units].
        biases: bias_zrh, input and recurrent, [2, 3 units]; None means zeros.
        update_gate: the convention of these weights.

    Returns:
        [3 units (features + units + 2)], of the kernel's type.

    Example:
        >>> pack(ops.ones((4, 21)), ops.ones((7, 21)), None).shape[0] == 3 * 7 * (4 + 7 + 2)
        True
    """
    kernel = ops.convert_to_tensor(kernel)
    if biases is None:
        biases = ops.zeros((2, kernel.shape[-1]), kernel.dtype)
    vectors = []
    for packed in (kernel, recurrent_kernel, biases[0], biases[1]):
        z, r, c = ops.split(ops.convert_to_tensor(packed), 3, axis=-1)
        z = -z if update_gate == "write" else z
        vectors += [ops.reshape(ops.transpose(gate), [-1]) for gate in (r, z, c)]
    return ops.concatenate(vectors)


def cudnn(
    cell: Any,
    input_kernel: Any,
    sequences: Any,
    state: Any,
    mask: Any = None,
    *,
    go_backwards: bool = False,
) -> tuple[Any, Any]:
    """Run a cell's equations in cuDNN; arguments and results as of `kernels.fused`.

    A mask that is not right-padded goes to the fused kernel, when its values are seen.
    """
    import tensorflow as tf

    from gru_zoo.layers.kernels import fused

    arrays = cell, input_kernel, sequences, state, mask
    if mask is None:
        return _right_padded(*arrays, go_backwards)

    padded = ~tf.reduce_any(mask[:, 1:] & ~mask[:, :-1])
    return tf.cond(
        padded,
        lambda: _right_padded(*arrays, go_backwards),
        lambda: fused(*arrays, go_backwards=go_backwards),
    )


def _right_padded(
    cell: Any, input_kernel: Any, sequences: Any, state: Any, mask: Any, go_backwards: bool
) -> tuple[Any, Any]:
    import tensorflow as tf

    batch, time = tf.shape(sequences)[0], tf.shape(sequences)[1]
    present = tf.fill([batch, time], True) if mask is None else mask
    lengths = tf.reduce_sum(tf.cast(present, "int32"), axis=1)
    at_least_one = tf.maximum(lengths, 1)  # cuDNN refuses empty rows; theirs is replaced below
    if mask is not None:  # What an empty row has in its first step must reach no gradient.
        sequences = tf.where(mask[:, :, None], sequences, tf.zeros([], sequences.dtype))
    if go_backwards:
        sequences = tf.reverse_sequence(sequences, at_least_one, seq_axis=1)
    outputs, last, _, _, _ = _operation(
        input=sequences,
        input_h=state[:, None],  # [batch, layers, units]
        input_c=tf.zeros([], sequences.dtype),
        params=pack(input_kernel, cell.recurrent_kernel, cell.bias, cell.update_gate),
        sequence_lengths=at_least_one,
        rnn_mode="gru",
        time_major=False,
        is_training=True,  # keeps what the gradient needs
    )
    last = last[:, 0]
    if go_backwards:  # [3 2 1 - -] to [- - 3 2 1]: the padding comes first
        outputs = tf.reverse(tf.reverse_sequence(outputs, at_least_one, seq_axis=1), [1])
        present = tf.reverse(present, [1])
    if mask is not None:
        last = tf.where(lengths[:, None] > 0, last, state)
        held = state if go_backwards else last
        outputs = tf.where(present[:, :, None], outputs, held[:, None])
    return outputs, last


def _operation(**arguments: Any) -> Any:
    """TensorFlow's cuDNN op, by itself so that a test can see that it ran."""
    import tensorflow as tf

    return tf.raw_ops.CudnnRNNV3(**arguments)
