"""Shares: intervals that hold what they should."""

import math

import numpy as np
import pytest

from seq2seq.evaluation.proportions import Share, join


@pytest.mark.parametrize("right, count", [(0, 50), (3, 50), (25, 50), (50, 50)])
def test_an_interval_holds_the_share_and_mirrors(right, count):
    low, high = Share(right, count).interval
    assert 0 <= low <= right / count <= high <= 1 and high - low < 0.3
    other = Share(count - right, count).interval
    assert other == pytest.approx((1 - high, 1 - low))


def test_an_interval_holds_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    for truth in (0.02, 0.3, 0.9):
        drawn = rng.binomial(100, truth, 2000)
        bounds = [Share(int(right), 100).interval for right in drawn]
        assert 0.92 < np.mean([low <= truth <= high for low, high in bounds]) < 0.98


def test_nothing_is_known_of_nothing():
    assert math.isnan(Share(0, 0).value) and Share(0, 0).interval == (0.0, 1.0)
    assert join([]) == Share(0, 0) and join([Share(1, 2), Share(3, 4)]) == Share(4, 6)
