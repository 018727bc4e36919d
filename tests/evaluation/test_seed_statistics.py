"""Numbers over seeds, against NumPy and against the distribution itself."""

import math

import numpy as np
import pytest

from seq2seq.evaluation.seed_statistics import QUANTILES, Spread, find_quantile

VALUES = [0.12, 0.9, 0.55, 0.31, 0.7]


def test_mean_and_deviation_are_numpys():
    spread = Spread(VALUES)
    assert spread.mean == pytest.approx(np.mean(VALUES))
    assert spread.deviation == pytest.approx(np.std(VALUES, ddof=1))
    assert (spread.least, spread.greatest) == (0.12, 0.9)


def test_the_interval_by_hand():
    low, high = Spread(VALUES).interval
    reach = 2.776 * np.std(VALUES, ddof=1) / np.sqrt(5)  # four degrees of freedom
    assert (low, high) == pytest.approx((np.mean(VALUES) - reach, np.mean(VALUES) + reach))
    assert Spread([0.5, 0.5, 0.5]).interval == (0.5, 0.5)


def test_of_a_single_run_there_is_no_spread():
    one = Spread([0.25])
    assert one.mean == one.least == one.greatest == 0.25
    assert one.deviation is None and one.interval is None


def test_any_numbers_have_a_spread():
    assert math.isnan(Spread([float("nan"), 1.0]).deviation)
    assert Spread([1e300, -1e300]).deviation == math.inf


@pytest.mark.parametrize("freedom", [*range(1, len(QUANTILES) + 1), 31, 40, 60, 120, 1000])
def test_quantiles_leave_out_five_percent(freedom):
    """The area under Student's density between the quantiles, with a quantile 0.001 off as well."""
    found = find_quantile(freedom)
    factor = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    factor /= math.sqrt(freedom * math.pi)

    def area(end):
        places = np.linspace(0, end, 200001)
        density = factor * (1 + places**2 / freedom) ** (-(freedom + 1) / 2)
        return 2 * np.sum((density[1:] + density[:-1]) / 2) * places[1]

    assert area(found - 0.0006) < 0.95 < area(found + 0.0006)
