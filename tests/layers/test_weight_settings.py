"""Initializers and regularizers by name or as objects: they make the weights, and are kept."""

import numpy as np
import pytest
from keras import initializers, regularizers

from seq2seq.layers import Cell


@pytest.mark.parametrize(
    "settings, kernels",
    [
        ({"kernel_initializer": "zeros", "recurrent_initializer": "ones"}, (0.0, 1.0)),
        (
            {
                "kernel_initializer": initializers.Constant(0.5),
                "recurrent_initializer": initializers.Constant(-2),
            },
            (0.5, -2.0),
        ),
    ],
)
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_initializers_make_the_weights(kind, settings, kernels):
    layer = Cell(kind, **settings).build_layer(4, 3, "layer", None).cell
    for weight, value in zip((layer.kernel, layer.recurrent_kernel), kernels, strict=True):
        np.testing.assert_array_equal(weight, np.full(weight.shape, value))
    assert Cell.of(Cell(kind, **settings).to_config()) == Cell(kind, **settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"kernel_initializer": "he_norml"}, "unknown kernel_initializer 'he_norml'; did you mean"),
        ({"kernel_initializer": regularizers.L2()}, "kernel_initializer must be a keras.Initializ"),
        ({"recurrent_regularizer": 0.1}, "recurrent_regularizer must be a keras.Regularizer, its"),
        ({"recurrent_regularizer": "Dense"}, "unknown recurrent_regularizer 'Dense'"),
    ],
)
def test_other_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Cell(**settings)
