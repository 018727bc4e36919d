"""The whole-sequence LSTM: Keras's outputs, states and gradients, and its own steps."""

import keras
import numpy as np
import pytest
from keras import ops

from seq2seq.layers import GRU, LSTM, LSTMState, lstm_step
from seq2seq.layers.kernels import lstm_sequence
from seq2seq.layers.recurrent import unroll
from tests.conftest import slow_except

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(3, 7, 5)).astype("float32")
START = RNG.normal(size=(2, 3, 6)).astype("float32")
MASKS = {
    "none": None,
    "right": np.arange(7) < np.array([[7], [4], [1]]),
    "scattered": RNG.random((3, 7)) < 0.6,
    "left": np.arange(7) >= np.array([[0], [2], [5]]),
}
MASKS["scattered"][:, 3] = True  # every row has a real step


class Probe(keras.Model):
    """A layer between inputs and first states that are weights, so that they have gradients."""

    def __init__(self, layer, mask, dtype=None, states=2):
        super().__init__(dtype=dtype)
        self.layer, self.mask = layer, mask
        named = [("inputs", INPUTS), ("hidden", START[0]), ("cell", START[1])][: 1 + states]
        self.input_weights = [
            self.add_weight(shape=value.shape, initializer="zeros", name=name)
            for name, value in named
        ]
        for weight, value in zip(self.input_weights, named, strict=True):
            weight.assign(value[1])
        # Every output counts, each differently.
        self.output_factors = [RNG.normal(size=shape) for shape in ((3, 7, 6), (3, 6), (3, 6))]

    def call(self, nothing, training=False):
        inputs, *state = [ops.convert_to_tensor(w) for w in self.input_weights]
        outputs = self.layer(inputs, initial_state=state, mask=self.mask, training=training)
        parts = [
            ops.sum(ops.cast(f, "float32") * s)
            for f, s in zip(outputs, self.output_factors, strict=True)
        ]
        return ops.reshape(sum(parts), (1, 1)) + 0 * ops.cast(nothing, "float32")


def gradients(layer, mask, output_factors, dtype=None, states=2):
    """Gradients of inputs, first states and weights, by one step of plain gradient descent."""
    probe = Probe(layer, mask, dtype, states)
    probe.output_factors = output_factors
    probe.compile(keras.optimizers.SGD(1.0), lambda _, outputs: ops.sum(outputs), jit_compile=False)
    original_weights = [np.array(weight) for weight in probe.trainable_weights]
    names = [weight.name for weight in probe.trainable_weights]
    probe.train_on_batch(np.zeros((1, 1), "float32"), np.zeros((1, 1), "float32"))
    updated_weights = [np.array(weight) for weight in probe.trainable_weights]
    differences = {
        name: b - a for name, b, a in zip(names, original_weights, updated_weights, strict=True)
    }
    for weight, value in zip(probe.trainable_weights, original_weights, strict=True):
        weight.assign(value)
    return differences


def gru_twins(**options):
    options = {"return_sequences": True, "return_state": True, **options}
    ours, keras_own = GRU(6, **options), keras.layers.GRU(6, use_cudnn=False, **options)
    ours.build(INPUTS.shape)
    keras_own.build(INPUTS.shape)
    ours.set_weights([RNG.normal(size=w.shape) for w in ours.weights])
    keras_own.set_weights(ours.get_weights())
    return ours, keras_own


@pytest.mark.parametrize("mask", slow_except(("none", "scattered"), MASKS))
@pytest.mark.parametrize("backwards", [False, True])
def test_a_gru_equals_keras_in_outputs_state_and_all_gradients(mask, backwards):
    ours, keras_own = gru_twins(go_backwards=backwards)
    options = {"initial_state": START[0], "mask": MASKS[mask], "training": True}
    actual, expected = ours(INPUTS, **options), keras_own(INPUTS, **options)
    shown = begun(mask, backwards)[..., None]
    np.testing.assert_allclose(actual[0] * shown, expected[0] * shown, atol=1e-5)
    np.testing.assert_allclose(actual[1], expected[1], atol=1e-5)
    output_factors = [RNG.normal(size=shape).astype("float32") for shape in ((3, 7, 6), (3, 6))]
    output_factors[0] = output_factors[0] * shown
    actual, expected = (
        gradients(layer, MASKS[mask], output_factors, states=1) for layer in (ours, keras_own)
    )
    for name in ("inputs", "hidden", "kernel", "recurrent_kernel", "bias"):
        assert np.abs(expected[name]).max() > 0.1
        np.testing.assert_allclose(actual[name], expected[name], atol=2e-5, err_msg=name)


def twins(dtype=None, **options):
    options = {"return_sequences": True, "return_state": True, "dtype": dtype, **options}
    ours, keras_own = LSTM(6, **options), keras.layers.LSTM(6, use_cudnn=False, **options)
    ours.build(INPUTS.shape)
    keras_own.build(INPUTS.shape)
    ours.set_weights([RNG.normal(size=w.shape) for w in ours.weights])
    keras_own.set_weights(ours.get_weights())
    return ours, keras_own


def begun(mask, backwards):
    """(batch, time), 1.0 from the first real step on: engines differ in what stands before it."""
    if MASKS[mask] is None or keras.backend.backend() == "tensorflow":
        return np.ones((3, 7), "float32")
    read = MASKS[mask][:, ::-1] if backwards else MASKS[mask]
    return (np.cumsum(read, axis=1) > 0).astype("float32")


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("backwards", [False, True])
def test_outputs_and_states_equal_keras(mask, backwards):
    ours, keras_own = twins(go_backwards=backwards)
    options = {"initial_state": list(START), "mask": MASKS[mask], "training": True}
    for actual, expected in zip(ours(INPUTS, **options), keras_own(INPUTS, **options), strict=True):
        if len(actual.shape) == 3:
            shown = begun(mask, backwards)[..., None]
            actual, expected = actual * shown, expected * shown
        np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("mask", slow_except(("none", "scattered"), MASKS))
@pytest.mark.parametrize("backwards", [False, True])
def test_all_gradients_equal_keras(mask, backwards):
    ours, keras_own = twins(go_backwards=backwards)
    output_factors = [
        RNG.normal(size=shape).astype("float32") for shape in ((3, 7, 6), (3, 6), (3, 6))
    ]
    output_factors[0] = output_factors[0] * begun(mask, backwards)[..., None]
    actual = gradients(ours, MASKS[mask], output_factors)
    expected = gradients(keras_own, MASKS[mask], output_factors)
    assert len(actual) == 6
    for name in ("inputs", "hidden", "cell", "kernel", "recurrent_kernel", "bias"):
        assert np.abs(expected[name]).max() > 0.1
        np.testing.assert_allclose(actual[name], expected[name], atol=2e-5, err_msg=name)


@pytest.mark.parametrize("mask", MASKS)
def test_it_is_its_steps(mask):
    weights = tuple(RNG.normal(size=s).astype("float32") for s in ((5, 24), (6, 24), (24,)))
    start, valid = LSTMState(*START), MASKS[mask]
    outputs, state = lstm_sequence(ops.convert_to_tensor(INPUTS), start, weights, valid)
    expected, expected_state = unroll(
        lambda x, previous: lstm_step(x, previous, *weights), INPUTS, start, valid
    )
    for field, expected_field in zip(state, expected_state, strict=True):
        np.testing.assert_allclose(field, expected_field, atol=1e-5)
    shown = np.ones((3, 7), "bool") if valid is None else valid  # outputs at padding play no part
    np.testing.assert_allclose(np.array(outputs)[shown], np.array(expected)[shown], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy", slow_except(["mixed_float16"], ["mixed_bfloat16", "mixed_float16"])
)
def test_half_precision_is_near(policy):
    ours, keras_own = twins(policy)
    output_factors = [
        RNG.normal(size=shape).astype("float32") for shape in ((3, 7, 6), (3, 6), (3, 6))
    ]
    actual, expected = (
        gradients(layer, MASKS["right"], output_factors) for layer in (ours, keras_own)
    )
    for name, gradient in expected.items():
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(actual[name] / scale, gradient / scale, atol=0.1, err_msg=name)


def test_padding_has_no_gradient_and_changes_none():
    ours, _ = twins()
    output_factors = [
        RNG.normal(size=shape).astype("float32") for shape in ((3, 7, 6), (3, 6), (3, 6))
    ]
    output_factors[0] = output_factors[0] * MASKS["right"][..., None]
    result = gradients(ours, MASKS["right"], output_factors)
    assert (result["inputs"][~MASKS["right"]] == 0).all()
    assert (np.abs(result["inputs"][MASKS["right"]]) > 0).any(-1).all()


@pytest.mark.parametrize("pair", [(LSTM, keras.layers.LSTM), (GRU, keras.layers.GRU)])
def test_outputs_at_padding_before_the_first_real_step_equal_keras(pair):
    """With an initial state, engines differ there; each layer equals its engine."""
    ours, keras_own = (layer(6, return_sequences=True) for layer in pair)
    for layer in (ours, keras_own):
        layer.build(INPUTS.shape)
    keras_own.set_weights(ours.get_weights())
    state = [*START] if pair[0] is LSTM else START[0]
    actual, expected = (
        layer(INPUTS, initial_state=state, mask=MASKS["left"], training=True)
        for layer in (ours, keras_own)
    )
    np.testing.assert_allclose(actual, expected, atol=1e-5)
