"""Inputs of the decoder in training: true previous tokens, or its own predictions. NumPy only.

A policy draws a mask (batch, target time) for each batch: True where a step reads the true token.
It is a pure function of the seed and the number of the update, so any run can resume.
"""

import math
from dataclasses import dataclass

import numpy as np

from seq2seq.runtime.validation import check_choice, check_fraction


class InputPolicy:
    """Base class of policies: which inputs of the decoder are true tokens."""

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray | None:
        """Draw a teacher forcing mask of `shape`, bool; None: all True.

        Args:
            shape: (batch, target time).
            seed: of the run.
            step: number of the update, counted from 0.
            steps: number of updates of the training.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class TeacherForcing(InputPolicy):
    """True tokens at every step (Williams and Zipser 1989): the fastest."""

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> None:
        """None: all True; see `InputPolicy.draw`."""
        return None


@dataclass(frozen=True)
class ScheduledSampling(InputPolicy):
    """True or predicted token by chance at each step, more and more predicted (Bengio et al. 2015).

    The probability of the true token falls to `minimum`; x is the fraction of the training that is
    over (section 2.4 of the paper counts updates instead):

        constant            minimum
        linear              max(minimum, 1 - x)
        exponential         max(minimum, exp(-rate x))
        inverse_sigmoid     max(minimum, k / (k + exp(x rate / 2))),  k = exp(rate / 4)

    Args:
        schedule: one of the four.
        minimum: probability of the true token in the end; 0 is free running in the end.
        rate: of the exponential and the inverse sigmoid; the latter is at one half halfway.

    Raises:
        ValueError: an unknown schedule, a probability outside 0 to 1, a rate that is not above 0
            and at most 100.
    """

    schedule: str = "inverse_sigmoid"
    minimum: float = 0.0
    rate: float = 16.0

    def __post_init__(self):
        schedules = ("constant", "linear", "exponential", "inverse_sigmoid")
        check_choice("forcing.schedule", self.schedule, schedules)
        check_fraction("forcing.minimum", self.minimum)
        if isinstance(self.rate, bool) or not isinstance(self.rate, int | float):
            raise ValueError(f"forcing.rate must be a number, got {self.rate!r}")
        if not 0 < self.rate <= 100:
            raise ValueError(f"forcing.rate must be above 0 and at most 100, got {self.rate}")

    def probability(self, progress: float) -> float:
        """Probability of the true token after `progress`, 0 to 1, of the training.

        >>> [round(ScheduledSampling().probability(x), 2) for x in (0, 0.25, 0.5, 0.75, 1)]
        [0.98, 0.88, 0.5, 0.12, 0.02]
        """
        if self.schedule == "constant":
            return self.minimum
        if self.schedule == "linear":
            return max(self.minimum, 1 - progress)
        if self.schedule == "exponential":
            return max(self.minimum, math.exp(-self.rate * progress))
        k = math.exp(self.rate / 4)
        return max(self.minimum, k / (k + math.exp(progress * self.rate / 2)))

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray:
        """Draw for each step of each target; see `InputPolicy.draw`."""
        rng = np.random.default_rng((seed, step, 1))
        return rng.random(shape) < self.probability(step / steps)


@dataclass(frozen=True)
class FreeRunning(InputPolicy):
    """Predicted tokens at every step, as in decoding."""

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray:
        """All False; see `InputPolicy.draw`."""
        return np.zeros(shape, "bool")


@dataclass(frozen=True)
class PerSequence(InputPolicy):
    """True or predicted tokens by chance for a whole target (Lake and Baroni 2018).

    Args:
        probability: of true tokens.

    Raises:
        ValueError: a probability outside 0 to 1.
    """

    probability: float = 0.5

    def __post_init__(self):
        check_fraction("forcing.probability", self.probability)

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray:
        """Draw once for each target; see `InputPolicy.draw`."""
        rng = np.random.default_rng((seed, step, 1))
        return np.broadcast_to(rng.random((shape[0], 1)) < self.probability, shape)
