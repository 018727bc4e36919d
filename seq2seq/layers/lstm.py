"""The LSTM: its state, its step, and a drop-in for `keras.layers.LSTM`.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from seq2seq.layers.backend import on_cpu

Tensor = Any  # a tensor of whichever engine runs Keras


class LSTMState(NamedTuple):
    """What an LSTM remembers between two steps.

    Attributes:
        hidden: (batch, units), what it says; `state_h` in Keras.
        cell: (batch, units), what it keeps to itself; `state_c` in Keras.
    """

    hidden: Tensor
    cell: Tensor


class LSTMGates(NamedTuple):
    """How open the gates of a step are, (batch, units) each, or with a time axis.

    Attributes:
        i: of the input gate, how much of the candidate gets into the cell: 0 to 1.
        f: of the forget gate, how much of the cell is kept: 0 to 1.
        g: the candidate: -1 to 1.
        o: of the output gate, how much of the cell is said: 0 to 1.
    """

    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor


def lstm_gates(
    inputs: Tensor, state: LSTMState, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> LSTMGates:
    """The gates of the step that `lstm_step` makes of the same arguments."""
    gates = ops.matmul(inputs, kernel) + ops.matmul(state.hidden, recurrent_kernel) + bias
    i, f, g, o = ops.split(gates, 4, axis=-1)  # each (batch, units)
    return LSTMGates(ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o))


def lstm_step(
    inputs: Tensor, state: LSTMState, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> LSTMState:
    """One step of the LSTM: from state t-1 and input t to state t. Its output is `state.hidden`.

        i, f, g, o = split(x W + h U + b)         input gate, forget gate, candidate, output gate
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(c')

    Args:
        inputs: (batch, features).
        state: hidden and cell, each (batch, units).
        kernel: (features, 4 * units); the gates lie side by side in Keras's order i, f, g, o.
        recurrent_kernel: (units, 4 * units).
        bias: (4 * units,).
    """
    i, f, g, o = lstm_gates(inputs, state, kernel, recurrent_kernel, bias)  # squashed already
    cell = f * state.cell + i * g
    hidden = o * ops.tanh(cell)
    return LSTMState(hidden, cell)


def what_differs(layer: keras.layers.RNN) -> dict:
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


def check_standard(layer: keras.layers.RNN) -> None:
    """Raise a ValueError if `layer` is another than Keras's standard one of its kind."""
    if wrong := what_differs(layer):
        has = ", ".join(f"{key}={value}" for key, value in wrong.items())
        raise ValueError(
            f"step() knows the standard {type(layer).__name__} only; this one has {has}"
        )


def runs_by_hand(layer: keras.layers.RNN, training: bool) -> bool:
    """Whether `layer` runs a whole sequence with our gradient: it is standard, trained on a CPU."""
    noisy = layer.dropout or layer.recurrent_dropout
    return bool(training and not noisy and not what_differs(layer) and on_cpu())


def in_order(layer: keras.layers.RNN, sequences: Tensor, mask: Tensor | None) -> tuple:
    """Sequences and mask in the order in which `layer` reads them."""
    if not layer.go_backwards:
        return sequences, mask
    return ops.flip(sequences, axis=1), None if mask is None else ops.flip(mask, axis=1)


def weights_of(layer: keras.layers.RNN) -> tuple[Tensor, ...]:
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
        check_standard(self)
        return lstm_gates(inputs, state, *weights_of(self))

    def step(self, inputs: Tensor, state: LSTMState, kept: Tensor | None = None) -> LSTMState:
        """One step with this layer's weights; none of Keras's own dropout.

        Args:
            inputs: (batch, features).
            state: hidden and cell, each (batch, units).
            kept: (batch, units), what the gates see of the hidden state is multiplied by it
                (recurrent dropout); None: they see all.

        Raises:
            ValueError: the layer has no bias or other activations than tanh and sigmoid; such a
                layer runs whole sequences only.
        """
        if kept is not None:
            state = LSTMState(state.hidden * kept, state.cell)
        check_standard(self)
        return lstm_step(inputs, state, *weights_of(self))

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Keras's hook for the loop over time: last output, all outputs, last states.

        Where a standard layer is trained on a CPU it is `lstm_sequence`; else Keras's own loop,
        which is cuDNN's on a GPU, and which exports know.
        """
        if not runs_by_hand(self, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        from seq2seq.layers.kernels import lstm_sequence  # it reads this module's state

        sequences, mask = in_order(self, sequences, mask)
        state = LSTMState(*initial_state)
        said, state = lstm_sequence(sequences, state, weights_of(self), mask)
        return state.hidden, said, list(state)
