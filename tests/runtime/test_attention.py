"""Attention of the runtime equals the Keras layer, of every kind."""

import numpy as np
import pytest

from seq2seq.layers import Additive, Concat, Dot, FixedContext, General, Local, RNNState, Scaled
from seq2seq.runtime.attention import Attention, Memory, repeat_rows, softmax
from seq2seq.runtime.recurrent import Weights

RNG = np.random.default_rng(0)
LENGTHS = np.array([5, 2])
MASK = np.arange(5) < LENGTHS[:, None]
VALUES = RNG.normal(size=(2, 5, 4)).astype("float32")
QUERY = RNG.normal(size=(2, 3, 4)).astype("float32")  # (batch, queries, units)
STATES = (RNNState(RNG.normal(size=(2, 4)).astype("float32")),)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    "layer",
    [Additive, Concat, Dot, General, Scaled, lambda: Local(width=1), FixedContext],
    ids=["additive", "concat", "dot", "general", "scaled", "local", "fixed"],
)
def test_contexts_and_weights_equal_the_keras_layer(layer, masked):
    layer = layer()
    layer.connect(4, 4)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    mask = MASK if masked else np.ones_like(MASK)
    expected = layer(QUERY, layer.keys(VALUES, STATES), VALUES, mask)
    arrays = {weight.path.split("/", 1)[1]: np.array(weight) for weight in layer.weights}
    attention = Attention(type(layer).__name__, Weights(arrays), layer.get_config(), 4, 4)
    lengths = mask.sum(1)[:, None, None]
    memory = Memory(VALUES, mask[:, None] if masked else None, lengths)
    memory = memory._replace(keys=attention.keys(VALUES, STATES))
    context, weights = attention(QUERY.reshape(6, 4), memory, None)
    np.testing.assert_allclose(context, np.reshape(expected[0], (6, 4)), atol=1e-5)
    assert (weights is None) == (expected[1] is None)
    if weights is not None:
        np.testing.assert_allclose(weights, np.reshape(expected[1], (6, 5)), atol=1e-5)


def test_coverage_equals_the_keras_layer():
    layer = Additive(units=6, coverage=True)
    layer.connect(4, 4)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    coverage = RNG.uniform(size=(2, 5)).astype("float32")
    query = QUERY[:, :1]
    expected = layer(query, layer.keys(VALUES, ()), VALUES, MASK, coverage)
    arrays = {weight.path.split("/", 1)[1]: np.array(weight) for weight in layer.weights}
    attention = Attention("Additive", Weights(arrays), layer.get_config(), 4, 4)
    memory = Memory(VALUES, MASK[:, None], LENGTHS[:, None, None], attention.keys(VALUES, ()))
    _, weights = attention(query[:, 0], memory, coverage)
    np.testing.assert_allclose(weights, np.array(expected[1])[:, 0], atol=1e-5)


def test_softmax_sums_to_1_over_real_steps():
    weights = softmax(1000 * RNG.normal(size=(2, 5)), MASK)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert (weights[~MASK] == 0).all()


def test_rows_of_a_source_stand_side_by_side():
    assert repeat_rows(np.array([3, 4]), 4).tolist() == [3, 3, 4, 4]
