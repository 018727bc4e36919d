"""Second derivatives, of a gradient penalty: those of Keras and of finite differences."""

import keras
import numpy as np
import pytest
from keras import ops

from seq2seq.layers import GRU, LSTM

RNG = np.random.default_rng(1)
INPUTS = RNG.normal(size=(2, 4, 3))
MASK = np.array([[True, True, True, True], [True, True, False, False]])
# JAX computes in single precision, unless it is configured for the whole process.
SINGLE = keras.backend.backend() == "jax"
CLOSE = {"rtol": 2e-3, "atol": 2e-5} if SINGLE else {"rtol": 1e-6, "atol": 1e-8}
STEP = 1e-2 if SINGLE else 1e-5
PAIRS = {"lstm": (LSTM, keras.layers.LSTM), "gru": (GRU, keras.layers.GRU)}


def make(kind):
    """Our layer and Keras's, of equal weights."""
    layers = [layer(5, dtype="float64", return_sequences=True) for layer in PAIRS[kind]]
    for layer in layers:
        layer.build(INPUTS.shape)
    layers[1].set_weights([RNG.normal(size=weight.shape) for weight in layers[1].weights])
    layers[0].set_weights(layers[1].get_weights())
    return layers


def differentiate(function, value):
    """The gradient of a scalar function of one tensor; it can be differentiated again."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)(value)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(value)
        result = function(value)
    return tape.gradient(result, value)


def penalty(layer, mask):
    """The squared length of the gradient of the layer's outputs by its inputs."""

    def of(inputs):
        def squared(inputs):
            return ops.sum(layer(inputs, mask=mask, training=True) ** 2)

        return ops.sum(differentiate(squared, inputs) ** 2)

    return of


@pytest.mark.parametrize(
    "mask", [pytest.param(None, marks=pytest.mark.slow), MASK], ids=["whole", "masked"]
)
@pytest.mark.parametrize("kind", PAIRS)
def test_a_gradient_penalty_is_keras_own_and_that_of_finite_differences(kind, mask):
    ours, keras_own = make(kind)
    inputs = ops.convert_to_tensor(INPUTS, "float64")
    actual = np.array(differentiate(penalty(ours, mask), inputs))
    expected = np.array(differentiate(penalty(keras_own, mask), inputs))
    np.testing.assert_allclose(actual, expected, **CLOSE)
    step, at = STEP, (0, 1, 2)
    moved = np.zeros(INPUTS.shape)
    moved[at] = step
    above, below = (float(penalty(ours, mask)(inputs + sign * moved)) for sign in (1, -1))
    np.testing.assert_allclose(actual[at], (above - below) / (2 * step), rtol=100 * CLOSE["rtol"])


@pytest.mark.parametrize("kind", PAIRS)
def test_a_hessian_of_the_weights_is_keras_own(kind):
    ours, keras_own = make(kind)
    direction = [RNG.normal(size=weight.shape) for weight in ours.weights]

    def product(layer):
        """The product of the Hessian and a direction, of the recurrent kernel."""
        kernel = ops.convert_to_tensor(np.array(layer.weights[1]))

        def along(kernel):
            def loss(kernel):
                mapping = [(layer.weights[1], kernel)]
                with keras.StatelessScope(state_mapping=mapping):
                    outputs = layer(ops.convert_to_tensor(INPUTS, "float64"), training=True)
                return ops.sum(outputs**2)

            return ops.sum(differentiate(loss, kernel) * direction[1])

        return np.array(differentiate(along, kernel))

    np.testing.assert_allclose(product(ours), product(keras_own), **CLOSE)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of its graphs")
@pytest.mark.slow
@pytest.mark.parametrize("kind", PAIRS)
def test_it_holds_in_a_graph(kind):
    import tensorflow as tf

    ours, keras_own = make(kind)
    inputs = tf.constant(INPUTS)
    actual, expected = (
        tf.function(lambda tensor, layer=layer: differentiate(penalty(layer, None), tensor))(inputs)
        for layer in (ours, keras_own)
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8)
