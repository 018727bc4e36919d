"""Projections have their weights before their first call."""

import numpy as np

from seq2seq.layers.projection import projection


def test_a_projection_is_built_when_it_is_made():
    layer = projection(3, 2, "query", "float32", use_bias=False, activation="tanh")
    assert layer.name == "query" and [tuple(weight.shape) for weight in layer.weights] == [(2, 3)]
    inputs = np.array([[0.5, -1.0]], "float32")
    np.testing.assert_allclose(layer(inputs), np.tanh(inputs @ np.array(layer.kernel)), rtol=1e-6)
