"""Real values as text: numbers to standardized values and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from seq2seq.runtime.tokenization import write_number
from seq2seq.runtime.validation import check_count

MAX_VALUE = 1e30  # of real values: well inside float32
MAX_STATISTIC = 1e300  # of mean and scale: well inside float64
MIN_RELATIVE_SCALE = 1e-12  # of a feature, relative to its mean: less is rounding


def to_float(text: str) -> float:
    """Parse a number; `1_000`, which Python reads, is none.

    Raises:
        ValueError: it is no number.
    """
    if "_" in text:
        raise ValueError(f"{text!r} is no number")
    return float(text)


class Numbers:
    """A side of a real-valued task: text holds numbers, a time step each, separated by spaces.

    A step of several features joins them with commas: `"0.1,0.2 0.3,0.4"`. The network reads
    `(value - mean) / scale`; text is always in the values' own units.

    Args:
        features: values per time step.
        mean, scale: of each feature, a number for each, or one for all; 0 and 1 leave values as
            they are.

    Raises:
        ValueError: a count below 1, or statistics that are not finite or of another number.

    >>> Numbers().encode("0.5 -1").tolist()
    [[0.5], [-1.0]]
    >>> Numbers(features=2).decode([[0.5, 1], [2, 3]])
    '0.5,1 2,3'
    """

    def __init__(
        self,
        features: int = 1,
        mean: float | Sequence[float] = 0.0,
        scale: float | Sequence[float] = 1.0,
    ):
        self.features = check_count("features", features)
        self.mean = self._check_statistics("mean", mean)
        self.scale = self._check_statistics("scale", scale)

    def _check_statistics(self, name: str, values: float | Sequence[float]) -> np.ndarray:
        several = [values] if isinstance(values, (int, float)) else list(values)
        is_number = [
            isinstance(v, (int, float, np.number)) and type(v) is not bool for v in several
        ]
        fits = len(several) == self.features or (several and isinstance(values, (int, float)))
        if not (fits and all(is_number) and all(abs(v) <= MAX_STATISTIC for v in several)):
            raise ValueError(
                f"{name} must be a finite number, or {self.features} of them, got {values!r:.80}"
            )
        if name == "scale" and min(several) <= 0:
            raise ValueError(f"scale must be positive, got {values!r:.80}")
        # A view: a damaged file may name more features than memory holds.
        numbers = np.array(several, "float64")
        return np.broadcast_to(numbers if len(numbers) > 1 else numbers[0], self.features)

    @classmethod
    def build(cls, texts: Sequence[str]) -> Numbers:
        """Features, and the mean and scale of each, as they are in `texts`.

        A feature that is constant (but for rounding) has scale 1.
        """
        first = next((text.split()[0] for text in texts if text.strip()), "0")
        plain = cls(features=first.count(",") + 1)
        values = np.concatenate([plain._parse(text) for text in texts])  # float64: large offsets
        center = values[:1] if len(values) else np.zeros((1, plain.features))
        mean = center[0] + (values - center).mean(0)
        scale = (values - mean).std(0)
        is_constant = scale <= MIN_RELATIVE_SCALE * np.abs(mean)
        return cls(plain.features, mean.tolist(), np.where(is_constant, 1.0, scale).tolist())

    def __len__(self) -> int:
        return self.features

    def canonical(self, text: str) -> str:
        """`text` unchanged."""
        return text

    def tokens(self, text: str) -> list[tuple[float, ...]]:
        """Values of `text` in their own units, a tuple of features per step.

        Raises:
            ValueError: a step is not a number or has another count of features; it is named.
        """
        return [tuple(step) for step in self._parse(text).tolist()]

    def encode(self, text: str, unknown: str = "error") -> np.ndarray:
        """Standardized values of `text`, float32 of shape (time, features)."""
        del unknown  # there are no unknown symbols
        return ((self._parse(text) - self.mean) / self.scale).astype("float32")

    def _parse(self, text: str) -> np.ndarray:
        steps = text.split()
        try:
            rows = [[to_float(value) for value in step.split(",")] for step in steps]
            values = np.array(rows, "float64").reshape(len(steps), self.features)
        except ValueError:
            values = None
        if values is None or not (np.abs(values) <= MAX_VALUE).all():
            raise ValueError(self._describe_wrong_step(steps))
        return values

    def _describe_wrong_step(self, steps: list[str]) -> str:
        for position, step in enumerate(steps, 1):
            try:
                values = [to_float(value) for value in step.split(",")]
            except ValueError:
                return f"{step!r} at position {position} is not a number"
            is_small = all(math.isfinite(value) and abs(value) <= MAX_VALUE for value in values)
            if not is_small or len(values) != self.features:
                break
        return (
            f"{step!r} at position {position} must hold {self.features} finite value(s) of at most "
            f"{MAX_VALUE:g}, separated by commas"
        )

    def decode(self, values: np.ndarray) -> str:
        """Text of standardized `values` (time, features)."""
        return self.join(self.decode_tokens(values))

    def join(self, tokens: Iterable[tuple[float, ...]]) -> str:
        """Text of values in their own units, with as many digits as their scale requires."""
        return " ".join(",".join(map(write_number, step, self.scale)) for step in tokens)

    def decode_tokens(self, values: np.ndarray, source: Sequence = ()) -> list[tuple[float, ...]]:
        """Values (time, features) in their own units, a tuple per step."""
        del source  # nothing is copied
        restored = np.asarray(values, "float64") * self.scale + self.mean
        return [tuple(step) for step in restored.reshape(-1, self.features).tolist()]

    def to_config(self) -> dict:
        """Dictionary for JSON; see `codec.make_codec`."""
        statistics = {name: self._to_plain(name) for name in ("mean", "scale")}
        return {"kind": "numbers", "features": self.features, **statistics}

    def _to_plain(self, name: str) -> float | list[float]:
        numbers = getattr(self, name).tolist()
        return numbers[0] if len(set(numbers)) == 1 else numbers
