"""Regression: predicted values are the next inputs."""

import numpy as np
import pytest
from keras import ops

from seq2seq.decoding import Regression, search
from seq2seq.models import StepOutput

START, END = 1, 2


@pytest.mark.parametrize("features", [1, 3])
def test_values_are_fed_back(features):
    def step(values, state, memory):
        return StepOutput(values + 1.0, state)

    state = (ops.zeros((2, 1)),)
    result = search(
        step, state, None, Regression(features), start_id=START, end_id=END, max_length=4
    )
    expected = np.arange(1.0, 5.0)[:, None] * np.ones(features)
    np.testing.assert_allclose(np.array(result.tokens)[0, 0], expected)
    assert np.array(result.lengths).tolist() == [[4], [4]]
    assert np.array(result.ended).all()
