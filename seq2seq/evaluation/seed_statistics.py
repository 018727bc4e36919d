"""One number over several seeds: its mean, how far seeds lie apart, and how sure the mean is."""

import math
from collections.abc import Sequence
from typing import NamedTuple

# Student's t that 2.5 % lie beyond, for 1, 2, ... degrees of freedom.
QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
NORMAL = 1.959964  # the same of infinitely many


class Spread(NamedTuple):
    """A number as each of some runs found it.

    Attributes:
        values: at least one.
    """

    values: Sequence[float]

    @property
    def mean(self) -> float:
        """Of the runs."""
        return math.fsum(self.values) / len(self.values)

    @property
    def deviation(self) -> float | None:
        """The standard deviation of a sample (squares over n - 1); None of a single run."""
        if len(self.values) < 2:
            return None
        mean = self.mean
        squares = math.fsum((value - mean) * (value - mean) for value in self.values)
        return math.sqrt(squares / (len(self.values) - 1))

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % confidence interval of the mean (1908); None of a single run.

        It takes seeds for draws from a normal distribution, so of shares it may reach below 0 and
        above 1.
        """
        if self.deviation is None:
            return None
        count = len(self.values)
        reach = find_quantile(count - 1) * self.deviation / math.sqrt(count)
        return self.mean - reach, self.mean + reach

    @property
    def least(self) -> float:
        """Of the runs."""
        return min(self.values)

    @property
    def greatest(self) -> float:
        """Of the runs."""
        return max(self.values)


def find_quantile(freedom: int) -> float:
    """Student's t that 2.5 % lie beyond, to three digits after the point.

    Beyond the table it is Abramowitz and Stegun's expansion (1964, 26.7.5).

    Args:
        freedom: degrees of freedom, at least 1.

    >>> find_quantile(4), round(find_quantile(60), 3)
    (2.776, 2.0)
    """
    if freedom <= len(QUANTILES):
        return QUANTILES[freedom - 1]
    z = NORMAL
    first = (z**3 + z) / (4 * freedom)
    return z + first + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
