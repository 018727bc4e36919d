"""Predictor: a trained model from text to text."""

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.arguments import check_choice, check_count
from seq2seq.data.batching import bucket, encode_row, encode_sources
from seq2seq.data.tags import Side, Tagged
from seq2seq.data.vocabulary import Numbers
from seq2seq.decoding.search import Greedy, Values
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.checkpoints import load_model, save_model

logger = logging.getLogger("seq2seq")

MOST_STEPS = 65_536  # source steps, padding included, that are decoded together
MOST_PAIRS = 2**25  # of a step and a symbol that it may copy, that are decoded together
LONGEST_ANSWER = 100_000  # more would only fill the memory
UNKNOWN_POLICIES = ("error", "token")


@dataclass(frozen=True)
class Decoding:
    """How answers are made.

    Args:
        max_length: tokens after which an answer is cut off, at most 100,000; None: ample, see
            `Predictor.limit`. Real values have the length that their task says.
        unknown: what to do with symbols never seen in training: `"error"` names the symbol and its
            place, `"token"` reads the unknown token instead.

    Raises:
        ValueError: a length below 1, or an unknown policy.
    """

    max_length: int | None = None
    unknown: str = "error"

    def __post_init__(self):
        if self.max_length is not None:
            check_count("decoding.max_length", self.max_length)
            if self.max_length > LONGEST_ANSWER:
                raise ValueError(
                    f"decoding.max_length must be at most {LONGEST_ANSWER}, got {self.max_length}"
                )
        check_choice("decoding.unknown", self.unknown, UNKNOWN_POLICIES)


class BadSource(ValueError):
    """A source that can't be encoded.

    Attributes:
        number: which source, counted from 1.
        reason: what is wrong with it.
    """

    def __init__(self, number: int, reason: str):
        super().__init__(f"source {number}: {reason}")
        self.number, self.reason = number, reason


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
        decoding: how answers are made.
        settings: `longest_source` and `longest_target` (steps, as trained), `target_length` (values
            a real-valued answer has; None: as many as its source), and what else is to be kept.
        batch_size: sources decoded together.
    """

    def __init__(
        self,
        model: Seq2Seq,
        source: Side,
        target: Side,
        decoding: Decoding,
        settings: dict,
        batch_size: int = 256,
    ):
        self.model, self.source, self.target = model, source, target
        self.decoding, self.settings, self.batch_size = decoding, settings, batch_size
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
            unknown: see `Decoding`; None: as the run's decoding says.

        Raises:
            BadSource: a source can't be encoded (a ValueError that says which and why).
        """
        if isinstance(sources, str):
            raise ValueError(f"sources must be a list of texts, got the text {sources!r}")
        if n_best is not None:
            check_count("n_best", n_best)
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
        policy = check_choice("unknown", unknown or self.decoding.unknown, UNKNOWN_POLICIES)
        texts = list(sources)
        lengths = [self._measure(number, text, policy) for number, text in enumerate(texts, 1)]
        self._warn_of_length(lengths)
        answers: list[list[Hypothesis]] = [[] for _ in texts]
        for numbers in self._group(lengths):
            found = self._decode([texts[number] for number in numbers], strategy, policy)
            for number, best in zip(numbers, found, strict=True):
                answers[number] = best
        return (best or [Hypothesis("", [], 0.0)] for best in answers)

    def limit(self, length: int) -> int:
        """Steps after which the answer to a source of `length` steps is cut off.

        Twice the longest target of training and twice the source: ample, so that a model that can
        say more than it was trained on is not cut off, and one that never ends does not run on.
        """
        if isinstance(self.target, Numbers):
            own = length if isinstance(self.source, Numbers) else length - 1  # without the end
            return self.settings["target_length"] or own
        return self.decoding.max_length or 2 * (self.settings["longest_target"] + length)

    def save(self, path: Path) -> None:
        """Write the one file that `load` reads."""
        kept = {**self.settings, "decoding": asdict(self.decoding)}
        save_model(path, self.model, self.source, self.target, kept)

    @property
    def copying(self) -> bool:
        """Whether the model copies symbols from the source."""
        return self.model.decoder.readout == "pointer"

    def _measure(self, number: int, text: str, unknown: str) -> int:
        """Steps of a source that can be read; source `number` is named if it can't."""
        try:
            if isinstance(self.source, Tagged):
                self.source.encode_tags(text, unknown)
            # What a pointer has never seen it can still copy.
            return len(encode_row(text, self.source, "token" if self.copying else unknown))
        except ValueError as error:
            raise BadSource(number, str(error)) from None

    def _warn_of_length(self, lengths: list[int]) -> None:
        longest = max(lengths, default=0)
        trained = self.settings["longest_source"]
        if longest > trained and not self._warned:
            self._warned = True
            logger.warning(
                "warning: a source has %d steps, the longest in training had %d; "
                "expect worse answers",
                longest,
                trained,
            )

    def _group(self, lengths: list[int]) -> Iterator[list[int]]:
        """Numbers of sources of like length, the longest first; few at once where they are long."""
        order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
        order = [number for number in order if lengths[number]]  # no step: nothing to read
        while order:
            steps = bucket(lengths[order[0]])
            room = MOST_STEPS // steps
            if self.copying:  # it looks at every pair of a step and a symbol
                room = min(room, MOST_PAIRS // (steps * (steps + len(self.target))))
            size = max(1, min(self.batch_size, room))
            yield order[:size]
            order = order[size:]

    def _decode(
        self, texts: list[str], strategy: Greedy | Values | None, unknown: str
    ) -> list[list[Hypothesis]]:
        arrays = encode_sources(texts, self.source, self.target, unknown, self.copying)
        lengths = arrays["source_mask"].sum(1)
        # A batch of another size would be another shape: fill it up with copies of a real row.
        size = min(self.batch_size, 2 ** math.ceil(math.log2(len(texts))))
        fill = [*range(len(texts)), *[0] * (size - len(texts))]
        limit = max(1, self.limit(bucket(int(lengths.max()))))
        arrays = {name: array[fill] for name, array in arrays.items()}
        found = self.model.decode(**arrays, strategy=strategy, max_length=limit)
        return [
            [self._hypothesis(found, row, place, text) for place in range(found.tokens.shape[1])]
            for row, text in enumerate(texts)
        ]

    def _hypothesis(self, found, row: int, place: int, text: str) -> Hypothesis:
        source = self.source.tokens(text)
        steps = len(source) + (0 if isinstance(self.source, Numbers) else 1)  # and the end
        length = min(int(found.lengths[row, place]), self.limit(steps))
        tokens = np.asarray(found.tokens[row, place, :length])
        said = self.target.decode_tokens(tokens, source)
        return Hypothesis(self.target.join(said), said, float(found.scores[row, place]))


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
    model, source, target, settings = load_model(path)
    try:
        decoding = Decoding(**settings.pop("decoding"))
        settings["longest_source"], settings["longest_target"], settings["target_length"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: its settings lack {error}") from None
    return Predictor(model, source, target, decoding, settings)
