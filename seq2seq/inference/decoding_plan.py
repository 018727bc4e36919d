"""Decoding plan: decoding options resolved and checked once for a model and its codecs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq.data.batching import bucket
from seq2seq.decoding.constraints import (
    AllowTokens,
    Constraint,
    CopyRange,
    Length,
    NoRepeat,
    Prefix,
    SuppressTokens,
)
from seq2seq.inference.decoding_options import Decoding, make_lexicon
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.predictor import MAX_ANSWER_LENGTH, resolve_length
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.vocabulary import PAD, START, Vocabulary


class DecodingPlan:
    """Options of a decoding for a model, with the constraints that are the same for all sources.

    Args:
        decoding: the options.
        model: a `Seq2Seq` or an `Ensemble`.
        source, target: codecs of the two sides.
        settings: of the run, see `Predictor`.

    Raises:
        ValueError: an option does not fit the model or its vocabulary.
    """

    def __init__(
        self, decoding: Decoding, model: Any, source: Codec, target: Codec, settings: dict
    ):
        self.decoding, self.source, self.target, self.settings = decoding, source, target, settings
        self.strategy, self.unknown = decoding.strategy, decoding.unknown
        self.copies_symbols = model.copies_symbols
        model.check_strategy(decoding.strategy)
        if self.unknown == "copy" and not (self.copies_symbols or model.has_weights):
            raise ValueError("unknown=copy needs attention, and this model has no weights")
        self.is_regression = isinstance(target, Numbers)
        if self.is_regression and (names := decoding.constraint_names()):
            raise ValueError(
                f"decoding.{names[0]} is for tokens; the targets of this model are real values"
            )
        self._constant = [] if self.is_regression else self._make_constant()

    @property
    def size(self) -> int:
        """Hypotheses per source that are followed."""
        return 1 if self.strategy is None else self.strategy.size

    @property
    def copies_attended(self) -> bool:
        """Whether the most attended symbol of the source replaces the unknown token."""
        return self.unknown == "copy" and not self.copies_symbols

    def _make_constant(self) -> list[Constraint]:
        decoding, target = self.decoding, self.target
        suppressed = [PAD, START, *_find_ids(target, decoding.banned, "banned")]
        constraints: list[Constraint] = [SuppressTokens(np.array(suppressed, "int32"))]
        if decoding.allowed is not None:
            ids = _find_ids(target, decoding.allowed, "allowed")
            constraints.append(AllowTokens(np.array(ids, "int32")))
        if decoding.no_repeat_ngram_size is not None:
            constraints.append(NoRepeat(decoding.no_repeat_ngram_size))
        if decoding.lexicon is not None:
            constraints.append(make_lexicon(decoding.lexicon, target))
        return constraints

    def constraints(
        self, lengths: np.ndarray, prefixes: Sequence[Sequence[int]] | None = None
    ) -> list[Constraint]:
        """Constraints of a batch; padding and start are never generated.

        Args:
            lengths: (batch,), steps of the sources.
            prefixes: first tokens of each answer; None: any.
        """
        if self.is_regression:
            return []
        tokens = self._count_tokens(lengths)
        constraints = [*self._constant]
        if self.copies_symbols:
            constraints.insert(1, CopyRange(len(self.target) + tokens))
        if self.decoding.min_length is not None:
            minimum = [resolve_length(self.decoding.min_length, count) for count in tokens]
            maximum = np.full(len(tokens), MAX_ANSWER_LENGTH, "int32")
            constraints.append(Length(np.array(minimum, "int32"), maximum))
        if prefixes is not None:
            constraints.append(Prefix.of(prefixes))
        return constraints

    def max_length(self, length: int) -> int:
        """Steps after which the answer to a source of `length` steps is cut off.

        By default twice the longest target of training and twice the source: ample for a model that
        generalizes to longer answers, and a bound for one that never ends.
        """
        tokens = self._count_tokens(length)
        if self.is_regression:
            return self.settings["target_length"] or tokens
        if self.decoding.max_length is None:
            maximum = 2 * (self.settings["longest_target"] + length)
        else:
            maximum = resolve_length(self.decoding.max_length, tokens)
        return min(max(1, maximum), MAX_ANSWER_LENGTH)

    def limits(self, lengths: np.ndarray) -> dict:
        """Limit of each source, and a rounded one for the loop of all, so that few are compiled."""
        limits = np.array([self.max_length(int(length)) for length in lengths], "int32")
        maximum = max(1, self.max_length(bucket(int(lengths.max()))), int(limits.max()))
        return {"max_length": maximum, "limits": limits}

    def _count_tokens(self, steps: Any) -> Any:
        """Number of tokens or values of sources of `steps` steps, without the end."""
        return steps if isinstance(self.source, Numbers) else steps - 1


def _find_ids(target: Vocabulary, symbols: Sequence[str], field: str) -> list[int]:
    symbols = [target.canonical(symbol) for symbol in symbols]
    for symbol in symbols:
        if symbol not in target.symbols:
            raise ValueError(f"decoding.{field} names {symbol!r}, which the model cannot generate")
    return [target.symbols.index(symbol) for symbol in symbols]
