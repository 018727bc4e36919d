"""Recurrent layers of the runtime equal the stacks of Keras layers."""

import numpy as np
import pytest

from seq2seq.layers import Cell, Stack
from seq2seq.runtime import recurrent
from seq2seq.runtime.recurrent import Weights, layer_norm, reverse, sigmoid
from tests.conftest import slow_except

RNG = np.random.default_rng(0)
LENGTHS = np.array([5, 3])  # the longest first
INPUTS = RNG.normal(size=(2, 5, 3)).astype("float32")
MASK = np.arange(5) < LENGTHS[:, None]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layer_norm", slow_except([False], [False, True]))
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_outputs_and_states_equal_the_keras_stack(kind, layer_norm, bidirectional):
    cell = Cell(kind, layer_norm=layer_norm, residual=True)
    layer = Stack(3, 4, layers=2, cell=cell, bidirectional=bidirectional)
    layer.build()
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    arrays = {weight.path: np.array(weight) for weight in layer.weights}
    config = {"units": 4, "layers": 2, "cell": cell.to_config()}
    stack = recurrent.Stack(Weights(arrays), config, 3, None, bidirectional)
    outputs, states = stack.run(INPUTS.transpose(1, 0, 2), LENGTHS)
    expected, expected_states = layer(INPUTS, mask=MASK)
    np.testing.assert_allclose(
        outputs.transpose(1, 0, 2)[MASK], np.array(expected)[MASK], atol=1e-4
    )
    for state, tensors in zip(states, expected_states, strict=True):
        assert [part.shape[1] for part in state] == [stack.output_size] * len(tensors)
        for part, tensor in zip(state, tensors, strict=True):
            np.testing.assert_allclose(part, tensor, atol=1e-4)


def test_steps_equal_the_sequence():
    layer = Stack(3, 4, layers=2, cell="lstm")
    layer.build()
    arrays = {weight.path: np.array(weight) for weight in layer.weights}
    config = {"units": 4, "layers": 2, "cell": Cell("lstm").to_config()}
    stack = recurrent.Stack(Weights(arrays), config, 3, None)
    outputs, last = stack.run(INPUTS.transpose(1, 0, 2), np.array([5, 5]))
    states = tuple(tuple(np.zeros((2, n), "float32") for n in size) for size in stack.sizes)
    for time in range(5):
        output, states = stack.step(stack.cells[0].gate_inputs(INPUTS[:, time]), states)
        np.testing.assert_allclose(output, outputs[time], atol=1e-6)
    np.testing.assert_allclose(states[1][1], last[1][1], atol=1e-6)


def test_reversal_leaves_padding_at_the_end():
    sequence = np.arange(10).reshape(5, 2)
    assert reverse(sequence, LENGTHS)[:, 0].tolist() == [8, 6, 4, 2, 0]
    assert reverse(sequence, LENGTHS)[:, 1].tolist() == [5, 3, 1, 7, 9]


def test_the_sigmoid_does_not_overflow():
    x = np.array([-1e30, -2.0, 0.0, 2.0, 1e30])
    expected = [0, 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-2)), 1]
    np.testing.assert_allclose(sigmoid(x), expected, atol=1e-12)


def test_a_normalized_layer_has_mean_0_and_the_variance_of_gamma():
    values = layer_norm(100 * RNG.normal(size=(3, 50)), 2.0)
    np.testing.assert_allclose(values.mean(-1), 0, atol=1e-9)
    np.testing.assert_allclose(values.std(-1), 2, rtol=1e-5)


@pytest.mark.parametrize(
    "array, message",
    [
        (None, "the weight a/b is missing"),
        (np.zeros(3), r"the weight a/b has shape \(3,\), \(2,\) is needed"),
        (np.array([0.0, np.nan]), "the weight a/b holds values that are not finite"),
    ],
)
def test_weights_that_do_not_fit_are_named(array, message):
    arrays = {} if array is None else {"a/b": array}
    with pytest.raises(ValueError, match=message):
        Weights(arrays).subpath("a").get("b", 2)
