"""The drop-in LSTM has Keras's arguments, weights and numbers; its step is its sequence."""

import keras
import numpy as np
import pytest

from seq2seq.layers import LSTM, LSTMState, lstm_step

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(3, 7, 5)).astype("float32")
MASK = np.arange(7) < np.array([[7], [4], [1]])


def twins(**arguments):
    ours, keras_own = LSTM(6, **arguments), keras.layers.LSTM(6, **arguments)
    ours.build(INPUTS.shape)
    keras_own.build(INPUTS.shape)
    keras_own.set_weights(ours.get_weights())
    return ours, keras_own


def numpy_lstm(inputs, weights, hidden, cell):
    """The paper's equations, one example and one step at a time."""
    kernel, recurrent, bias = weights

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for x in inputs:
        i, f, g, o = np.split(x @ kernel + hidden @ recurrent + bias, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
    return hidden, cell


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("start", [False, True])
def test_numbers_equal_keras(masked, backwards, start):
    ours, keras_own = twins(return_sequences=True, return_state=True, go_backwards=backwards)
    state = [RNG.normal(size=(3, 6)).astype("float32") for _ in range(2)] if start else None
    mask = MASK if masked else None
    arguments = {"mask": mask, "initial_state": state}
    expected = keras_own(INPUTS, **arguments)
    for training in (True, False):  # in training our own loop runs, else Keras's
        for a, b in zip(ours(INPUTS, **arguments, training=training), expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_weights_swap_both_ways():
    ours, keras_own = twins()
    ours.set_weights([w + 0.1 for w in keras_own.get_weights()])
    keras_own.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(INPUTS, training=True), keras_own(INPUTS), atol=1e-6)
    assert [w.shape for w in ours.weights] == [(5, 24), (6, 24), (24,)]


def test_steps_equal_the_sequence():
    layer = LSTM(6, return_sequences=True, return_state=True)
    sequence, hidden, cell = layer(INPUTS, training=True)
    state = LSTMState(np.zeros((3, 6), "float32"), np.zeros((3, 6), "float32"))
    for time in range(7):
        state = layer.step(INPUTS[:, time], state)
        np.testing.assert_allclose(state.hidden, sequence[:, time], atol=1e-6)
    np.testing.assert_allclose(state.hidden, hidden, atol=1e-6)
    np.testing.assert_allclose(state.cell, cell, atol=1e-6)


def test_step_and_sequence_are_the_papers_equations():
    layer = LSTM(6, return_state=True)
    layer.build(INPUTS.shape)
    weights = [RNG.normal(size=w.shape) for w in layer.weights]
    layer.set_weights(weights)
    expected = [numpy_lstm(row, weights, np.zeros(6), np.zeros(6)) for row in INPUTS]
    state = LSTMState(*np.zeros((2, 3, 6), "float32"))
    for time in range(7):
        state = layer.step(INPUTS[:, time], state)
    for hidden, cell in (layer(INPUTS, training=True)[1:], state):
        np.testing.assert_allclose(hidden, [h for h, _ in expected], atol=1e-5)
        np.testing.assert_allclose(cell, [c for _, c in expected], atol=1e-5)


def test_the_step_forgets_and_keeps():
    """With all gates shut but the forget gate, the cell is kept as it is."""
    units = 2
    kernel, recurrent = np.zeros((1, 8), "float32"), np.zeros((2, 8), "float32")
    bias = np.repeat([-50.0, 50.0, 0.0, -50.0], units).astype("float32")  # i, f, g, o
    state = LSTMState(np.ones((1, 2), "float32"), np.array([[3.0, -2.0]], "float32"))
    after = lstm_step(np.ones((1, 1), "float32"), state, kernel, recurrent, bias)
    np.testing.assert_allclose(after.cell, state.cell)
    np.testing.assert_allclose(after.hidden, 0, atol=1e-6)


def test_masked_steps_change_nothing():
    layer = LSTM(6, return_state=True)
    _, hidden, cell = layer(INPUTS, mask=MASK, training=True)
    for row, length in enumerate((7, 4, 1)):
        _, alone_hidden, alone_cell = layer(INPUTS[row : row + 1, :length], training=True)
        np.testing.assert_allclose(hidden[row], alone_hidden[0], atol=1e-6)
        np.testing.assert_allclose(cell[row], alone_cell[0], atol=1e-6)


def test_survives_serialisation():
    layer = LSTM(6, return_state=True, dropout=0.2)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert isinstance(copy, LSTM)
    assert copy.get_config() == layer.get_config()


@pytest.mark.parametrize("arguments", [{"activation": "relu"}, {"use_bias": False}])
def test_step_refuses_what_it_does_not_know(arguments):
    layer = LSTM(6, **arguments)
    layer.build(INPUTS.shape)
    state = LSTMState(np.zeros((3, 6)), np.zeros((3, 6)))
    with pytest.raises(ValueError, match="settings of LSTM only"):
        layer.step(INPUTS[:, 0], state)
