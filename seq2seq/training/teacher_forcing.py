"""What the decoder reads in training: the truth, or what it said itself. NumPy only.

A forcing draws, for each batch, an array (batch, target time): True where a step reads the truth.
It is a pure function of the seed and the number of the update, so any run can resume.
"""

import math
from dataclasses import dataclass

import numpy as np

from seq2seq.runtime.validation import check_choice


@dataclass(frozen=True)
class TeacherForcing:
    """Every step reads the truth (Williams and Zipser 1989): the fastest."""

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray | None:
        """None: all True.

        Args:
            shape: (batch, target time).
            seed: of the run.
            step: number of the update, counted from 0.
            steps: updates in all.
        """
        return None


@dataclass(frozen=True)
class ScheduledSampling(TeacherForcing):
    """Each token is a coin flip, more and more often the model's own (Bengio et al. 2015).

    The share of steps that read the truth goes towards `least`; x is the share of the training that
    is over (the paper's section 2.4, which counts updates instead):

        constant            least
        linear              max(least, 1 - x)
        exponential         max(least, exp(-speed x))
        inverse_sigmoid     max(least, k / (k + exp(x speed / 2))),  k = exp(speed / 4)

    Args:
        schedule: one of the four.
        least: share of steps that read the truth in the end; 0 is free running in the end.
        speed: of the exponential and the inverse sigmoid; the latter is at one half halfway.
    """

    schedule: str = "inverse_sigmoid"
    least: float = 0.0
    speed: float = 16.0

    def __post_init__(self):
        schedules = ("constant", "linear", "exponential", "inverse_sigmoid")
        check_choice("forcing.schedule", self.schedule, schedules)
        check_share("forcing.least", self.least)
        if isinstance(self.speed, bool) or not isinstance(self.speed, int | float):
            raise ValueError(f"forcing.speed must be a number, got {self.speed!r}")
        if not 0 < self.speed <= 100:
            raise ValueError(f"forcing.speed must be above 0 and at most 100, got {self.speed}")

    def share(self, done: float) -> float:
        """The share of steps that read the truth when `done`, 0 to 1, of the training is over.

        >>> [round(ScheduledSampling().share(done), 2) for done in (0, 0.25, 0.5, 0.75, 1)]
        [0.98, 0.88, 0.5, 0.12, 0.02]
        """
        if self.schedule == "constant":
            return self.least
        if self.schedule == "linear":
            return max(self.least, 1 - done)
        if self.schedule == "exponential":
            return max(self.least, math.exp(-self.speed * done))
        k = math.exp(self.speed / 4)
        return max(self.least, k / (k + math.exp(done * self.speed / 2)))

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray:
        """A coin flip for each token; see `TeacherForcing.draw`."""
        rng = np.random.default_rng((seed, step, 1))
        return rng.random(shape) < self.share(step / steps)


@dataclass(frozen=True)
class FreeRunning(TeacherForcing):
    """Every step reads what the model said itself, as in decoding."""

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray:
        """All False; see `TeacherForcing.draw`."""
        return np.zeros(shape, "bool")


@dataclass(frozen=True)
class CoinFlip(TeacherForcing):
    """A coin flip for each target: all truth, or all the model's own (Lake and Baroni 2018).

    Args:
        share: of targets that read the truth.
    """

    share: float = 0.5

    def __post_init__(self):
        check_share("forcing.share", self.share)

    def draw(self, shape: tuple[int, int], seed: int, step: int, steps: int) -> np.ndarray:
        """A row of True or of False for each target; see `TeacherForcing.draw`."""
        rng = np.random.default_rng((seed, step, 1))
        return np.broadcast_to(rng.random((shape[0], 1)) < self.share, shape)


@dataclass(frozen=True)
class LengthCurriculum:
    """Short examples first: training begins with the shortest and adds longer ones evenly.

    Lengths are the targets' tokens; examples are compared within windows of 16 batches, and the
    share is set anew for each.

    Args:
        first: share of the examples, the shortest, that it begins with.
        over: share of the training after which all examples take part.
    """

    first: float = 0.1
    over: float = 0.5

    def __post_init__(self):
        for name in ("first", "over"):
            check_share(f"curriculum.{name}", getattr(self, name))
            if not getattr(self, name):
                raise ValueError(f"curriculum.{name} must be more than 0, got 0")

    def share(self, done: float) -> float:
        """The share that takes part when `done`, 0 to 1, of the training is over.

        >>> [round(LengthCurriculum().share(done), 2) for done in (0, 0.25, 0.5, 1)]
        [0.1, 0.55, 1.0, 1.0]
        """
        return min(1.0, self.first + (1 - self.first) * done / self.over)


def check_share(name: str, value: float) -> None:
    """Raise a ValueError unless `value` is a share from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a share from 0 to 1, got {value!r}")
