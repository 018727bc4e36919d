"""Decoding settings: how answers are made, in words that a person or a file can say."""

import functools
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from seq2seq.decoding.beam import Beam
from seq2seq.decoding.constraints import (
    AllowTokens,
    Constraint,
    CopyRange,
    Length,
    Lexicon,
    NoRepeat,
    Prefix,
    SuppressTokens,
)
from seq2seq.decoding.sample import Sample
from seq2seq.decoding.search import Greedy
from seq2seq.runtime.validation import check_choice, check_count
from seq2seq.runtime.vocabulary import END, PAD, START, Vocabulary

LONGEST_ANSWER = 100_000  # more would only fill the memory
UNKNOWN_POLICIES = ("error", "token", "copy")
STRATEGIES = {strategy.name: strategy for strategy in (Greedy, Beam, Sample)}
# A length, as 1.5x+2: times the source's.
RELATIVE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)x([+-]\d{1,9})?")


@dataclass(frozen=True)
class Decoding:
    """How answers are made.

    Args:
        strategy: how tokens are chosen: `Beam` or `Sample`; None: the likeliest each time, or real
            values as they are predicted.
        max_length: tokens after which an answer is cut off, at most 100,000; None: ample, see
            `Predictor.limit`. Real values have the length that their task says.
        min_length: tokens before which no answer ends. Both lengths are numbers, or in relation to
            the source's: `"1.5x"`, `"2x+3"`.
        unknown: what to do with symbols never seen in training: `"error"` names the symbol and its
            place, `"token"` reads the unknown token instead, `"copy"` also puts, where the model
            says the unknown token, the symbol of the source that it attends to most (Luong et al.
            2015b, section 3.3).
        banned: symbols that are never said.
        allowed: the only symbols that are said; None: all.
        no_repeat_ngram_size: no sequence of so many symbols is said twice; None: any may be.
        lexicon: the only answers that are given; None: any.

    Raises:
        ValueError: a length below 1 or of another form, an unknown policy, an empty lexicon.
    """

    strategy: Beam | Sample | None = None
    max_length: int | str | None = None
    min_length: int | str | None = None
    unknown: str = "error"
    banned: Sequence[str] = ()
    allowed: Sequence[str] | None = None
    no_repeat_ngram_size: int | None = None
    lexicon: Sequence[str] | None = None

    def __post_init__(self):
        if not isinstance(self.strategy, (*STRATEGIES.values(), type(None))):
            raise ValueError(f"decoding.strategy must be one, as Beam(5), got {self.strategy!r}")
        for name, least in (("max_length", 1), ("min_length", 0)):
            check_length(f"decoding.{name}", self.__dict__[name], least)
        check_choice("decoding.unknown", self.unknown, UNKNOWN_POLICIES)
        for name in ("banned", "allowed", "lexicon"):
            texts = self.__dict__[name]
            if isinstance(texts, str) or not (
                texts is None or all(isinstance(t, str) for t in texts)
            ):
                raise ValueError(f"decoding.{name} must be a list of texts, got {texts!r}")
            if texts is not None:
                object.__setattr__(self, name, tuple(texts))
        if self.no_repeat_ngram_size is not None:
            check_count(
                "decoding.no_repeat_ngram_size", self.no_repeat_ngram_size, maximum=LONGEST_ANSWER
            )
        if self.lexicon is not None and not self.lexicon:
            raise ValueError("decoding.lexicon is empty: nothing could be said")

    def to_config(self) -> dict:
        """A dictionary for JSON; `from_config` reads it."""
        strategy = Greedy() if self.strategy is None else self.strategy
        fields = {name: self.__dict__[name] for name in self.__dataclass_fields__}
        return {**fields, "strategy": {"name": strategy.name, **asdict(strategy)}}

    @classmethod
    def from_config(cls, config: dict) -> "Decoding":
        """What `to_config` wrote.

        Raises:
            ValueError, TypeError, KeyError: it did not.
        """
        chosen = dict(config["strategy"])
        kind = STRATEGIES[check_choice("strategy", chosen.pop("name"), STRATEGIES)]
        return cls(**{**config, "strategy": None if kind is Greedy else kind(**chosen)})

    def with_best(self, strategy: Any, n_best: int | None) -> Any:
        """`strategy`, or the own one, so that it gives `n_best` hypotheses if it can."""
        strategy = self.strategy if strategy is None else strategy
        if n_best is None:
            return strategy
        if isinstance(strategy, Beam):
            return replace(strategy, n_best=n_best)
        if isinstance(strategy, Sample) and strategy.num_samples < n_best:
            return replace(strategy, num_samples=n_best)
        return strategy

    def limit(self, steps: int, ample: int) -> int:
        """Tokens after which the answer to a source of `steps` tokens is cut off."""
        most = ample if self.max_length is None else in_tokens(self.max_length, steps)
        return min(max(1, most), LONGEST_ANSWER)

    def rules(self) -> list[str]:
        """The names of the constraints that are set, but for `max_length`."""
        names = ("min_length", "banned", "allowed", "no_repeat_ngram_size", "lexicon")
        return [name for name in names if self.__dict__[name] not in (None, ())]

    def constraints(
        self,
        target: Vocabulary,
        steps: np.ndarray,
        prefixes: Sequence[Sequence[int]] | None,
        copying: bool,
    ) -> list[Constraint]:
        """The constraints of a batch; padding and start are never said.

        Args:
            target: the vocabulary of what is said.
            steps: (batch,) of each source, without its end.
            prefixes: what each answer begins with, as tokens; None: anything.
            copying: whether symbols of the source are said, too.
        """
        never = [PAD, START, *self._ids(target, self.banned, "banned")]
        rules: list[Constraint] = [SuppressTokens(np.array(never, "int32"))]
        if copying:
            rules.append(CopyRange(len(target) + steps))
        if self.allowed is not None:
            rules.append(AllowTokens(np.array(self._ids(target, self.allowed, "allowed"), "int32")))
        if self.no_repeat_ngram_size is not None:
            rules.append(NoRepeat(self.no_repeat_ngram_size))
        if self.lexicon is not None:
            rules.append(make_lexicon(self.lexicon, target))
        if self.min_length is not None:
            least = np.array([in_tokens(self.min_length, length) for length in steps], "int32")
            rules.append(Length(least, np.full(len(steps), LONGEST_ANSWER, "int32")))
        if prefixes is not None:
            rules.append(Prefix.of(prefixes))
        return rules

    def _ids(self, target: Vocabulary, symbols: Sequence[str], field: str) -> list[int]:
        symbols = [target.canonical(symbol) for symbol in symbols]
        for symbol in symbols:
            if symbol not in target.symbols:
                raise ValueError(f"decoding.{field} names {symbol!r}, which the model cannot say")
        return [target.symbols.index(symbol) for symbol in symbols]


@functools.lru_cache(maxsize=8)
def make_lexicon(lexicon: tuple[str, ...], target: Vocabulary) -> Lexicon:
    """The tree of all texts of a lexicon, made once.

    Raises:
        ValueError: a text has a symbol that `target` lacks.
    """
    rows = []
    for text in lexicon:
        try:
            rows.append(target.encode(text))
        except ValueError as error:
            raise ValueError(f"{text!r} of the lexicon can't be said: {error}") from None
    return Lexicon.of(rows, len(target), END)


def check_length(name: str, length: int | str | None, least: int) -> None:
    """Raise a ValueError unless `length` is None, a whole number, or like `"1.5x+2"`."""
    if length is None or (isinstance(length, str) and RELATIVE.fullmatch(length)):
        return
    if isinstance(length, str):
        raise ValueError(
            f'{name} must be a whole number, or like "1.5x" or "2x+3" of the source\'s length, '
            f"got {length!r}"
        )
    if check_count(name, length, least) > LONGEST_ANSWER:
        raise ValueError(f"{name} must be at most {LONGEST_ANSWER}, got {length}")


def in_tokens(length: int | str, steps: int) -> int:
    """A length in tokens, for a source of `steps` of them."""
    if isinstance(length, int):
        return length
    factor, more = RELATIVE.fullmatch(length).groups()
    return min(max(0, int(float(factor) * steps) + int(more or 0)), LONGEST_ANSWER)
