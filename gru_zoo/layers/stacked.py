"""StackedGRU: several GRU layers, one or two directions each, with PyTorch's outputs and states."""

from __future__ import annotations

import numbers
from typing import Any

import keras
from keras import ops
from keras.src.backend import get_keras_mask

from gru_zoo.arguments import fraction, one_of, positive_int
from gru_zoo.layers.freezing import made_from, pass_on_trainable, trainable_config
from gru_zoo.layers.gru import GRU


def _initializer_for(initializer: Any, number: int) -> keras.initializers.Initializer:
    """Return a copy of the initializer whose seed, if it has one, differs for every GRU.

    One seeded initializer used as it is would give all GRUs of equal shape equal weights.
    """
    initializer = keras.initializers.get(initializer)
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    if "seed" not in config:
        return initializer
    seed = config["seed"]
    if isinstance(seed, dict):  # a SeedGenerator, of which every copy would begin again
        seed = seed["config"]["seed"]
    if isinstance(seed, int):
        config["seed"] = seed + number
    return type(initializer).from_config(config)


@keras.saving.register_keras_serializable(package="gru_zoo")
class StackedGRU(keras.layers.Layer):
    """GRU layers on top of one another: `torch.nn.GRU(batch_first=True)` for Keras.

    Layer k reads the outputs of layer k - 1, after dropout while training. With
    `bidirectional=True` every layer reads its input in both directions, and its output at a step
    is the concatenation of the two outputs for that step: [forward | backward].

    A masked step leaves every state as it is, so with right-padded sequences the results are
    those of PyTorch's packed sequences: the backward direction starts at the last real step, and
    the output at a masked step is zero.

    Args:
        units: size of the state of each layer and direction.
        num_layers: how many layers.
        bidirectional: whether each layer also runs backwards in time.
        dropout: fraction of each layer's outputs that is dropped while training, on all layers
            but the last (so it does nothing with a single layer).
        recurrent_dropout: fraction of the state dropped in each layer's recurrence while training.
        activation: of the candidate.
        recurrent_activation: of the update and the reset gate.
        use_bias: whether there are biases.
        kernel_initializer: of every layer's and direction's `kernel`.
        recurrent_initializer: of every `recurrent_kernel`.
        bias_initializer: of every `bias`.
        kernel_regularizer: of every `kernel`.
        recurrent_regularizer: of every `recurrent_kernel`.
        bias_regularizer: of every `bias`.
        reset_after: where the reset gate is applied, as in `GRU`.
        update_gate: "keep" or "write", as in `GRU`.
        zoneout: rate of zoneout, as in `GRU`.
        layer_norm: layer normalization inside each cell, as in `GRU`.
        kernel: how each GRU runs ("auto", "loop", ...), passed on to `GRU`.
        return_state: True returns `(output, h_n)` as PyTorch does; False returns only the output,
            as `keras.Sequential` needs it.
        seed: of the dropout masks.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        sequences: float [batch, time, features].
        initial_state: float [num_layers * directions, batch, units], or None for zeros. Row
            `layer * directions + direction` starts that layer and direction (0 is forward).
        mask: bool [batch, time], or None; False marks a step to ignore.
        training: whether dropout is applied.

    Returns:
        output: [batch, time, units * directions], the last layer's outputs.
        h_n: [num_layers * directions, batch, units], the last states, ordered as `initial_state`.
            Its batch is not its first axis: `Model.predict`, which joins batches on the first
            axis, needs it transposed.

    Raises:
        ValueError: a wrong argument; a wrong rank of `sequences`, or shape of `initial_state`.

    Example:
        >>> import numpy as np
        >>> layer = StackedGRU(8, num_layers=2, bidirectional=True)
        >>> output, h_n = layer(np.ones((3, 5, 4), "float32"))
        >>> output.shape.as_list(), h_n.shape.as_list()
        ([3, 5, 16], [4, 3, 8])
    """

    def __init__(
        self,
        units: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        reset_after: bool = True,
        update_gate: str = "keep",
        zoneout: float = 0.0,
        layer_norm: bool = False,
        kernel: str = "auto",
        return_state: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Check the arguments and make one GRU for each layer and direction."""
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.num_layers = positive_int("num_layers", num_layers)
        self.bidirectional = bool(one_of("bidirectional", bidirectional, (False, True)))
        self.dropout = fraction("dropout", dropout)
        self.return_state = bool(one_of("return_state", return_state, (False, True)))
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, numbers.Integral)):
            raise ValueError(f"seed must be an integer or None; got {seed!r}.")
        self.seed = None if seed is None else int(seed)
        self.supports_masking = True
        self.input_spec = keras.layers.InputSpec(ndim=3)

        self._gru_config = {
            "activation": activation,
            "recurrent_activation": recurrent_activation,
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "recurrent_initializer": recurrent_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "recurrent_regularizer": recurrent_regularizer,
            "bias_regularizer": bias_regularizer,
            "recurrent_dropout": fraction("recurrent_dropout", recurrent_dropout),
            "reset_after": reset_after,
            "update_gate": update_gate,
            "zoneout": zoneout,
            "layer_norm": layer_norm,
            "kernel": kernel,
        }
        # Two flat lists: Keras does not save layers inside nested ones.
        self.forward_grus = [self._gru(layer, 0) for layer in range(self.num_layers)]
        self.backward_grus = [
            self._gru(layer, 1) for layer in range(self.num_layers) if self.bidirectional
        ]
        self.dropouts = [
            # Each with a seed of its own, or all layers would drop the same places.
            keras.layers.Dropout(
                self.dropout,
                seed=None if self.seed is None else self.seed + layer,
                name=f"dropout_{layer}",
                dtype=self.dtype_policy,
            )
            for layer in range(self.num_layers - 1)
        ]
        pass_on_trainable(self)

    @property
    def directions(self) -> int:
        """How many directions each layer runs in: 1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def grus(self) -> list[list[GRU]]:
        """The GRU layers, [layer][direction]; direction 0 is forward."""
        columns = [self.forward_grus, self.backward_grus][: self.directions]
        return [list(row) for row in zip(*columns, strict=True)]

    def _gru(self, layer: int, direction: int) -> GRU:
        """Return the GRU of one layer and direction, with initializers and a seed of its own."""
        number = layer * self.directions + direction
        config = {
            name: _initializer_for(value, number) if name.endswith("_initializer") else value
            for name, value in self._gru_config.items()
        }
        return GRU(
            self.units,
            return_sequences=True,
            return_state=True,
            go_backwards=direction == 1,
            seed=None if self.seed is None else self.seed + self.num_layers + number,
            name=f"{('forward', 'backward')[direction]}_{layer}",
            dtype=self.dtype_policy,
            **config,
        )

    def build(self, sequences_shape: tuple, initial_state_shape: tuple | None = None) -> None:
        """Create the weights of every layer and direction."""
        if sequences_shape[-1] is None:
            raise ValueError(
                "sequences must have a known number of features (last axis); "
                f"got shape {tuple(sequences_shape)}."
            )
        shape = tuple(sequences_shape)
        for grus in self.grus:
            for gru in grus:
                gru.build(shape)
            shape = (*shape[:2], self.units * self.directions)
        for dropout in self.dropouts:
            dropout.build(shape)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Run all layers; see the class for shapes."""
        if mask is None:
            # Keras finds the mask only when `sequences` is the sole tensor argument, which it is
            # not when an initial state is given.
            mask = get_keras_mask(sequences)
        initial_states = self._split_initial_state(initial_state, sequences)
        last_states = []
        outputs = sequences
        for layer, grus in enumerate(self.grus):
            if layer > 0:
                outputs = self.dropouts[layer - 1](outputs, training=training)
            both = []
            for direction, gru in enumerate(grus):
                state = initial_states[layer * self.directions + direction]
                steps, last = gru(outputs, initial_state=state, mask=mask, training=training)
                # A GRU that goes backwards returns its outputs in the order it computed them.
                both.append(ops.flip(steps, axis=1) if gru.go_backwards else steps)
                last_states.append(last)
            outputs = ops.concatenate(both, axis=-1)  # [batch, time, units * directions]
        if mask is not None:
            keep = ops.expand_dims(ops.cast(mask, "bool"), -1)
            outputs = ops.where(keep, outputs, ops.zeros_like(outputs))
        if self.return_state:
            return outputs, ops.stack(last_states)  # [num_layers * directions, batch, units]
        return outputs

    def _split_initial_state(self, initial_state: Any, sequences: Any) -> list:
        """Return each layer's and direction's state [batch, units], or None for zeros."""
        rows = self.num_layers * self.directions
        if initial_state is None:
            return [None] * rows
        if isinstance(initial_state, (list, tuple)):
            initial_state = ops.stack(initial_state)
        given = tuple(initial_state.shape)
        expected = (rows, sequences.shape[0], self.units)
        fits = len(given) == 3 and all(
            want is None or got is None or want == got
            for want, got in zip(expected, given, strict=True)
        )
        if not fits:
            raise ValueError(
                "initial_state must have shape [num_layers * directions, batch, units] = "
                f"{list(expected)}; got {list(given)}."
            )
        initial_state = ops.cast(initial_state, self.compute_dtype)
        return [initial_state[row] for row in range(rows)]

    def compute_output_shape(
        self, sequences_shape: tuple, initial_state_shape: tuple | None = None
    ) -> Any:
        """Return the shape of the output, and of h_n with `return_state`."""
        batch, time = sequences_shape[:2]
        output = (batch, time, self.units * self.directions)
        if self.return_state:
            return output, (self.num_layers * self.directions, batch, self.units)
        return output

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Pass the mask of the sequences on to the output; h_n has none."""
        if isinstance(previous_mask, (list, tuple)):
            previous_mask = previous_mask[0]
        return [previous_mask, None] if self.return_state else previous_mask

    def get_config(self) -> dict[str, Any]:
        """Return every argument, as Keras' serialization wants it."""
        config = self.grus[0][0].get_config()
        return {
            **super().get_config(),
            **trainable_config(self),
            **{name: config[name] for name in self._gru_config},
            "units": self.units,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "return_state": self.return_state,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> StackedGRU:
        """Make the layer of `get_config`, with new weights."""
        return made_from(cls, config)
