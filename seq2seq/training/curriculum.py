"""Curriculum by length: short examples first. NumPy only."""

from dataclasses import dataclass

from seq2seq.runtime.validation import check_fraction


@dataclass(frozen=True)
class LengthCurriculum:
    """Training starts with the shortest examples and adds longer ones evenly.

    Lengths are the targets' tokens; examples are compared within windows of 16 batches, and the
    fraction is computed anew for each.

    Args:
        initial_fraction: fraction of the examples, the shortest, that it starts with.
        ramp_fraction: fraction of the training after which all examples are used.

    Raises:
        ValueError: a fraction that is not above 0 and at most 1.
    """

    initial_fraction: float = 0.1
    ramp_fraction: float = 0.5

    def __post_init__(self):
        for name in ("initial_fraction", "ramp_fraction"):
            check_fraction(f"curriculum.{name}", getattr(self, name))
            if not getattr(self, name):
                raise ValueError(f"curriculum.{name} must be more than 0, got 0")

    def fraction(self, progress: float) -> float:
        """Fraction of the examples that is used after `progress`, 0 to 1, of the training.

        >>> [round(LengthCurriculum().fraction(progress), 2) for progress in (0, 0.25, 0.5, 1)]
        [0.1, 0.55, 1.0, 1.0]
        """
        grown = (1 - self.initial_fraction) * progress / self.ramp_fraction
        return min(1.0, self.initial_fraction + grown)
