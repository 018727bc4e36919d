"""GRU, simple RNN and normalised layers: Keras's numbers, the papers' formulas, Cell's checks."""

import keras
import numpy as np
import pytest

from seq2seq.layers import GRU, LSTM, Cell, LSTMState, RNNState, SimpleRNN
from seq2seq.layers.normalized import NormalizedGRU, NormalizedLSTM, NormalizedRNN
from seq2seq.layers.recurrent import unroll

RNG = np.random.default_rng(4)
INPUTS = RNG.normal(size=(3, 6, 5)).astype("float32")
MASK = np.arange(6) < np.array([[6], [4], [1]])


@pytest.mark.parametrize(
    "kind", [GRU, SimpleRNN, NormalizedLSTM, NormalizedGRU, NormalizedRNN, LSTM]
)
@pytest.mark.parametrize("backwards", [False, True])
def test_steps_equal_the_sequence(kind, backwards):
    layer = kind(4, return_sequences=True, return_state=True, go_backwards=backwards)
    layer.build(INPUTS.shape)
    layer.set_weights([RNG.normal(size=w.shape) * 0.5 for w in layer.weights])
    sequence, *state = layer(INPUTS, mask=None if backwards else MASK)
    fields = LSTMState._fields if issubclass(kind, LSTM) else RNNState._fields
    zeros = [np.zeros((3, 4), "float32")] * len(fields)
    before = LSTMState(*zeros) if len(fields) == 2 else RNNState(*zeros)
    inputs = INPUTS[:, ::-1] if backwards else INPUTS
    said, after = unroll(layer.step, inputs, before, None if backwards else MASK)
    np.testing.assert_allclose(said, sequence, atol=1e-5)
    for one, other in zip(after, state, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def normalise(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)


@pytest.mark.parametrize("kind", [LSTM, NormalizedLSTM, GRU, NormalizedGRU])
def test_gates_make_the_step(kind):
    layer = kind(4, return_sequences=True, return_state=True)
    layer.build(INPUTS.shape)
    hidden = RNG.normal(size=(3, 4)).astype("float32")
    lstm = isinstance(layer, LSTM)
    state = LSTMState(hidden, 2 * hidden) if lstm else RNNState(hidden)
    after, gates = layer.step(INPUTS[:, 0], state), layer.gates(INPUTS[:, 0], state)
    if lstm:
        np.testing.assert_allclose(after.cell, gates.f * state.cell + gates.i * gates.g, atol=1e-6)
    else:
        expected = gates.z * hidden + (1 - gates.z) * gates.g
        np.testing.assert_allclose(after.hidden, expected, atol=1e-6)
    for name, gate in gates._asdict().items():
        assert np.min(gate) >= (-1 if name == "g" else 0) and np.max(gate) <= 1


def test_layer_normalisation_is_the_papers():
    """Ba et al. 2016, equations 20-22."""
    layer = NormalizedLSTM(4)
    layer.build(INPUTS.shape)
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.weights])
    kernel, recurrent, bias, x_gain, h_gain, c_gain, c_bias = layer.get_weights()
    hidden, cell = RNG.normal(size=(2, 3, 4)).astype("float32")
    gates = (
        normalise(INPUTS[:, 0] @ kernel) * x_gain + normalise(hidden @ recurrent) * h_gain + bias
    )
    i, f, g, o = np.split(gates, 4, axis=-1)
    i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
    expected_cell = f * cell + i * np.tanh(g)
    expected = o * np.tanh(normalise(expected_cell) * c_gain + c_bias)
    after = layer.step(INPUTS[:, 0], LSTMState(hidden, cell))
    np.testing.assert_allclose(after.cell, expected_cell, atol=1e-4)
    np.testing.assert_allclose(after.hidden, expected, atol=1e-4)


def test_recurrent_dropout_hides_the_hidden_state_from_the_gates_only():
    layer = GRU(4)
    layer.build(INPUTS.shape)
    hidden = RNG.normal(size=(3, 4)).astype("float32")
    nothing = layer.step(INPUTS[:, 0], RNNState(hidden), recurrent_mask=np.zeros((3, 4), "float32"))
    kernel, _, bias = layer.get_weights()
    z, r, g = np.split(INPUTS[:, 0] @ kernel + bias[0], 3, axis=-1)
    z, r = (1 / (1 + np.exp(-gate)) for gate in (z, r))
    np.testing.assert_allclose(nothing.hidden, z * hidden + (1 - z) * np.tanh(g), atol=1e-5)


def test_initialisation_is_orthogonal_and_forget_biases_are_as_told():
    for kind in ("lstm", "gru", "rnn"):
        kernel = Cell(kind).build_layer(4, 3, "layer", None).get_weights()[1]
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-5)
    bias = Cell().build_layer(4, 3, "layer", None).get_weights()[2]
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 4))
    bias = Cell(forget_bias=2.5).build_layer(4, 3, "layer", None).get_weights()[2]
    np.testing.assert_array_equal(bias, np.repeat([0, 2.5, 0, 0], 4))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kind": "lstn"}, "unknown cell.kind 'lstn'"),
        ({"dropout": 1.5}, "cell.dropout must be at least 0 and less than 1, got 1.5"),
        ({"dropout": -0.1}, "got -0.1"),
        ({"recurrent_dropout": 1}, "cell.recurrent_dropout must be"),
        ({"residual": 1}, "cell.residual must be true or false, got 1"),
        ({"layer_norm": None}, "cell.layer_norm must be true or false"),
        ({"forget_bias": "big"}, "cell.forget_bias must be a finite number, got 'big'"),
        ({"forget_bias": float("inf")}, "finite number, got inf"),
        ({"kind": "gru", "forget_bias": 1.0}, "applies to cell.kind=lstm only, got kind=gru"),
    ],
)
def test_impossible_cells_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Cell(**arguments)


def test_a_cell_is_made_of_many_things():
    cell = Cell("gru", dropout=0.1)
    assert Cell.of(cell) is cell and Cell.of(cell.to_config()) == cell
    assert Cell.of("gru") == Cell("gru") and Cell.of(None) == Cell("lstm")


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
def test_steps_refuse_what_they_do_not_know(layer, message):
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
