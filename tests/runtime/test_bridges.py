"""Bridges of the runtime equal the Keras layers, of every kind."""

import numpy as np
import pytest

from seq2seq import layers as layers_package
from seq2seq.layers import LSTMState, RNNState, bridges
from seq2seq.runtime.bridges import Bridge
from seq2seq.runtime.recurrent import Weights

RNG = np.random.default_rng(0)


def make_states(*layers):
    return tuple(
        state(*RNG.normal(size=(len(state._fields), 3, units)).astype("float32"))
        for state, units in layers
    )


def sizes(states):
    return tuple(type(state)(*[part.shape[1] for part in state]) for state in states)


LSTMS, GRU = [(LSTMState, 4)] * 2, [(RNNState, 4)] * 2


@pytest.mark.parametrize(
    "kind, encoder, decoder",
    [
        ("Copy", LSTMS, LSTMS),
        ("Zero", LSTMS, [(RNNState, 5)]),
        ("HiddenOnly", LSTMS, GRU),
        ("HiddenOnly", GRU, LSTMS),
        ("Dense", LSTMS, [(LSTMState, 5)] * 3),
        ("Dense", GRU, [(RNNState, 5)]),
        ("LayerwiseDense", LSTMS, [(LSTMState, 2)] * 2),
        ("TopLayer", LSTMS, [(LSTMState, 4)] * 3),
        ("LearnedInitialState", LSTMS, [(LSTMState, 5)]),
    ],
)
def test_initial_states_equal_the_keras_layer(kind, encoder, decoder):
    states, target = make_states(*encoder), make_states(*decoder)
    layer = getattr(bridges, kind)()
    layer.connect(sizes(states), sizes(target))
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    arrays = {weight.path: np.array(weight) for weight in layer.weights}
    bridge = Bridge(kind, Weights(arrays), layer.name, list(sizes(states)), list(sizes(target)))
    initial = bridge(states)
    assert len(initial) == len(decoder)
    for state, expected in zip(initial, layer(states), strict=True):
        assert len(state) == len(expected)
        for part, tensor in zip(state, expected, strict=True):
            np.testing.assert_allclose(part, tensor, atol=1e-5)


def test_every_bridge_has_its_kind():
    layers = [cls for cls in vars(layers_package).values() if isinstance(cls, type)]
    names = {cls.__name__ for cls in layers if issubclass(cls, bridges.Bridge)}
    assert names - {"Bridge"} == {*Bridge.KINDS}
