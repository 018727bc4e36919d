"""Layer normalization of the gates by the paper's equations."""

import numpy as np

from seq2seq.layers import LSTMState
from seq2seq.layers.normalized import NormalizedLSTM

RNG = np.random.default_rng(4)
INPUTS = RNG.normal(size=(3, 6, 5)).astype("float32")


def normalise(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)


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
    next_state = layer.step(INPUTS[:, 0], LSTMState(hidden, cell))
    np.testing.assert_allclose(next_state.cell, expected_cell, atol=1e-4)
    np.testing.assert_allclose(next_state.hidden, expected, atol=1e-4)
