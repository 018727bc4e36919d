"""Local attention: nothing outside of the window around the predicted position."""

import keras
import numpy as np

from seq2seq.layers import Local

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(1, 9, 4)).astype("float32")
QUERY = RNG.normal(size=(1, 2, 4)).astype("float32")
MASK = np.arange(9)[None] < 7


def test_weights_are_zero_outside_of_the_window_and_at_padding():
    attention = Local(width=2)
    attention.connect(4, 4)
    for weight in attention.weights:
        weight.assign(np.zeros(weight.shape))  # the position is the middle of 7 steps, 3
    _, weights = attention(QUERY, attention.keys(VALUES, ()), VALUES, MASK)
    expected = np.exp(-(np.arange(-2.0, 3) ** 2) / 2) / 5  # a mean of 5 steps, times the Gaussian
    np.testing.assert_allclose(np.array(weights)[0, :, 1:6], [expected] * 2, atol=1e-6)
    assert not np.delete(np.array(weights)[0], np.s_[1:6], axis=1).any()


def test_the_width_is_serialized():
    again = keras.layers.deserialize(keras.layers.serialize(Local(width=3)))
    assert again.width == 3
