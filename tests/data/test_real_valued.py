"""Real-valued tasks: what follows is right."""

import numpy as np
import pytest

from seq2seq.data import RunningMean, Sinusoids


def values(text):
    return np.array(text.split(), float)


def test_running_means_are_means_so_far():
    for source, target, _ in RunningMean(test_examples=50).examples("test"):
        read = values(source)
        expected = np.cumsum(read) / np.arange(1, len(read) + 1)
        np.testing.assert_allclose(values(target), expected, atol=1e-4)


def test_one_sinusoid_obeys_its_recurrence():
    """x[t+1] + x[t-1] = 2 cos(w) x[t]: source and target together are one wave."""
    task = Sinusoids(waves=1, horizon=15, min_length=25, max_length=30, test_examples=50)
    for source, target, _ in task.examples("test"):
        wave = np.concatenate([values(source), values(target)])
        assert len(values(target)) == task.target_length == 15
        assert np.abs(wave).max() <= 1.0001
        middle, sides = wave[1:-1], wave[2:] + wave[:-2]
        slope = (middle @ sides) / (middle @ middle)
        np.testing.assert_allclose(sides, slope * middle, atol=2e-3)


def test_lengths_must_leave_something_to_read():
    with pytest.raises(ValueError, match="min_length must be a whole number of at least 1"):
        RunningMean(min_length=0)
    with pytest.raises(ValueError, match="horizon"):
        Sinusoids(horizon=0)
