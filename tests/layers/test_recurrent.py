"""GRU, simple RNN and normalized layers: sequences equal steps, gates make steps."""

import keras
import numpy as np
import pytest

from seq2seq.layers import GRU, LSTM, LSTMState, RNNState, SimpleRNN
from seq2seq.layers.normalized import NormalizedGRU, NormalizedLSTM, NormalizedRNN
from seq2seq.layers.recurrent import unroll
from tests.conftest import slow_except

RNG = np.random.default_rng(4)
INPUTS = RNG.normal(size=(3, 6, 5)).astype("float32")
MASK = np.arange(6) < np.array([[6], [4], [1]])


@pytest.mark.parametrize(
    "kind", [GRU, SimpleRNN, NormalizedLSTM, NormalizedGRU, NormalizedRNN, LSTM]
)
@pytest.mark.parametrize("backwards", slow_except([False], [False, True]))
def test_steps_equal_the_sequence(kind, backwards):
    layer = kind(4, return_sequences=True, return_state=True, go_backwards=backwards)
    layer.build(INPUTS.shape)
    layer.set_weights([RNG.normal(size=w.shape) * 0.5 for w in layer.weights])
    sequence, *state = layer(INPUTS, mask=None if backwards else MASK)
    fields = LSTMState._fields if issubclass(kind, LSTM) else RNNState._fields
    zeros = [np.zeros((3, 4), "float32")] * len(fields)
    initial_state = LSTMState(*zeros) if len(fields) == 2 else RNNState(*zeros)
    inputs = INPUTS[:, ::-1] if backwards else INPUTS
    outputs, final_state = unroll(layer.step, inputs, initial_state, None if backwards else MASK)
    np.testing.assert_allclose(outputs, sequence, atol=1e-5)
    for actual, expected in zip(final_state, state, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("kind", [LSTM, NormalizedLSTM, GRU, NormalizedGRU])
def test_gates_make_the_step(kind):
    layer = kind(4, return_sequences=True, return_state=True)
    layer.build(INPUTS.shape)
    hidden = RNG.normal(size=(3, 4)).astype("float32")
    lstm = isinstance(layer, LSTM)
    state = LSTMState(hidden, 2 * hidden) if lstm else RNNState(hidden)
    next_state, gates = layer.step(INPUTS[:, 0], state), layer.gates(INPUTS[:, 0], state)
    if lstm:
        np.testing.assert_allclose(
            next_state.cell, gates.f * state.cell + gates.i * gates.g, atol=1e-6
        )
    else:
        expected = gates.z * hidden + (1 - gates.z) * gates.g
        np.testing.assert_allclose(next_state.hidden, expected, atol=1e-6)
    for name, gate in gates._asdict().items():
        assert np.min(gate) >= (-1 if name == "g" else 0) and np.max(gate) <= 1


def test_recurrent_dropout_hides_the_hidden_state_from_the_gates_only():
    layer = GRU(4)
    layer.build(INPUTS.shape)
    hidden = RNG.normal(size=(3, 4)).astype("float32")
    nothing = layer.step(INPUTS[:, 0], RNNState(hidden), recurrent_mask=np.zeros((3, 4), "float32"))
    kernel, _, bias = layer.get_weights()
    z, r, g = np.split(INPUTS[:, 0] @ kernel + bias[0], 3, axis=-1)
    z, r = (1 / (1 + np.exp(-gate)) for gate in (z, r))
    np.testing.assert_allclose(nothing.hidden, z * hidden + (1 - z) * np.tanh(g), atol=1e-5)


@pytest.mark.parametrize(
    "layer, message",
    [
        (LSTM(4, activation="relu"), "settings of LSTM only; this layer has activation=relu"),
        (LSTM(4, use_bias=False), "LSTM only; this layer has use_bias=False"),
        (GRU(4, activation="relu"), "settings of GRU only; this layer has activation=relu"),
        (GRU(4, reset_after=False), "reset_after=False"),
        (SimpleRNN(4, use_bias=False), "SimpleRNN only; this layer has use_bias=False"),
        (NormalizedLSTM(4, recurrent_activation="tanh"), "recurrent_activation=tanh"),
    ],
)
def test_steps_refuse_unsupported_settings(layer, message):
    layer.build(INPUTS.shape)
    with pytest.raises(ValueError, match=message):
        layer.step(INPUTS[:, 0], RNNState(np.zeros((3, 4), "float32")))


def test_survives_serialisation():
    layer = LSTM(6, return_state=True, dropout=0.2)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert isinstance(again, LSTM)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    "ours, keras_own",
    [
        (LSTM, keras.layers.LSTM),
        (GRU, keras.layers.GRU),
        (SimpleRNN, keras.layers.SimpleRNN),
    ],
)
def test_weights_of_keras_fit(ours, keras_own):
    layer, expected = ours(4), keras_own(4)
    expected.build(INPUTS.shape)
    layer.build(INPUTS.shape)
    layer.set_weights(expected.get_weights())
    state = RNNState(np.zeros((3, 4), "float32"))
    state = LSTMState(*state, *state) if ours is LSTM else state
    for time in range(6):
        state = layer.step(INPUTS[:, time], state)
    np.testing.assert_allclose(state.hidden, expected(INPUTS), atol=1e-6)
