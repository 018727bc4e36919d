"""Bridges by value, and the errors that name both sides and the fix."""

import keras
import numpy as np
import pytest

from seq2seq.layers import (
    Copy,
    Dense,
    HiddenOnly,
    LayerwiseDense,
    LearnedInitialState,
    LSTMState,
    RNNState,
    TopLayer,
    Zero,
)

RNG = np.random.default_rng(2)
KINDS = [Copy, Dense, HiddenOnly, LayerwiseDense, LearnedInitialState, TopLayer, Zero]


def sizes(layers, units):
    return tuple(LSTMState(units, units) for _ in range(layers))


def states(layers, units, batch=3):
    return tuple(
        LSTMState(*RNG.normal(size=(2, batch, units)).astype("float32")) for _ in range(layers)
    )


def test_copy_passes_the_whole_state():
    bridge, state = Copy(), states(2, 4)
    bridge.connect(sizes(2, 4), sizes(2, 4))
    for encoder_state, decoder_state in zip(state, bridge(state), strict=True):
        np.testing.assert_array_equal(encoder_state.hidden, decoder_state.hidden)
        np.testing.assert_array_equal(encoder_state.cell, decoder_state.cell)


def test_zero_passes_nothing():
    bridge = Zero()
    bridge.connect(sizes(2, 4), sizes(1, 6))
    (state,) = bridge(states(2, 4))
    np.testing.assert_array_equal(state.hidden, np.zeros((3, 6)))
    np.testing.assert_array_equal(state.cell, np.zeros((3, 6)))


def test_dense_joins_any_depth_and_width_by_its_formula():
    bridge, state = Dense(), states(2, 4)
    bridge.connect(sizes(2, 4), sizes(3, 5))
    initial_state = bridge(state)
    assert len(initial_state) == 3 and len(bridge.weights) == 12
    joined = np.concatenate([part for layer in state for part in layer], axis=-1)
    for number, layer in enumerate(initial_state):
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


def gru_sizes(layers, units):
    return tuple(RNNState(units) for _ in range(layers))


def test_hidden_only_passes_the_hidden_state_alone():
    bridge, state = HiddenOnly(), states(2, 4)
    bridge.connect(sizes(2, 4), sizes(2, 4))
    for encoder_state, decoder_state in zip(state, bridge(state), strict=True):
        np.testing.assert_array_equal(encoder_state.hidden, decoder_state.hidden)
        np.testing.assert_array_equal(decoder_state.cell, np.zeros((3, 4)))
    bridge = HiddenOnly()
    bridge.connect(sizes(2, 4), gru_sizes(2, 4))
    assert bridge(state)[1]._fields == ("hidden",)


def test_layerwise_dense_equals_its_formula():
    bridge, state = LayerwiseDense(), states(2, 8)  # two directions of 4
    bridge.connect(sizes(2, 8), sizes(2, 5))
    for number, (encoder_state, decoder_state) in enumerate(zip(state, bridge(state), strict=True)):
        hidden, cell = bridge.projections[2 * number : 2 * number + 2]
        expected = np.tanh(encoder_state.hidden @ np.array(hidden.kernel) + np.array(hidden.bias))
        np.testing.assert_allclose(decoder_state.hidden, expected, atol=1e-5)
        expected = encoder_state.cell @ np.array(cell.kernel) + np.array(cell.bias)
        np.testing.assert_allclose(decoder_state.cell, expected, atol=1e-5)


def test_top_layer_starts_every_layer_with_the_encoders_top():
    bridge, state = TopLayer(), states(2, 4)
    bridge.connect(sizes(2, 4), sizes(3, 4))
    initial_state = bridge(state)
    assert len(initial_state) == 3
    for layer in initial_state:
        np.testing.assert_array_equal(layer.cell, state[1].cell)


def test_learned_initial_states_are_weights_and_ignore_the_source():
    bridge = LearnedInitialState()
    bridge.connect(sizes(2, 4), sizes(1, 6))
    bridge.set_weights([np.full(6, 1.0), np.full(6, 2.0)])
    (first,), (second,) = bridge(states(2, 4)), bridge(states(2, 4))
    np.testing.assert_array_equal(first.hidden, np.full((3, 6), 1.0))
    np.testing.assert_array_equal(first.cell, np.full((3, 6), 2.0))
    np.testing.assert_array_equal(first.cell, second.cell)


@pytest.mark.parametrize(
    "bridge, encoder, decoder, message",
    [
        (
            HiddenOnly(),
            sizes(2, 4),
            sizes(1, 4),
            "bridge HiddenOnly .* equal depth and width.*bridge=dense",
        ),
        (
            LayerwiseDense(),
            sizes(2, 4),
            sizes(1, 4),
            "bridge LayerwiseDense projects layer by layer.*bridge=dense",
        ),
        (
            LayerwiseDense(),
            gru_sizes(1, 4),
            sizes(1, 4),
            r"units \(hidden only\), .* and kind of cell",
        ),
        (TopLayer(), sizes(2, 4), sizes(2, 5), "bridge TopLayer .* equal width.*bridge=dense"),
        (Copy(), gru_sizes(1, 4), sizes(1, 4), r"1 layer of 4 units \(hidden only\), the decoder"),
        (
            Copy(),
            sizes(1, 8),
            sizes(1, 4),
            "or LayerwiseDense .bridge=layerwise_dense. for the two directions",
        ),
    ],
)
def test_sides_that_do_not_fit_are_refused_in_words(bridge, encoder, decoder, message):
    with pytest.raises(ValueError, match=message):
        bridge.connect(encoder, decoder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_initial_state_depends_on_the_source_where_information_is_passed(kind):
    bridge = kind()
    bridge.connect(sizes(1, 4), sizes(1, 4))
    first, second = (bridge(states(1, 4))[0].hidden for _ in range(2))
    assert np.allclose(first, second) == (not kind.passes_information)


@pytest.mark.parametrize("kind", KINDS)
def test_survives_serialisation(kind):
    bridge = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(kind()))
    assert isinstance(bridge, kind)


def test_a_bridge_joins_two_sides():
    bridge = Dense()
    bridge.connect(sizes(1, 4), sizes(1, 4))
    with pytest.raises(ValueError, match="this Dense belongs to another model already"):
        bridge.connect(sizes(1, 4), sizes(1, 4))
