"""Recurrent layers: Keras's LSTM, GRU and simple RNN, with a step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.backend import on_cpu, scan
from seq2seq.layers.kernels import gru_sequence, lstm_sequence
from seq2seq.layers.lstm import LSTMGates, LSTMState, Tensor, lstm_gates, lstm_step


class RNNState(NamedTuple):
    """State of a GRU or a simple RNN between two steps.

    Attributes:
        hidden: (batch, units), hidden state h, the layer's output.
    """

    hidden: Tensor


State = LSTMState | RNNState


class GRUGates(NamedTuple):
    """Gate activations of a step, (batch, units) each, or with a time axis.

    Attributes:
        z: update gate, 0 to 1: how much of the hidden state remains.
        r: reset gate, 0 to 1: how much of the hidden state enters the candidate.
        g: candidate, -1 to 1.
    """

    z: Tensor
    r: Tensor
    g: Tensor


def gru_gates(x: Tensor, h: Tensor) -> GRUGates:
    """Gate activations used by `gru_step`, from the same arguments."""
    x_z, x_r, x_g = ops.split(x, 3, axis=-1)
    h_z, h_r, h_g = ops.split(h, 3, axis=-1)
    z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
    return GRUGates(z, r, ops.tanh(x_g + r * h_g))


def gru_step(x: Tensor, h: Tensor, hidden: Tensor) -> RNNState:
    """Compute one step of the GRU (Cho et al. 2014), with the reset after the matrix product.

        z, r = sigmoid(x + h)                     update gate, reset gate
        g = tanh(x + r * h)                       candidate
        h' = z * hidden + (1 - z) * g

    Args:
        x: contribution of the inputs to the gates z, r, g, with its bias, (batch, 3 * units).
        h: contribution of the hidden state, with its own bias, (batch, 3 * units).
        hidden: (batch, units).
    """
    z, _, candidate = gru_gates(x, h)
    return RNNState(z * hidden + (1 - z) * candidate)


def unroll(
    step: Callable, inputs: Tensor, state: State, mask: Tensor | None = None
) -> tuple[Tensor, State]:
    """Run a sequence step by step; masked steps leave the state as it is.

    Args:
        step: `step(inputs, state) -> state`.
        inputs: (batch, time, features).
        state: before the first step.
        mask: (batch, time), True for real steps; None: all are.

    Returns:
        The hidden state after each step, (batch, time, units), and the last state.
    """

    state, outputs = _unroll(step, inputs, state, mask, lambda next_state: next_state.hidden)
    return outputs, state


def unroll_states(
    step: Callable, inputs: Tensor, state: State, mask: Tensor | None = None
) -> State:
    """States after each step, (batch, time, units) each; see `unroll`."""
    return _unroll(step, inputs, state, mask, lambda next_state: next_state)[1]


def _unroll(
    step: Callable, inputs: Tensor, state: State, mask, select: Callable
) -> tuple[State, Any]:
    def advance(state, step_inputs):
        next_state = step(step_inputs[0], state)
        if mask is not None:
            is_real = step_inputs[1][:, None]  # (batch, 1)
            next_state = tree.map_structure(
                lambda a, b: ops.where(is_real, a, b), next_state, state
            )
        return next_state, select(next_state)

    sequences = (inputs,) if mask is None else (inputs, ops.cast(mask, "bool"))
    return scan(advance, state, sequences)


def nonstandard_settings(layer: keras.layers.RNN) -> dict:
    """Settings of `layer` that differ from the defaults of its Keras class.

    The steps of this package need a bias, tanh, sigmoid, and a GRU with `reset_after=True`.
    """
    cell, settings = layer.cell, {"use_bias": True, "activation": "tanh"}
    if not isinstance(layer, keras.layers.SimpleRNN):
        settings["recurrent_activation"] = "sigmoid"
    if isinstance(layer, keras.layers.GRU):
        settings["reset_after"] = True
    config = cell.get_config()
    return {key: config[key] for key, value in settings.items() if config[key] != value}


def require_standard(layer: keras.layers.RNN) -> None:
    """Raise a ValueError unless `layer` has the settings that its step needs."""
    if settings := nonstandard_settings(layer):
        listed = ", ".join(f"{key}={value}" for key, value in settings.items())
        raise ValueError(
            f"step() supports the default settings of {type(layer).__name__} only; this layer has "
            f"{listed}"
        )


def uses_custom_kernel(layer: keras.layers.RNN, training: bool) -> bool:
    """Whether `layer` runs sequences by `kernels`: standard settings, in training, on a CPU."""
    has_dropout = layer.dropout or layer.recurrent_dropout
    return bool(training and not has_dropout and not nonstandard_settings(layer) and on_cpu())


def in_reading_order(layer: keras.layers.RNN, sequences: Tensor, mask: Tensor | None) -> tuple:
    """Sequences and mask in the order in which `layer` reads them."""
    if not layer.go_backwards:
        return sequences, mask
    return ops.flip(sequences, axis=1), None if mask is None else ops.flip(mask, axis=1)


def cast_weights(layer: keras.layers.RNN) -> tuple[Tensor, ...]:
    """Kernel, recurrent kernel and bias of `layer` in its compute dtype."""
    cell = layer.cell
    weights = (cell.kernel, cell.recurrent_kernel, cell.bias)
    return tuple(ops.cast(weight, layer.compute_dtype) for weight in weights)


@keras.saving.register_keras_serializable("seq2seq")
class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` with a `step`: same arguments, weights and results.

    A sequence runs through `lstm_sequence` in training, else through Keras's loop (cuDNN on a
    GPU where it applies); `step` advances by one time step, as decoding needs. Tests prove that
    all three give the same states.

    Example:
        >>> import numpy as np
        >>> layer = LSTM(8, return_sequences=True, return_state=True)
        >>> sequence, hidden, cell = layer(np.ones((2, 5, 3)))
        >>> print(sequence.shape, hidden.shape, cell.shape)
        (2, 5, 8) (2, 8) (2, 8)
    """

    def gates(self, inputs: Tensor, state: LSTMState) -> LSTMGates:
        """Gate activations of the step from `state`; see `step`. A time axis is allowed."""
        require_standard(self)
        return lstm_gates(inputs, state, *cast_weights(self))

    def step(
        self, inputs: Tensor, state: LSTMState, recurrent_mask: Tensor | None = None
    ) -> LSTMState:
        """Compute one step with this layer's weights, without Keras's own dropout.

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

        `lstm_sequence` where `uses_custom_kernel`; else Keras's own loop, which uses cuDNN on a
        GPU and can be exported.
        """
        if not uses_custom_kernel(self, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        sequences, mask = in_reading_order(self, sequences, mask)
        state = LSTMState(*initial_state)
        outputs, state = lstm_sequence(sequences, state, cast_weights(self), mask)
        return state.hidden, outputs, list(state)


class GateInputs:
    """Mixin of GRU, simple RNN and normalized layers: gate pre-activations in two terms.

    `norms` is empty, or has a layer normalization for each term, and a third for the cell state of
    an LSTM (Ba et al. 2016).
    """

    norms = ()

    def gate_inputs(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Products of `inputs` and `hidden` with their kernels, normalized if `norms`; no bias."""
        require_standard(self)
        kernels = (self.cell.kernel, self.cell.recurrent_kernel)
        products = [
            ops.matmul(vector, ops.cast(kernel, self.compute_dtype))
            for vector, kernel in zip((inputs, hidden), kernels, strict=True)
        ]
        if self.norms:
            products = [norm(term) for norm, term in zip(self.norms, products, strict=False)]
        return tuple(products)

    def cast_bias(self) -> Tensor:
        """Bias in the compute dtype."""
        return ops.cast(self.cell.bias, self.compute_dtype)


@keras.saving.register_keras_serializable("seq2seq")
class GRU(GateInputs, keras.layers.GRU):
    """`keras.layers.GRU` with a `step`: same arguments, weights and results."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Keras's hook for the loop over time; see `LSTM.inner_loop`."""
        if not uses_custom_kernel(self, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        hidden = initial_state[0] if isinstance(initial_state, list | tuple) else initial_state
        sequences, mask = in_reading_order(self, sequences, mask)
        outputs, hidden = gru_sequence(sequences, hidden, cast_weights(self), mask)
        return hidden, outputs, [hidden]

    def step(
        self, inputs: Tensor, state: RNNState, recurrent_mask: Tensor | None = None
    ) -> RNNState:
        """Compute one step; see `LSTM.step`."""
        masked_hidden = state.hidden if recurrent_mask is None else state.hidden * recurrent_mask
        return gru_step(*self._add_bias(inputs, masked_hidden), state.hidden)

    def gates(self, inputs: Tensor, state: RNNState) -> GRUGates:
        """Gate activations of the step from `state`; see `LSTM.gates`."""
        return gru_gates(*self._add_bias(inputs, state.hidden))

    def _add_bias(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x, h = self.gate_inputs(inputs, hidden)
        x_bias, h_bias = ops.unstack(self.cast_bias(), 2)
        return x + x_bias, h + h_bias


@keras.saving.register_keras_serializable("seq2seq")
class SimpleRNN(GateInputs, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` with a `step`: h' = tanh(x W + h U + b) (Elman 1990)."""

    def step(
        self, inputs: Tensor, state: RNNState, recurrent_mask: Tensor | None = None
    ) -> RNNState:
        """Compute one step; see `LSTM.step`."""
        masked_hidden = state.hidden if recurrent_mask is None else state.hidden * recurrent_mask
        x, h = self.gate_inputs(inputs, masked_hidden)
        return RNNState(ops.tanh(x + h + self.cast_bias()))

    def gates(self, inputs: Tensor, state: RNNState) -> None:
        """None: a simple RNN has no gates."""
        return None
