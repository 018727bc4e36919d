"""Recurrent layers: Keras's LSTM, GRU and simple RNN, with a step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.backend import on_cpu, scan
from seq2seq.layers.kernels import gru_sequence, lstm_sequence
from seq2seq.layers.lstm import LSTMGates, LSTMState, Tensor, lstm_gates, lstm_step


class RNNState(NamedTuple):
    """What a GRU or a simple RNN remembers between two steps.

    Attributes:
        hidden: (batch, units), what it says.
    """

    hidden: Tensor


State = LSTMState | RNNState


class GRUGates(NamedTuple):
    """How open the gates of a step are, (batch, units) each, or with a time axis.

    Attributes:
        z: of the update gate, how much of the hidden state is kept: 0 to 1.
        r: of the reset gate, how much of it the candidate sees: 0 to 1.
        g: the candidate: -1 to 1.
    """

    z: Tensor
    r: Tensor
    g: Tensor


def gru_gates(x: Tensor, h: Tensor) -> GRUGates:
    """The gates of the step that `gru_step` makes of the same arguments."""
    x_z, x_r, x_g = ops.split(x, 3, axis=-1)
    h_z, h_r, h_g = ops.split(h, 3, axis=-1)
    z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
    return GRUGates(z, r, ops.tanh(x_g + r * h_g))


def gru_step(x: Tensor, h: Tensor, hidden: Tensor) -> RNNState:
    """One step of the gated recurrent unit (Cho et al. 2014), with the reset after the product.

        z, r = sigmoid(x + h)                     update gate, reset gate
        g = tanh(x + r * h)                       candidate
        h' = z * hidden + (1 - z) * g

    Args:
        x: the inputs' part of the gates z, r, g with its bias, (batch, 3 * units).
        h: the hidden state's part, with its own bias, (batch, 3 * units).
        hidden: (batch, units).
    """
    z, _, candidate = gru_gates(x, h)
    return RNNState(z * hidden + (1 - z) * candidate)


def unroll(
    step: Callable, inputs: Tensor, state: State, mask: Tensor | None = None
) -> tuple[Tensor, State]:
    """A whole sequence by its steps; masked steps change nothing.

    Args:
        step: `step(inputs, state) -> state`.
        inputs: (batch, time, features).
        state: before the first step.
        mask: (batch, time), True for real steps; None: all are.

    Returns:
        The hidden state after each step, (batch, time, units), and the last state.
    """

    state, sequence = _unroll(step, inputs, state, mask, lambda next_state: next_state.hidden)
    return sequence, state


def unroll_states(
    step: Callable, inputs: Tensor, state: State, mask: Tensor | None = None
) -> State:
    """The whole state after each step, (batch, time, units) each; see `unroll`."""
    return _unroll(step, inputs, state, mask, lambda next_state: next_state)[1]


def _unroll(
    step: Callable, inputs: Tensor, state: State, mask, show: Callable
) -> tuple[State, Any]:
    def advance(state, step_inputs):
        next_state = step(step_inputs[0], state)
        if mask is not None:
            is_real = step_inputs[1][:, None]  # (batch, 1)
            next_state = tree.map_structure(
                lambda a, b: ops.where(is_real, a, b), next_state, state
            )
        return next_state, show(next_state)

    sequences = (inputs,) if mask is None else (inputs, ops.cast(mask, "bool"))
    return scan(advance, state, sequences)


def nonstandard_settings(layer: keras.layers.RNN) -> dict:
    """Settings in which `layer` is another than Keras's standard one of its kind.

    The steps in this package know bias, tanh, sigmoid, and the GRU that resets after the product.
    """
    cell, settings = layer.cell, {"use_bias": True, "activation": "tanh"}
    if not isinstance(layer, keras.layers.SimpleRNN):
        settings["recurrent_activation"] = "sigmoid"
    if isinstance(layer, keras.layers.GRU):
        settings["reset_after"] = True
    config = cell.get_config()
    return {key: config[key] for key, value in settings.items() if config[key] != value}


def require_standard(layer: keras.layers.RNN) -> None:
    """Raise a ValueError if `layer` is another than Keras's standard one of its kind."""
    if wrong := nonstandard_settings(layer):
        has = ", ".join(f"{key}={value}" for key, value in wrong.items())
        raise ValueError(
            f"step() knows the standard {type(layer).__name__} only; this one has {has}"
        )


def uses_custom_kernel(layer: keras.layers.RNN, training: bool) -> bool:
    """Whether `layer` runs a whole sequence with our gradient: it is standard, trained on a CPU."""
    noisy = layer.dropout or layer.recurrent_dropout
    return bool(training and not noisy and not nonstandard_settings(layer) and on_cpu())


def in_reading_order(layer: keras.layers.RNN, sequences: Tensor, mask: Tensor | None) -> tuple:
    """Sequences and mask in the order in which `layer` reads them."""
    if not layer.go_backwards:
        return sequences, mask
    return ops.flip(sequences, axis=1), None if mask is None else ops.flip(mask, axis=1)


def cast_weights(layer: keras.layers.RNN) -> tuple[Tensor, ...]:
    """Kernel, recurrent kernel and bias in the dtype that `layer` computes with."""
    cell = layer.cell
    parts = (cell.kernel, cell.recurrent_kernel, cell.bias)
    return tuple(ops.cast(part, layer.compute_dtype) for part in parts)


@keras.saving.register_keras_serializable("seq2seq")
class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` with a step of its own: same arguments, weights and numbers.

    A whole sequence runs through `lstm_sequence` in training, else through Keras's loop (cuDNN on a
    GPU where it applies); `step` advances by one time step, as decoding needs. A test proves that
    all give the same states.

    Example:
        >>> import numpy as np
        >>> layer = LSTM(8, return_sequences=True, return_state=True)
        >>> sequence, hidden, cell = layer(np.ones((2, 5, 3)))
        >>> sequence.shape, hidden.shape, cell.shape
        ((2, 5, 8), (2, 8), (2, 8))
    """

    def gates(self, inputs: Tensor, state: LSTMState) -> LSTMGates:
        """The gates of the step from `state`; see `step`. There may be a time axis."""
        require_standard(self)
        return lstm_gates(inputs, state, *cast_weights(self))

    def step(
        self, inputs: Tensor, state: LSTMState, recurrent_mask: Tensor | None = None
    ) -> LSTMState:
        """One step with this layer's weights; none of Keras's own dropout.

        Args:
            inputs: (batch, features).
            state: hidden and cell, each (batch, units).
            recurrent_mask: (batch, units), recurrent dropout mask, applied to h before the gates;
                None: no dropout.

        Raises:
            ValueError: the layer has no bias or other activations than tanh and sigmoid; such a
                layer runs whole sequences only.
        """
        if recurrent_mask is not None:
            state = LSTMState(state.hidden * recurrent_mask, state.cell)
        require_standard(self)
        return lstm_step(inputs, state, *cast_weights(self))

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Keras's hook for the loop over time: last output, all outputs, last states.

        Where a standard layer is trained on a CPU it is `lstm_sequence`; else Keras's own loop,
        which is cuDNN's on a GPU, and which exports know.
        """
        if not uses_custom_kernel(self, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        sequences, mask = in_reading_order(self, sequences, mask)
        state = LSTMState(*initial_state)
        outputs, state = lstm_sequence(sequences, state, cast_weights(self), mask)
        return state.hidden, outputs, list(state)


class Parts:
    """How GRU, simple RNN and the normalised layers see their gates: an inputs' and a hidden part.

    `norms` are empty, or two layers (of an LSTM three) that normalise the parts (Ba et al. 2016).
    """

    norms = ()

    def parts(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """`inputs` and `hidden` times their kernels, normalised if this layer does; no bias."""
        require_standard(self)
        kernels = (self.cell.kernel, self.cell.recurrent_kernel)
        products = [
            ops.matmul(vector, ops.cast(kernel, self.compute_dtype))
            for vector, kernel in zip((inputs, hidden), kernels, strict=True)
        ]
        if self.norms:
            products = [norm(part) for norm, part in zip(self.norms, products, strict=False)]
        return tuple(products)

    def biases(self) -> Tensor:
        """The bias in the dtype that this layer computes with."""
        return ops.cast(self.cell.bias, self.compute_dtype)


@keras.saving.register_keras_serializable("seq2seq")
class GRU(Parts, keras.layers.GRU):
    """`keras.layers.GRU` with a step of its own: same arguments, weights and numbers."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """See `LSTM.inner_loop`: trained on a CPU it is `gru_sequence`."""
        if not uses_custom_kernel(self, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        hidden = initial_state[0] if isinstance(initial_state, list | tuple) else initial_state
        sequences, mask = in_reading_order(self, sequences, mask)
        outputs, hidden = gru_sequence(sequences, hidden, cast_weights(self), mask)
        return hidden, outputs, [hidden]

    def step(
        self, inputs: Tensor, state: RNNState, recurrent_mask: Tensor | None = None
    ) -> RNNState:
        """One step; see `LSTM.step`."""
        masked_hidden = state.hidden if recurrent_mask is None else state.hidden * recurrent_mask
        return gru_step(*self._biased(inputs, masked_hidden), state.hidden)

    def gates(self, inputs: Tensor, state: RNNState) -> GRUGates:
        """The gates of the step from `state`; see `LSTM.gates`."""
        return gru_gates(*self._biased(inputs, state.hidden))

    def _biased(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x, h = self.parts(inputs, hidden)
        x_bias, h_bias = ops.unstack(self.biases(), 2)
        return x + x_bias, h + h_bias


@keras.saving.register_keras_serializable("seq2seq")
class SimpleRNN(Parts, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` with a step of its own: h' = tanh(x W + h U + b) (Elman 1990)."""

    def step(
        self, inputs: Tensor, state: RNNState, recurrent_mask: Tensor | None = None
    ) -> RNNState:
        """One step; see `LSTM.step`."""
        masked_hidden = state.hidden if recurrent_mask is None else state.hidden * recurrent_mask
        x, h = self.parts(inputs, masked_hidden)
        return RNNState(ops.tanh(x + h + self.biases()))

    def gates(self, inputs: Tensor, state: RNNState) -> tuple:
        """Nothing: it has none."""
        return ()
