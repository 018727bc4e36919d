"""Real-valued tasks: sequences of numbers.

Text holds the values, separated by spaces, four decimals each. The decoder feeds its own values
back and is evaluated by mean absolute and root mean squared error.
"""

import math
import random
from dataclasses import dataclass

from seq2seq.data.generated_task import LengthTask
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.validation import check_count


def write_values(values: list[float]) -> str:
    """`values` as text, four decimals each."""
    return " ".join(f"{value:.4f}" for value in values)


@dataclass(kw_only=True, eq=False)
class Series(LengthTask):
    """Base of the real-valued tasks: sources of at least one value."""

    metrics = "values"
    monitor = ("mae", "min")
    shortest = 1

    def __post_init__(self):
        super().__post_init__()
        self.source = self.target = Numbers()


@dataclass(kw_only=True, eq=False)
class Sinusoids(Series):
    """Continue a sum of sinusoids by `horizon` values.

    Each of the `waves` has a random period (6 to 24 steps), phase and amplitude; the amplitudes
    add up to 1. A short source does not determine its waves.

    Args:
        waves: sinusoids in the sum.
        horizon: values to predict.
        min_length, max_length, validation_max_length, test_min_length, test_max_length: see
            `LengthTask`.
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    waves: int = 2
    horizon: int = 10
    min_length: int = 20
    max_length: int = 40

    def __post_init__(self):
        super().__post_init__()
        check_count("waves", self.waves)
        self.target_length = check_count("horizon", self.horizon)

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """The first values of a random sum, and the values that follow."""
        length = rng.randint(low, high)
        waves = [
            (rng.random() + 0.1, 2 * math.pi / rng.uniform(6, 24), rng.uniform(0, 2 * math.pi))
            for _ in range(self.waves)
        ]
        total = sum(amplitude for amplitude, _, _ in waves)
        values = [
            sum(a * math.sin(frequency * t + phase) for a, frequency, phase in waves) / total
            for t in range(length + self.target_length)
        ]
        return write_values(values[:length]), write_values(values[length:])


class RunningMean(Series):
    """The mean of all values so far, at every step.

    >>> RunningMean().means([1.0, 0.0, 0.5])
    [1.0, 0.5, 0.5]

    Args:
        min_length, max_length, validation_max_length, test_min_length, test_max_length: see
            `LengthTask`.
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    @staticmethod
    def means(values: list[float]) -> list[float]:
        """The mean of the first 1, 2, 3 ... values."""
        return [sum(values[:count]) / count for count in range(1, len(values) + 1)]

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """Values drawn evenly from -1 to 1, and their running mean."""
        values = [round(rng.uniform(-1, 1), 4) for _ in range(rng.randint(low, high))]
        return write_values(values), write_values(self.means(values))
