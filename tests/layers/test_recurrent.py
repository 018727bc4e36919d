"""Stacks: each layer's final state, step = sequence, sizes checked."""

import numpy as np
import pytest

from seq2seq.layers import Stack

INPUTS = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")


def test_final_state_of_every_layer_equals_the_steps():
    stack = Stack(3, 4, layers=3)
    sequence, state = stack(INPUTS)
    assert sequence.shape == (2, 5, 4) and len(state) == 3
    after = tuple(type(s)(np.zeros((2, 4), "f"), np.zeros((2, 4), "f")) for s in state)
    for time in range(5):
        output, after = stack.step(INPUTS[:, time], after)
        np.testing.assert_allclose(output, sequence[:, time], atol=1e-6)
    for one, other in zip(state, after, strict=True):
        np.testing.assert_allclose(one.hidden, other.hidden, atol=1e-6)
        np.testing.assert_allclose(one.cell, other.cell, atol=1e-6)


def test_every_layer_gets_the_mask():
    stack = Stack(3, 4, layers=2)
    padded = np.concatenate([INPUTS, np.full((2, 3, 3), 9.0, "float32")], axis=1)
    mask = np.arange(8) < np.full((2, 1), 5)
    _, masked = stack(padded, mask=mask)
    _, plain = stack(INPUTS)
    for one, other in zip(masked, plain, strict=True):
        np.testing.assert_allclose(one.hidden, other.hidden, atol=1e-6)
        np.testing.assert_allclose(one.cell, other.cell, atol=1e-6)


def test_dropout_acts_in_training_only():
    stack = Stack(3, 4, layers=2, dropout=0.5)
    once, _ = stack(INPUTS)
    again, _ = stack(INPUTS)
    trained, _ = stack(INPUTS, training=True)
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, trained)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "units must be a whole number of at least 1, got 0"),
        ({"units": -3}, "got -3"),
        ({"units": "abc"}, "got 'abc'"),
        ({"units": 4, "layers": 0}, "layers must be"),
        ({"units": 4, "dropout": 1.5}, "dropout must be at least 0 and less than 1, got 1.5"),
        ({"units": 4, "dropout": -0.1}, "got -0.1"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stack(3, **arguments)
