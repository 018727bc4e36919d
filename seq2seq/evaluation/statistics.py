"""Statistics: a metric over several seeds, and proportions, with their 95 % intervals."""

import math
from collections.abc import Sequence
from typing import NamedTuple

# 97.5 % quantiles of Student's t, for 1, 2, ... degrees of freedom.
QUANTILES = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
Z_95 = 1.959963984540054  # standard deviations that hold 95 % of a normal distribution


class SeedStatistics(NamedTuple):
    """Values of a metric, one per run.

    Attributes:
        values: at least one.
    """

    values: Sequence[float]

    @property
    def mean(self) -> float:
        """Mean of the runs."""
        return math.fsum(self.values) / len(self.values)

    @property
    def std(self) -> float | None:
        """Standard deviation of a sample (squares over n - 1); None of a single run."""
        if len(self.values) < 2:
            return None
        mean = self.mean
        squares = math.fsum((value - mean) * (value - mean) for value in self.values)
        return math.sqrt(squares / (len(self.values) - 1))

    @property
    def confidence_interval(self) -> tuple[float, float] | None:
        """Student's 95 % confidence interval of the mean (1908); None of a single run.

        It assumes a normal distribution, so that of rates it may extend below 0 and above 1.
        """
        if self.std is None:
            return None
        count = len(self.values)
        half_width = t_quantile(count - 1) * self.std / math.sqrt(count)
        return self.mean - half_width, self.mean + half_width

    @property
    def min(self) -> float:
        """Lowest value."""
        return min(self.values)

    @property
    def max(self) -> float:
        """Highest value."""
        return max(self.values)


def t_quantile(degrees_of_freedom: int) -> float:
    """97.5 % quantile of Student's t, to three digits after the point.

    Beyond the table it is Abramowitz and Stegun's expansion (1964, 26.7.5).

    Args:
        degrees_of_freedom: at least 1.

    >>> t_quantile(4), round(t_quantile(60), 3)
    (2.776, 2.0)
    """
    if degrees_of_freedom <= len(QUANTILES):
        return QUANTILES[degrees_of_freedom - 1]
    z = Z_95
    first = (z**3 + z) / (4 * degrees_of_freedom)
    return z + first + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees_of_freedom**2)


class Proportion(NamedTuple):
    """Proportion of successes.

    Attributes:
        successes: number of successes.
        total: number of trials.
    """

    successes: int
    total: int

    @property
    def value(self) -> float:
        """The proportion; not a number without trials."""
        return self.successes / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval (1927); from 0 to 1 without trials.

        >>> [round(bound, 4) for bound in Proportion(8, 10).interval]
        [0.4902, 0.9433]
        >>> [round(bound, 4) for bound in Proportion(0, 2000).interval]
        [0.0, 0.0019]
        """
        if not self.total:
            return 0.0, 1.0
        n, p = self.total, self.value
        middle = p + Z_95**2 / (2 * n)
        half_width = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n))
        low, high = ((middle + sign * half_width) / (1 + Z_95**2 / n) for sign in (-1, 1))
        # Exact at the ends, whatever is rounded.
        return low if self.successes else 0.0, high if self.successes < n else 1.0

    def cells(self) -> list[str]:
        """The proportion and its interval, for a table.

        >>> Proportion(8, 10).cells()
        ['80.00%', '49.02%-94.33%']
        """
        return [f"{self.value:.2%}", "{:.2%}-{:.2%}".format(*self.interval)]


def pool(proportions: Sequence[Proportion]) -> Proportion:
    """Proportion over the trials of all."""
    successes = sum(each.successes for each in proportions)
    return Proportion(successes, sum(each.total for each in proportions))
