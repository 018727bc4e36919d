"""Shares of a count, with how sure one can be of them."""

import math
from typing import NamedTuple

SURE = 1.959963984540054  # standard deviations that hold 95 % of a normal distribution


class Share(NamedTuple):
    """So many of so many.

    Attributes:
        right: how many.
        count: of how many.
    """

    right: int
    count: int

    @property
    def value(self) -> float:
        """The share; of nothing, not a number."""
        return self.right / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, from 0 to 1 of nothing (Wilson 1927).

        >>> [round(bound, 4) for bound in Share(8, 10).interval]
        [0.4902, 0.9433]
        >>> [round(bound, 4) for bound in Share(0, 2000).interval]
        [0.0, 0.0019]
        """
        if not self.count:
            return 0.0, 1.0
        n, p = self.count, self.value
        middle = p + SURE**2 / (2 * n)
        reach = SURE * math.sqrt(p * (1 - p) / n + SURE**2 / (4 * n * n))
        low, high = ((middle + sign * reach) / (1 + SURE**2 / n) for sign in (-1, 1))
        return low if self.right else 0.0, high if self.right < n else 1.0  # whatever is rounded

    def cells(self) -> list[str]:
        """The share and its interval, as a table shows them.

        >>> Share(8, 10).cells()
        ['80.00%', '49.02%-94.33%']
        """
        return [f"{self.value:.2%}", "{:.2%}-{:.2%}".format(*self.interval)]


def join(shares: list[Share]) -> Share:
    """All of them together."""
    return Share(sum(one.right for one in shares), sum(one.count for one in shares))
