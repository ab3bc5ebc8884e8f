"""The gated recurrent unit: GRUCell, one step, and GRU, a whole sequence."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import keras
from keras import ops, tree

from gru_zoo.arguments import fraction, one_of, positive_int
from gru_zoo.layers import kernels
from gru_zoo.layers.checks import check_float, check_shape, require_flags

_SIGNATURE = inspect.signature(keras.layers.GRUCell)


@keras.saving.register_keras_serializable(package="gru_zoo")
class GRUCell(keras.layers.GRUCell):
    """One step of a GRU, in any of the four conventions found in papers and libraries.

    With `x` the input, `h` the state before and `h'` after the step, `*` elementwise:

        z = sigmoid(x Wz + bz + h Uz + bz')                update gate
        r = sigmoid(x Wr + br + h Ur + br')                reset gate
        c = tanh(x Wc + bc + r * (h Uc + bc'))             reset_after=True
        c = tanh(x Wc + bc + (r * h) Uc)                   reset_after=False, no b'
        h' = z * h + (1 - z) * c                           update_gate="keep"
        h' = (1 - z) * h + z * c                           update_gate="write"

    reset_after=True with "keep" is the GRU of Keras, cuDNN, PyTorch and ONNX; reset_after=False
    with "keep" is that of Cho et al. (2014), with "write" that of Chung et al. (2014).

    layer_norm=True normalizes the products before their biases, as Ba et al. (2016, supplement)
    do: x W becomes g * LN(x W) and h U becomes g' * LN(h U), where z and r are normalized
    together and c by itself. With a zoneout rate q (Krueger et al., 2016), h' becomes
    k * h + (1 - k) * h', where k is 1 with probability q, drawn for each unit and step in
    training, and k = q otherwise.

    Constructor, weights and dropout masks are those of `keras.layers.GRUCell`:
    kernel_zrh = [Wz | Wr | Wc] `[features, 3 units]`, recurrent_kernel_zrh `[units, 3 units]`,
    bias_zrh `[2, 3 units]` (b, then b') if reset_after, else `[3 units]`; and with layer_norm
    gain_zrh `[2, 3 units]` (g, then g').

    Args:
        units: size of the state, at least 1.
        *args: the other arguments of `keras.layers.GRUCell`, in its order.
        update_gate: "keep" or "write", what an open update gate does.
        zoneout: the rate q, in [0, 1).
        layer_norm: whether to normalize the products.
        **kwargs: the other arguments of `keras.layers.GRUCell`, by name.

    Call arguments: inputs `[batch, features]` float; states `[batch, units]` or a list of it;
    training, whether to draw dropout and zoneout. Returns h', and h' nested as the states were.

    On the JAX backend `keras.layers.RNN(GRUCell(zoneout=q))` draws one k for all steps, for its
    loop is traced once; `GRU(zoneout=q)` draws one for each, on every backend.

    Raises:
        ValueError: an argument outside what is allowed, or inputs that are not float.

    Example:
        >>> cell = GRUCell(7)
        >>> h, states = cell(ops.ones((3, 4)), [ops.zeros((3, 7))])
        >>> tuple(h.shape)
        (3, 7)
    """

    def __init__(
        self,
        units: int,
        *args: Any,
        update_gate: str = "keep",
        zoneout: float = 0.0,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        given = _SIGNATURE.bind(units, *args, **kwargs).arguments
        for rate in ("dropout", "recurrent_dropout"):
            fraction(rate, given.get(rate, 0.0))
        for flag in ("use_bias", "reset_after"):
            one_of(flag, given.get(flag, True), (False, True))
        super().__init__(positive_int("units", units), *args, **kwargs)
        self.update_gate = one_of("update_gate", update_gate, ("keep", "write"))
        self.zoneout = fraction("zoneout", zoneout)
        self.layer_norm = one_of("layer_norm", layer_norm, (False, True))

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs of shape [batch, features]."""
        super().build(input_shape)
        if self.layer_norm:
            self.gain = self.add_weight((2, 3 * self.units), "ones", name="gain")

    def biases(self) -> tuple[Any, Any]:
        """Return the input bias and the recurrent bias, [3 units] each, or None where not used."""
        if self.bias is None:
            return None, None
        bias = ops.convert_to_tensor(self.bias)
        return (bias[0], bias[1]) if self.reset_after else (bias, None)

    def project(self, inputs: Any, dropped: Any = None) -> Any:
        """Return the inputs' share of the gates, x W + b.

        Args:
            inputs: [..., features], float: one step or a whole sequence.
            dropped: dropout mask of the inputs' rank, or a list of three, one a gate (z, r, c).

        Returns:
            projected_zrh [..., 3 units].
        """
        products = _product(inputs, self.kernel, dropped)
        return self._normalized(products, 0, slice(None), self.biases()[0])

    def gates(self, projected: Any, state: Any, dropped: Any = None) -> tuple[Any, Any, Any]:
        """Return z, r and c of one step, [batch, units] each; arguments as of `recur`."""
        zr = 2 * self.units
        gates = 3 if self.reset_after else 2  # a reset before the product: c has to wait for r
        columns = slice(0, gates * self.units)
        masks = None if dropped is None else dropped[:gates]
        products = _product(state, self.recurrent_kernel[:, columns], masks)
        h_zrc = self._normalized(products, 1, columns, self.biases()[1])
        z, r = ops.split(self.recurrent_activation(projected[:, :zr] + h_zrc[:, :zr]), 2, axis=-1)
        if self.reset_after:
            return z, r, self.activation(projected[:, zr:] + r * h_zrc[:, zr:])
        h = state if dropped is None else state * dropped[2]
        product = ops.matmul(r * h, self.recurrent_kernel[:, zr:])
        h_c = self._normalized(product, 1, slice(zr, None))
        return z, r, self.activation(projected[:, zr:] + h_c)

    def recur(self, projected: Any, state: Any, dropped: Any = None, kept: Any = None) -> Any:
        """Return the state after one step, h'.

        Args:
            projected: the step's projected_zrh, [batch, 3 units].
            state: h, [batch, units].
            dropped: None, or three recurrent dropout masks [batch, units], one a gate (z, r, c).
            kept: None, or zoneout's k, [batch, units] or a number.

        Returns:
            h' [batch, units].
        """
        z, _, c = self.gates(projected, state, dropped)
        keep, write = (z, 1 - z) if self.update_gate == "keep" else (1 - z, z)
        new_state = keep * state + write * c
        return new_state if kept is None else kept * state + (1 - kept) * new_state

    def _normalized(self, products: Any, row: int, columns: slice, bias: Any = None) -> Any:
        """Return the products of these columns with bias and, by the gain's row, layer norm."""
        if self.layer_norm:
            groups = products[..., : 2 * self.units], products[..., 2 * self.units :]
            groups = [_layer_norm(group) for group in groups if group.shape[-1]]
            products = self.gain[row, columns] * ops.concatenate(groups, axis=-1)
        return products if bias is None else products + bias

    def dropout_masks(self, inputs: Any, state: Any, training: bool) -> tuple[Any, Any]:
        """Return the sequence's dropout masks for `project` and `recur`, None where none is.

        One mask serves all steps of a sequence (Gal and Ghahramani, 2016); Keras keeps it until
        the layer resets it, so the cell draws the same numbers as Keras' for the same seed.

        Args:
            inputs: one step, [batch, features].
            state: [batch, units].
            training: False drops nothing.
        """
        of_inputs = self.get_dropout_mask(inputs) if training and self.dropout else None
        drawn = training and self.recurrent_dropout
        of_state = self.get_recurrent_dropout_mask(state) if drawn else None
        # Keras draws one alone where the rate was set after the cell was made: it is every gate's.
        alone = drawn and not isinstance(of_state, (list, tuple))
        return of_inputs, [of_state] * 3 if alone else of_state

    def zoneout_share(self, inputs: Any, training: bool) -> Any:
        """Return zoneout's k: None without zoneout, its rate, or in training 0s and 1s.

        Args:
            inputs: [..., features]; the drawn k is [..., units] of the same type.
            training: whether to draw.
        """
        if not self.zoneout or not training:
            return self.zoneout or None
        shape = (*ops.shape(inputs)[:-1], self.units)
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return ops.cast(drawn < self.zoneout, inputs.dtype)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Run one step; see the class."""
        check_float("inputs", inputs)
        state = tree.flatten(states)[0]
        of_inputs, of_state = self.dropout_masks(inputs, state, training)
        kept = self.zoneout_share(inputs, training)
        new_state = self.recur(self.project(inputs, of_inputs), state, of_state, kept)
        return new_state, [new_state] if tree.is_nested(states) else new_state

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("update_gate", "zoneout", "layer_norm")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="gru_zoo")
class GRU(keras.layers.RNN):
    """A GRU over a sequence: `keras.layers.GRU` with every convention and faster kernels.

    The equations are in `GRUCell`. Arguments, weights, masks, states and results are those of
    `keras.layers.GRU`; four arguments are new.

    Args:
        units: size of the state, at least 1. The arguments up to `use_cudnn` are Keras'.
        update_gate: "keep" (Keras: an open update gate keeps the state) or "write" (Chung et al.).
        zoneout: rate of zoneout, see `GRUCell`.
        layer_norm: layer normalization inside the cell, see `GRUCell`.
        kernel: how to run, not the weight matrix, which is `cell.kernel`: "auto", "loop",
            "unrolled", "fused" or "cudnn", see `kernels.py`. "auto" chooses; any other raises if it
            cannot run. `kernel_used` and `kernel_reason` tell what ran.
        **kwargs: `zero_output_for_mask`, `implementation`, `name`, `dtype`, `trainable`, as Keras'.

    Call arguments: sequences `[batch, time, features]` float; initial_state `[batch, units]`;
    mask `[batch, time]` bool, any pattern; training, whether dropout is on. As in Keras, the mask
    that the inputs carry is not used beside an initial_state: pass it as `mask`.

    Returns the last state `[batch, units]`, or with return_sequences all `[batch, time, units]`;
    with return_state, that and the last state. At a masked step the output before is repeated,
    and there are zeros until the first unmasked step, as in Keras on TensorFlow.

    Raises:
        ValueError: an argument, a shape or a type outside what is allowed, or a kernel that was
            asked for and cannot run.

    Example:
        >>> layer = GRU(7, return_sequences=True)
        >>> tuple(layer(ops.ones((3, 5, 4))).shape)
        (3, 5, 7)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        *,
        update_gate: str = "keep",
        zoneout: float = 0.0,
        layer_norm: bool = False,
        kernel: str = "auto",
        **kwargs: Any,
    ) -> None:
        one_of("use_cudnn", use_cudnn, ("auto", True, False))
        one_of("kernel", kernel, ("auto", *kernels.KERNELS))
        flags = {
            "return_sequences": return_sequences,
            "return_state": return_state,
            "go_backwards": go_backwards,
            "stateful": stateful,
            "unroll": unroll,
        }
        require_flags(**flags)
        if unroll and kernel not in ("auto", "unrolled"):
            raise ValueError(f"unroll must be False with kernel={kernel!r}; got {unroll!r}.")
        cell = GRUCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            reset_after=reset_after,
            seed=seed,
            implementation=kwargs.pop("implementation", 2),
            update_gate=update_gate,
            zoneout=zoneout,
            layer_norm=layer_norm,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="gru_cell",
        )
        super().__init__(cell, activity_regularizer=activity_regularizer, **flags, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.use_cudnn = use_cudnn if use_cudnn == "auto" else bool(use_cudnn)
        self.kernel = kernel
        self.supports_jit = not kernels.may_use_cudnn(self)  # XLA knows no cuDNN
        self.kernel_used: str | None = None
        self.kernel_reason: str | None = None

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Create the weights for inputs of shape [batch, time, features]."""
        features = sequences_shape[-1]
        if features is None:
            raise ValueError(f"the features of inputs must be known; got shape {sequences_shape}.")
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={-1: features})
        super().build(sequences_shape, initial_state_shape)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Run the layer; see the class."""
        check_float("inputs", sequences)
        batch, time, _ = sequences.shape
        if time == 0:
            raise ValueError(f"inputs must have at least one step; got {tuple(sequences.shape)}.")
        for given in _tensors(mask):
            check_shape("mask", given, ("batch", "time"), (batch, time))
        states = _tensors(initial_state)
        if len(states) > 1:
            raise ValueError(f"initial_state must be one state; got {len(states)}.")
        for given in states:
            check_shape("initial_state", given, ("batch", "units"), (batch, self.cell.units))
        try:
            return super().call(sequences, initial_state, mask, training)
        finally:  # After an error too: the next call needs other dropout masks.
            self._maybe_reset_dropout_masks(self.cell)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """Run the chosen kernel; returns last output, outputs and states for `keras.layers.RNN`."""
        state = _tensors(initial_state)[0]
        if self.stateful and keras.backend.backend() == "torch":
            state = ops.copy(state)  # The new one is assigned in place, and gradients need the old.
        mask = next((ops.cast(given, "bool") for given in _tensors(mask)), None)
        name, self.kernel_reason = kernels.choose(self, sequences.shape[1], mask, training)
        if type(self.cell).call is not GRUCell.call:  # no kernel knows what it computes
            self.kernel_used = "unrolled" if self.unroll else "loop"
            return super().inner_loop(sequences, initial_state, mask, training)
        outputs, state = kernels.run(name, self, sequences, state, mask, training)
        self.kernel_used = name
        if mask is None:
            return state, outputs, [state]
        shown = kernels.shown_steps(mask, self.go_backwards, self.zero_output_for_mask)
        last_output = ops.where(shown[:, -1:], state, ops.zeros_like(state))
        if self.return_sequences:
            outputs = ops.where(shown[:, :, None], outputs, ops.zeros_like(outputs))
        return last_output, outputs, [state]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "use_cudnn": self.use_cudnn,
            "kernel": self.kernel,
        }
        config = {**self.cell.get_config(), **super().get_config(), **own}
        del config["cell"]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GRU:
        """Return a layer with the arguments of `get_config`."""
        return cls(**config)


# The cell's arguments as properties; no cell lists them: it would start TensorFlow, draw a seed.
_OF_KERAS = set(_SIGNATURE.parameters) - {"kwargs"}
for _name in _OF_KERAS | {"update_gate", "zoneout", "layer_norm"}:
    setattr(GRU, _name, property(operator.attrgetter(f"cell.{_name}"), doc=f"Cell's `{_name}`."))


def _product(inputs: Any, kernel: Any, dropped: Any) -> Any:
    """Return inputs @ kernel, with a dropout mask for the inputs or one for each gate's product."""
    if not isinstance(dropped, (list, tuple)):
        return ops.matmul(inputs if dropped is None else inputs * dropped, kernel)
    gates = ops.split(kernel, len(dropped), axis=-1)
    pairs = zip(dropped, gates, strict=True)
    return ops.concatenate([ops.matmul(inputs * mask, w) for mask, w in pairs], axis=-1)


def _layer_norm(a: Any) -> Any:
    # Half precision has no squares of numbers beyond 256.
    wide = ops.cast(a, keras.backend.result_type(a.dtype, "float32"))
    wide = wide - ops.mean(wide, axis=-1, keepdims=True)
    scale = ops.rsqrt(ops.mean(wide * wide, axis=-1, keepdims=True) + kernels.NORM_EPSILON)
    return ops.cast(wide * scale, a.dtype)


def _tensors(nested: Any) -> list[Any]:
    return [tensor for tensor in tree.flatten(nested) if tensor is not None]
