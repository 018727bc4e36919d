"""Serializable decoding options."""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

from seq2seq.decoding.beam import Beam
from seq2seq.decoding.constraints import Lexicon
from seq2seq.decoding.sample import Sample
from seq2seq.decoding.search import Greedy, Strategy
from seq2seq.runtime import vocabulary
from seq2seq.runtime.extensions import find_class
from seq2seq.runtime.predictor import MAX_ANSWER_LENGTH, RELATIVE_LENGTH
from seq2seq.runtime.validation import check_choice, check_count
from seq2seq.runtime.vocabulary import END, Vocabulary

UNKNOWN_POLICIES = (*vocabulary.UNKNOWN_POLICIES, "copy")
STRATEGIES = {strategy.name: strategy for strategy in (Greedy, Beam, Sample)}


@dataclass(frozen=True)
class Decoding:
    """Decoding options.

    Args:
        strategy: `Beam`, `Sample`, or one of your own; None: greedy, or real values as they are
            predicted.
        max_length: tokens after which an answer is cut off, at most 100,000; None: see
            `Predictor.max_length`. Real values have the length that their task sets.
        min_length: tokens before which no answer ends. Both lengths are numbers, or relative to the
            source's: `"1.5x"`, `"2x+3"`.
        unknown: policy for symbols never seen in training: `"error"` names the symbol and its
            position; `"token"` reads the unknown token instead; `"copy"` also replaces each unknown
            token of the answer by the symbol of the source with the highest attention weight (Luong
            et al. 2015b, section 3.3).
        banned: symbols that are never generated.
        allowed: the only symbols that are generated; None: all.
        no_repeat_ngram_size: no n-gram of this size occurs twice in an answer; None: no limit.
        lexicon: the only possible answers; None: any.

    Raises:
        ValueError: a length below 1 or of another form, an unknown policy, an empty lexicon.
    """

    strategy: Strategy | None = None
    max_length: int | str | None = None
    min_length: int | str | None = None
    unknown: str = "error"
    banned: Sequence[str] = ()
    allowed: Sequence[str] | None = None
    no_repeat_ngram_size: int | None = None
    lexicon: Sequence[str] | None = None

    def __post_init__(self):
        if self.strategy is not None and not (
            isinstance(self.strategy, Strategy)
            and self.strategy.for_tokens
            and is_dataclass(self.strategy)
        ):
            raise ValueError(
                f"decoding.strategy must be a strategy, as Beam(5), got {self.strategy!r}"
            )
        for name, minimum in (("max_length", 1), ("min_length", 0)):
            check_length(f"decoding.{name}", self.__dict__[name], minimum)
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
                "decoding.no_repeat_ngram_size",
                self.no_repeat_ngram_size,
                maximum=MAX_ANSWER_LENGTH,
            )
        if self.lexicon is not None and not self.lexicon:
            raise ValueError("decoding.lexicon is empty: there would be no answer")

    def to_config(self) -> dict:
        """Dictionary for JSON; see `from_config`."""
        strategy = Greedy() if self.strategy is None else self.strategy
        fields = {name: self.__dict__[name] for name in self.__dataclass_fields__}
        kind = type(strategy)
        if kind in STRATEGIES.values():
            described = {"name": strategy.name}
        else:
            described = {"_target_": f"{kind.__module__}.{kind.__qualname__}"}
        return {**fields, "strategy": {**described, **asdict(strategy)}}

    @classmethod
    def from_config(cls, config: dict) -> "Decoding":
        """Make the options that `to_config` described.

        Raises:
            ForeignClass: the strategy is no class of this package or of an extension.
            ValueError, TypeError, KeyError: the description is invalid.
        """
        arguments = dict(config["strategy"])
        if "_target_" in arguments:
            module, _, name = str(arguments.pop("_target_")).rpartition(".")
            strategy = find_class(module, name)
        else:
            strategy = STRATEGIES[check_choice("strategy", arguments.pop("name"), STRATEGIES)]
        return cls(**{**config, "strategy": None if strategy is Greedy else strategy(**arguments)})

    def with_best(self, strategy: Any, n_best: int | None) -> Any:
        """`strategy`, or that of the options, returning `n_best` hypotheses if it can."""
        strategy = self.strategy if strategy is None else strategy
        if n_best is None:
            return strategy
        if isinstance(strategy, Beam):
            return replace(strategy, n_best=n_best)
        if isinstance(strategy, Sample) and strategy.num_samples < n_best:
            return replace(strategy, num_samples=n_best)
        return strategy

    def constraint_names(self) -> list[str]:
        """Names of the constraints that are set, but for `max_length`."""
        names = ("min_length", "banned", "allowed", "no_repeat_ngram_size", "lexicon")
        return [name for name in names if self.__dict__[name] not in (None, ())]


@functools.lru_cache(maxsize=8)
def make_lexicon(lexicon: tuple[str, ...], target: Vocabulary) -> Lexicon:
    """Make the constraint of a lexicon, once for each.

    Raises:
        ValueError: a text has a symbol that `target` lacks.
    """
    rows = []
    for text in lexicon:
        try:
            rows.append(target.encode(text))
        except ValueError as error:
            raise ValueError(f"{text!r} of the lexicon can't be encoded: {error}") from None
    return Lexicon.of(rows, len(target), END)


def check_length(name: str, length: int | str | None, minimum: int) -> None:
    """Raise a ValueError unless `length` is None, a whole number, or like `"1.5x+2"`."""
    if length is None or (isinstance(length, str) and RELATIVE_LENGTH.fullmatch(length)):
        return
    if isinstance(length, str):
        raise ValueError(
            f'{name} must be a whole number, or like "1.5x" or "2x+3" of the source\'s length, '
            f"got {length!r}"
        )
    check_count(name, length, minimum, MAX_ANSWER_LENGTH)
