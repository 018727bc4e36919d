"""Numbers over seeds, against NumPy and against the distribution itself."""

import math

import numpy as np
import pytest

from seq2seq.evaluation.statistics import QUANTILES, Proportion, SeedStatistics, pool, t_quantile

VALUES = [0.12, 0.9, 0.55, 0.31, 0.7]


def test_mean_and_deviation_equal_numpys():
    statistics = SeedStatistics(VALUES)
    assert statistics.mean == pytest.approx(np.mean(VALUES))
    assert statistics.std == pytest.approx(np.std(VALUES, ddof=1))
    assert (statistics.min, statistics.max) == (0.12, 0.9)


def test_the_interval_by_hand():
    low, high = SeedStatistics(VALUES).confidence_interval
    reach = 2.776 * np.std(VALUES, ddof=1) / np.sqrt(5)  # four degrees of freedom
    assert (low, high) == pytest.approx((np.mean(VALUES) - reach, np.mean(VALUES) + reach))
    assert SeedStatistics([0.5, 0.5, 0.5]).confidence_interval == (0.5, 0.5)


def test_a_single_run_has_no_spread():
    single = SeedStatistics([0.25])
    assert single.mean == single.min == single.max == 0.25
    assert single.std is None and single.confidence_interval is None


def test_any_numbers_have_a_spread():
    assert math.isnan(SeedStatistics([float("nan"), 1.0]).std)
    assert SeedStatistics([1e300, -1e300]).std == math.inf


@pytest.mark.parametrize("freedom", [*range(1, len(QUANTILES) + 1), 31, 40, 60, 120, 1000])
def test_quantiles_leave_out_five_percent(freedom):
    """The area under Student's density between the quantiles, with a quantile 0.001 off as well."""
    quantile = t_quantile(freedom)
    factor = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    factor /= math.sqrt(freedom * math.pi)

    def area(end):
        points = np.linspace(0, end, 200001)
        density = factor * (1 + points**2 / freedom) ** (-(freedom + 1) / 2)
        return 2 * np.sum((density[1:] + density[:-1]) / 2) * points[1]

    assert area(quantile - 0.0006) < 0.95 < area(quantile + 0.0006)


@pytest.mark.parametrize("right, count", [(0, 50), (3, 50), (25, 50), (50, 50)])
def test_an_interval_holds_the_share_and_mirrors(right, count):
    low, high = Proportion(right, count).interval
    assert 0 <= low <= right / count <= high <= 1 and high - low < 0.3
    mirrored = Proportion(count - right, count).interval
    assert mirrored == pytest.approx((1 - high, 1 - low))


def test_an_interval_holds_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    for truth in (0.02, 0.3, 0.9):
        drawn = rng.binomial(100, truth, 2000)
        bounds = [Proportion(int(right), 100).interval for right in drawn]
        assert 0.92 < np.mean([low <= truth <= high for low, high in bounds]) < 0.98


def test_no_examples_have_no_proportion():
    assert math.isnan(Proportion(0, 0).value) and Proportion(0, 0).interval == (0.0, 1.0)
    assert pool([]) == Proportion(0, 0) and pool(
        [Proportion(1, 2), Proportion(3, 4)]
    ) == Proportion(4, 6)
