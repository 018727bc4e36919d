"""Predictor: a trained model from text to text."""

import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.data.batching import bucket, encode_row, pad
from seq2seq.data.vocabulary import Numbers, Vocabulary
from seq2seq.decoding.search import Greedy, Values
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.checkpoints import load_model, save_model

UNKNOWN_POLICIES = ("error", "token")


class Hypothesis(NamedTuple):
    """One answer.

    Attributes:
        text: as a person reads it.
        tokens: its symbols; of real values, a tuple of features a step.
        score: log-probability of its tokens and end; 0 for real values.
    """

    text: str
    tokens: list
    score: float


class Predictor:
    """Text in, text out: a model, how both sides become numbers, and decoding settings.

    Args:
        model: a trained model.
        source, target: how each side's text becomes numbers.
        settings: `longest_source` and `longest_target` (tokens, as trained), `max_length` (steps
            after which an answer is cut off; None: ample, see `limit`), `target_length` (values a
            real-valued answer has; None: as many as its source), `unknown` (`"error"` or
            `"token"`), and what else the run wants to be kept.
        batch_size: sources decoded together.
    """

    def __init__(
        self,
        model: Seq2Seq,
        source: Vocabulary | Numbers,
        target: Vocabulary | Numbers,
        settings: dict,
        batch_size: int = 256,
    ):
        if settings["unknown"] not in UNKNOWN_POLICIES:
            raise ValueError(
                f"unknown={settings['unknown']!r} is none of {', '.join(UNKNOWN_POLICIES)}"
            )
        self.model, self.source, self.target = model, source, target
        self.settings, self.batch_size = settings, batch_size
        self._warned = False

    def predict(
        self,
        sources: Iterable[str],
        strategy: Greedy | Values | None = None,
        n_best: int | None = None,
        unknown: str | None = None,
    ) -> list:
        """The answers to `sources`, in their order.

        Args:
            sources: texts; an empty one is answered too.
            strategy: how targets are searched for; None: the likeliest token each step.
            n_best: None: one text a source; a number: a list of so many `Hypothesis` a source.
            unknown: what to do with symbols never seen in training, `"error"` or `"token"`; None:
                as the settings say.

        Raises:
            ValueError: a source that can't be encoded; the error counts sources from 1.
        """
        if isinstance(sources, str):
            raise ValueError(f"sources must be a list of texts, got the text {sources!r}")
        found = list(self.hypotheses(sources, strategy, unknown))
        if n_best is None:
            return [best[0].text for best in found]
        if any(len(best) < n_best for best in found):
            raise ValueError(f"n_best={n_best} is more than this strategy gives: {len(found[0])}")
        return [best[:n_best] for best in found]

    def hypotheses(
        self,
        sources: Iterable[str],
        strategy: Greedy | Values | None = None,
        unknown: str | None = None,
    ) -> Iterator[list[Hypothesis]]:
        """Hypotheses of each source, the best first; see `predict`."""
        rows = [self._encode(n, text, unknown) for n, text in enumerate(sources, 1)]
        self._warn_of_length(rows)
        answers: list[list[Hypothesis]] = [[] for _ in rows]
        order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
        order = [n for n in order if len(rows[n])]  # an empty real-valued source has no step
        for start in range(0, len(order), self.batch_size):
            numbers = order[start : start + self.batch_size]
            for number, best in zip(
                numbers, self._decode([rows[n] for n in numbers], strategy), strict=True
            ):
                answers[number] = best
        return (best or [Hypothesis("", [], 0.0)] for best in answers)

    def limit(self, length: int) -> int:
        """Steps after which the answer to a source of `length` steps is cut off.

        Twice the longest target of training and twice the source: ample, so that a model that can
        say more than it was trained on is not cut off, and one that never ends does not run on.
        """
        if isinstance(self.target, Numbers):
            return self.settings["target_length"] or length
        return self.settings["max_length"] or 2 * (self.settings["longest_target"] + length)

    def save(self, path: Path) -> None:
        """Write the one file that `load` reads."""
        save_model(path, self.model, self.source, self.target, self.settings)

    def _encode(self, number: int, text: str, unknown: str | None):
        try:
            return encode_row(text, self.source, unknown or self.settings["unknown"])
        except ValueError as error:
            raise ValueError(f"source {number}: {error}") from None

    def _warn_of_length(self, rows: list) -> None:
        longest = max(map(len, rows), default=0)
        trained = self.settings["longest_source"]
        if longest > trained and not self._warned:
            self._warned = True
            print(
                f"warning: a source has {longest} steps, the longest in training had {trained}; "
                "expect worse answers",
                file=sys.stderr,
            )

    def _decode(self, rows: list, strategy: Greedy | Values | None) -> list[list[Hypothesis]]:
        lengths = list(map(len, rows))
        padded, mask = pad(rows)
        # A batch of another size would be another shape: fill it up with copies of a real row.
        size = min(self.batch_size, 2 ** math.ceil(math.log2(len(rows))))
        fill = [*range(len(rows)), *[0] * (size - len(rows))]
        limit = self.limit(bucket(max(lengths)))
        found = self.model.decode(padded[fill], mask[fill], strategy, max_length=limit)
        return [
            [self._hypothesis(found, row, place, length) for place in range(found.tokens.shape[1])]
            for row, length in enumerate(lengths)
        ]

    def _hypothesis(self, found, row: int, place: int, source_length: int) -> Hypothesis:
        length = min(int(found.lengths[row, place]), self.limit(source_length))
        tokens = np.asarray(found.tokens[row, place, :length])
        said = self.target.decode_tokens(tokens)
        return Hypothesis(self.target.decode(tokens), said, float(found.scores[row, place]))


def load(path: str | Path) -> Predictor:
    """A trained model from a run directory, or from a `model.npz`.

    Args:
        path: for example `"runs/latest"`.

    Raises:
        ValueError: there is no run, or it is incomplete or damaged; the error says what is missing.

    Example:
        >>> load("runs/latest").predict(["hello"])  # doctest: +SKIP
        ['olleh']
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "model.npz").is_file():
            has = "has not finished its first evaluation" if (path / "config.yaml").exists() else ""
            raise ValueError(
                f"{path} is not a complete run: model.npz is missing"
                + (f" (the run {has})" if has else " (give a run directory, as in runs/latest)")
            )
        path = path / "model.npz"
    elif not path.exists():
        raise ValueError(f"no such run: {path}")
    return Predictor(*load_model(path))
