"""The LSTM's step is the papers' equations, computed independently in NumPy."""

import numpy as np
import pytest

from seq2seq.layers import LSTM, LSTMState
from seq2seq.layers.lstm import lstm_gates, lstm_step
from tests.conftest import slow_except

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(3, 7, 5)).astype("float32")
MASK = np.arange(7) < np.array([[7], [4], [1]])
WEIGHTS = [RNG.normal(size=shape).astype("float32") for shape in ((5, 24), (6, 24), (24,))]
START = RNG.normal(size=(2, 3, 6)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_gates(x, hidden):
    """Gates i, f, g, o by the papers' equations."""
    kernel, recurrent, bias = WEIGHTS
    i, f, g, o = np.split(x @ kernel + hidden @ recurrent + bias, 4, axis=-1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def numpy_lstm(inputs, hidden, cell):
    """Hidden states of all steps of one example, and the last cell state."""
    outputs = []
    for x in inputs:
        i, f, g, o = numpy_gates(x, hidden)
        cell = f * cell + i * g
        hidden = o * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs), cell


def make_layer(**arguments):
    layer = LSTM(6, return_sequences=True, return_state=True, **arguments)
    layer.build(INPUTS.shape)
    layer.set_weights(WEIGHTS)
    return layer


# In training the kernel of this package runs, else Keras's loop.
@pytest.mark.parametrize("training", slow_except([True], [True, False]))
@pytest.mark.parametrize("masked", slow_except([True], [False, True]))
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("start", [None, START])
def test_a_sequence_is_the_papers_equations(masked, backwards, start, training):
    mask = MASK if masked else None
    state = None if start is None else [*start]
    layer = make_layer(go_backwards=backwards)
    sequence, hidden, cell = layer(INPUTS, mask=mask, initial_state=state, training=training)
    for row, length in enumerate(MASK.sum(1) if masked else (7, 7, 7)):
        steps = INPUTS[row, :length][:: -1 if backwards else 1]
        initial = np.zeros((2, 6)) if start is None else start[:, row]
        outputs, expected_cell = numpy_lstm(steps, *initial)
        read = (
            np.array(sequence[row])[MASK[row][:: -1 if backwards else 1]]
            if masked
            else sequence[row]
        )
        np.testing.assert_allclose(read, outputs, atol=1e-5)
        np.testing.assert_allclose(hidden[row], outputs[-1], atol=1e-5)
        np.testing.assert_allclose(cell[row], expected_cell, atol=1e-5)


def test_steps_are_the_papers_equations():
    layer, state = make_layer(), LSTMState(*START)
    for time in range(7):
        state = layer.step(INPUTS[:, time], state)
        for row in range(3):
            outputs, cell = numpy_lstm(INPUTS[row, : time + 1], *START[:, row])
            np.testing.assert_allclose(state.hidden[row], outputs[-1], atol=1e-5)
            np.testing.assert_allclose(state.cell[row], cell, atol=1e-5)


def test_gates_are_the_papers_equations():
    gates = lstm_gates(INPUTS[:, 0], LSTMState(*START), *WEIGHTS)
    for gate, expected in zip(gates, numpy_gates(INPUTS[:, 0], START[0]), strict=True):
        np.testing.assert_allclose(gate, expected, atol=1e-6)


def test_the_cell_state_remains_where_only_the_forget_gate_is_open():
    units = 2
    kernel, recurrent = np.zeros((1, 8), "float32"), np.zeros((2, 8), "float32")
    bias = np.repeat([-50.0, 50.0, 0.0, -50.0], units).astype("float32")  # i, f, g, o
    state = LSTMState(np.ones((1, 2), "float32"), np.array([[3.0, -2.0]], "float32"))
    next_state = lstm_step(np.ones((1, 1), "float32"), state, kernel, recurrent, bias)
    np.testing.assert_allclose(next_state.cell, state.cell)
    np.testing.assert_allclose(next_state.hidden, 0, atol=1e-6)
