"""The LSTM: its state, its gates and its step.

Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
"""

from typing import Any, NamedTuple

from keras import ops

Tensor = Any  # a tensor of whichever engine runs Keras


class LSTMState(NamedTuple):
    """State of an LSTM between two steps.

    Attributes:
        hidden: (batch, units), hidden state h, the layer's output; `state_h` in Keras.
        cell: (batch, units), cell state c, internal to the layer; `state_c` in Keras.
    """

    hidden: Tensor
    cell: Tensor


class LSTMGates(NamedTuple):
    """Gate activations of a step, (batch, units) each, or with a time axis.

    Attributes:
        i: input gate, 0 to 1: how much of the candidate enters the cell state.
        f: forget gate, 0 to 1: how much of the cell state remains.
        g: candidate, -1 to 1.
        o: output gate, 0 to 1: how much of the cell state is output.
    """

    i: Tensor
    f: Tensor
    g: Tensor
    o: Tensor


def lstm_gates(
    inputs: Tensor, state: LSTMState, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> LSTMGates:
    """Gate activations used by `lstm_step`, from the same arguments."""
    gates = ops.matmul(inputs, kernel) + ops.matmul(state.hidden, recurrent_kernel) + bias
    i, f, g, o = ops.split(gates, 4, axis=-1)  # each (batch, units)
    return LSTMGates(ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o))


def lstm_step(
    inputs: Tensor, state: LSTMState, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> LSTMState:
    """Compute one step of the LSTM: state t from input t and state t-1. Its output is `hidden`.

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
