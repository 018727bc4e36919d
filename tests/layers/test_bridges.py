"""Bridges by value, and the errors that name both sides and the fix."""

import keras
import numpy as np
import pytest

from seq2seq.layers import Copy, Dense, LSTMState, Zero

RNG = np.random.default_rng(2)


def sizes(layers, units):
    return tuple(LSTMState(units, units) for _ in range(layers))


def states(layers, units, batch=3):
    return tuple(
        LSTMState(*RNG.normal(size=(2, batch, units)).astype("float32")) for _ in range(layers)
    )


def test_copy_hands_everything_over():
    bridge, state = Copy(), states(2, 4)
    bridge.connect(sizes(2, 4), sizes(2, 4))
    for before, after in zip(state, bridge(state), strict=True):
        np.testing.assert_array_equal(before.hidden, after.hidden)
        np.testing.assert_array_equal(before.cell, after.cell)


def test_zero_hands_nothing_over():
    bridge = Zero()
    bridge.connect(sizes(2, 4), sizes(1, 6))
    (state,) = bridge(states(2, 4))
    np.testing.assert_array_equal(state.hidden, np.zeros((3, 6)))
    np.testing.assert_array_equal(state.cell, np.zeros((3, 6)))


def test_dense_joins_any_depth_and_width_by_its_formula():
    bridge, state = Dense(), states(2, 4)
    bridge.connect(sizes(2, 4), sizes(3, 5))
    after = bridge(state)
    assert len(after) == 3 and len(bridge.weights) == 12
    joined = np.concatenate([part for layer in state for part in layer], axis=-1)
    for number, layer in enumerate(after):
        hidden, cell = bridge.projections[2 * number : 2 * number + 2]
        expected = np.tanh(joined @ np.array(hidden.kernel) + np.array(hidden.bias))
        np.testing.assert_allclose(layer.hidden, expected, atol=1e-5)
        expected = joined @ np.array(cell.kernel) + np.array(cell.bias)
        np.testing.assert_allclose(layer.cell, expected, atol=1e-5)


@pytest.mark.parametrize("decoder", [sizes(1, 4), sizes(2, 8)])
def test_copy_names_both_sides_and_the_bridge_that_fixes_it(decoder):
    with pytest.raises(ValueError) as caught:
        Copy().connect(sizes(2, 4), decoder)
    message = str(caught.value)
    assert "the encoder has 2 layers of 4 units" in message
    assert f"the decoder {len(decoder)} layer" in message
    assert f"of {decoder[0].hidden} units" in message
    assert "bridge=dense" in message


@pytest.mark.parametrize("kind", [Copy, Dense, Zero])
def test_survives_serialisation(kind):
    bridge = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(kind()))
    assert isinstance(bridge, kind)
