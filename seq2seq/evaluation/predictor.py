"""Predictor: a trained model from text to text."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from keras import tree

from seq2seq.arguments import check_count
from seq2seq.data.batching import bucket, encode_row, encode_sources, make_batch
from seq2seq.data.tags import Side, Tagged
from seq2seq.data.task import Example
from seq2seq.data.vocabulary import START, UNKNOWN, Numbers
from seq2seq.decoding.search import Hypotheses
from seq2seq.evaluation.settings import Decoding
from seq2seq.export.numpy_runtime import check_lengths
from seq2seq.models.ensemble import Ensemble
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.checkpoints import load_model, save_model

logger = logging.getLogger("seq2seq")

MOST_STEPS = 65_536  # source steps, padding included, that are decoded together
MOST_PAIRS = 2**25  # of a step and a symbol that it may copy, that are decoded together


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
        score: log-probability of its tokens and end; 0 for real values; minus infinity where the
            constraints leave no answer.
        token_scores: log-probability of each token, and of the end if there is one.
        ended: whether it came to its end, and was not cut off.
        attention: (tokens and end, source tokens and end), the weights while each was said; None
            unless it was asked for.
    """

    text: str
    tokens: list
    score: float
    token_scores: list[float] = []
    ended: bool = True
    attention: np.ndarray | None = None


class Predictor:
    """Text in, text out: a model, how both sides become numbers, and decoding settings.

    Args:
        model: a trained model, or an `Ensemble` of several.
        source, target: how each side's text becomes numbers.
        decoding: how answers are made.
        settings: `longest_source` and `longest_target` (steps, as trained), `target_length` (values
            a real-valued answer has; None: as many as its source), and what else is to be kept.
        batch_size: sources decoded together.
    """

    def __init__(
        self,
        model: Seq2Seq | Ensemble,
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
        strategy: Any = None,
        n_best: int | None = None,
        unknown: str | None = None,
        prefix: str | Sequence[str] | None = None,
        decoding: Decoding | None = None,
    ) -> list:
        """The answers to `sources`, in their order.

        Args:
            sources: texts; an empty one is answered too.
            strategy: how tokens are chosen: `Greedy()`, `Beam(5)`, `Sample(seed=1)`; None: as
                `decoding` says.
            n_best: None: one text a source; a number: a list of `Hypothesis` a source, at most so
                many, the best first.
            unknown: what to do with unknown symbols, see `Decoding`; None: as `decoding` says.
            prefix: what answers begin with: one text for all, or one a source; None: anything.
            decoding: all settings; None: the run's own. `dataclasses.replace(run.decoding,
                no_repeat=3)` makes others.

        Raises:
            BadSource: a source can't be encoded (a ValueError that says which and why).
            ValueError: a setting does not fit the model.
        """
        if isinstance(sources, str):
            raise ValueError(f"sources must be a list of texts, got the text {sources!r}")
        if n_best is not None:
            check_count("n_best", n_best)
        sources, decoding = list(sources), self.decoding if decoding is None else decoding
        strategy = decoding.with_best(strategy, n_best)
        most = 1 if strategy is None else strategy.n_best
        if n_best is not None and n_best > most:
            raise ValueError(f"n_best={n_best} is more than this strategy gives: {most}")
        decoding = replace(decoding, strategy=strategy, unknown=unknown or decoding.unknown)
        found = self.hypotheses(sources, decoding, prefix)
        if n_best is None:
            return [best[0].text for best in found]
        return [best[:n_best] for best in found]

    def hypotheses(
        self,
        sources: Sequence[str],
        decoding: Decoding | None = None,
        prefix: str | Sequence[str] | None = None,
        attention: bool = False,
    ) -> Iterator[list[Hypothesis]]:
        """Hypotheses of each source, the best first, and at least one.

        Args:
            sources, decoding, prefix: see `predict`.
            attention: whether they have their attention weights.
        """
        decoding = self.decoding if decoding is None else decoding
        self.check(decoding)
        texts = list(sources)
        steps = [self._measure(n, text, decoding.unknown) for n, text in enumerate(texts, 1)]
        prefixes = self._encode_prefixes(texts, prefix)
        self._warn_of_length(steps)
        answers: list[list[Hypothesis]] = [[] for _ in texts]
        for rows in self._group(steps):
            some = [texts[row] for row in rows]
            before = None if prefixes is None else [prefixes[row] for row in rows]
            found = self._decode(some, decoding, before, attention)
            for row, best in zip(rows, found, strict=True):
                answers[row] = best
        return (best or [Hypothesis("", [], 0.0)] for best in answers)

    def check(self, decoding: Decoding) -> None:
        """Raise a ValueError if the settings do not fit the model or its vocabulary."""
        self.model.check_strategy(decoding.strategy)
        if decoding.unknown == "copy" and not (self.copying or self.model.has_weights):
            raise ValueError("unknown=copy needs attention, and this model has no weights")
        if not isinstance(self.target, Numbers):
            decoding.constraints(self.target, np.ones(1, "int32"), None, self.copying)
        elif rules := decoding.rules():
            raise ValueError(f"this model says real values: decoding.{rules[0]} is not for them")

    def score(
        self, sources: Sequence[str], targets: Sequence[str], per_token: bool = False
    ) -> np.ndarray | list[np.ndarray]:
        """The log-probabilities of given targets, with their ends.

        Args:
            sources, targets: texts, as many of each.
            per_token: whether each token's and the end's own is returned.

        Returns:
            (sources,) log-probabilities; of tokens, one array (tokens and end,) a target.

        Raises:
            ValueError: a text can't be encoded, or there are not as many of each.
        """
        if isinstance(sources, str) or isinstance(targets, str):
            raise ValueError(f"lists of texts were expected, got {sources!r} and {targets!r}")
        pairs = [Example(*pair) for pair in zip(sources, targets, strict=True)]
        found: list[np.ndarray] = [np.zeros(0)] * len(pairs)
        policy = "error" if self.decoding.unknown == "error" else "token"
        steps = [self._measure(n, pair.source, policy) for n, pair in enumerate(pairs, 1)]
        for rows in self._group(steps):
            some = [pairs[row] for row in self._fill(rows)]
            batch = make_batch(some, self.source, self.target, policy, self.copying)
            scores = self.model.score(batch.inputs, batch.target_out)
            for place, row in enumerate(rows):
                found[row] = scores[place][batch.target_mask[place]]
        return found if per_token else np.array([scores.sum() for scores in found])

    def start(self, sources: Sequence[str], unknown: str | None = None) -> tuple[Any, Any]:
        """The decoder's first state and what it can look at, for a batch of sources.

        Both are structures of tensors whose first axis is the batch. A state may be kept, changed,
        interpolated or exchanged, and handed to `step` or `go_on`: see `seq2seq.models.states`.

        Example:
            >>> state, memory = run.start(["hello"])  # doctest: +SKIP
            >>> output = run.step(None, state, memory)  # doctest: +SKIP
            >>> output = run.step(["o"], output.state, memory)  # doctest: +SKIP
        """
        policy = self.decoding.unknown if unknown is None else unknown
        for number, text in enumerate(sources, 1):
            self._measure(number, text, policy)
        return self.model.start(self._encode(sources, policy))

    def step(self, tokens: Sequence | None, state: Any, memory: Any) -> Any:
        """One step: log-probabilities (batch, symbols) as `logits`, the new state, attention.

        Args:
            tokens: what was said before, a symbol or a number a source; None: nothing yet. Of
                real values (batch, features).
            state, memory: from `start`, or the state of a step before.
        """
        return self.model.say(self._encode_said(tokens, state), state, memory)

    def go_on(
        self,
        tokens: Sequence | None,
        state: Any,
        memory: Any,
        strategy: Any = None,
        max_length: int = 100,
    ) -> list[list[Hypothesis]]:
        """What is said from a state on: hypotheses of each source, as the run's settings allow.

        A pointer says symbols of its vocabulary only: a state does not know how others are spelt.

        Args:
            tokens, state, memory: see `step`.
            strategy: see `predict`.
            max_length: tokens after which an answer is cut off.
        """
        strategy = self.decoding.with_best(strategy, None)
        before = self._encode_said(tokens, state)
        rules = []
        if not isinstance(self.target, Numbers):
            steps = np.zeros(len(before), "int32")
            rules = self.decoding.constraints(self.target, steps, None, self.copying)
        found = self.model.decode_on(
            before, state, memory, strategy, max_length=max_length, constraints=rules
        )
        return [self._hypotheses(found, row, [], max_length) for row in range(len(found.tokens))]

    def limit(self, length: int) -> int:
        """Steps after which the answer to a source of `length` steps is cut off.

        Twice the longest target of training and twice the source: ample, so that a model that can
        say more than it was trained on is not cut off, and one that never ends does not run on.
        """
        return self._limit(length, self.decoding)

    def _limit(self, length: int, decoding: Decoding) -> int:
        if isinstance(self.target, Numbers):
            own = length if isinstance(self.source, Numbers) else length - 1  # without the end
            return self.settings["target_length"] or own
        own = length - (0 if isinstance(self.source, Numbers) else 1)
        return decoding.limit(own, 2 * (self.settings["longest_target"] + length))

    def save(self, path: Path, weights: str = "float32") -> None:
        """Write the one file that `load` and `seq2seq.export.numpy_runtime` read.

        Args:
            path: of the file.
            weights: how they are kept: `"float32"`, `"float16"` or `"int8"`.
        """
        kept = {**self.settings, "decoding": self.decoding.to_config()}
        save_model(path, self.model, self.source, self.target, kept, weights)

    @property
    def copying(self) -> bool:
        """Whether the model copies symbols from the source."""
        return self.model.copies_symbols

    def _measure(self, number: int, text: str, unknown: str) -> int:
        """Steps of a source that can be read; source `number` is named if it can't."""
        try:
            if isinstance(self.source, Tagged):
                self.source.encode_tags(text, "token" if unknown == "copy" else unknown)
            # What a pointer has never seen it can still copy.
            policy = "error" if unknown == "error" and not self.copying else "token"
            return len(encode_row(text, self.source, policy))
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

    def _fill(self, rows: list[int]) -> list[int]:
        """`rows` and copies of the first: a batch of any other size would be another shape."""
        size = min(self.batch_size, 2 ** math.ceil(math.log2(len(rows))))
        return [*rows, *[rows[0]] * (size - len(rows))]

    def _encode(self, texts: Sequence[str], unknown: str) -> dict[str, np.ndarray]:
        policy = "token" if unknown == "copy" else unknown
        return encode_sources(texts, self.source, self.target, policy, self.copying)

    def _encode_prefixes(self, texts: list[str], prefix) -> list[list[int]] | None:
        """The tokens that each answer begins with."""
        if prefix is None:
            return None
        prefixes = [prefix] * len(texts) if isinstance(prefix, str) else list(prefix)
        if len(prefixes) != len(texts):
            raise ValueError(f"{len(texts)} sources need as many prefixes, got {len(prefixes)}")
        if isinstance(self.target, Numbers):
            raise ValueError("real values have no prefix")
        if not self.copying:
            return [self.target.encode(text) for text in prefixes]
        return [
            self.target.encode_copies(self.target.tokens(text), self.source.tokens(source))
            for source, text in zip(texts, prefixes, strict=True)
        ]

    def _encode_said(self, tokens: Sequence | None, state: Any) -> np.ndarray:
        batch = len(tree.flatten(state)[0]) if tokens is None else len(tokens)
        if isinstance(self.target, Numbers):
            return np.asarray(np.zeros((batch, self.target.features)) if tokens is None else tokens)
        if tokens is None:
            return np.full(batch, START, "int32")
        symbols = self.target.symbols
        for token in tokens:
            if isinstance(token, str) and token not in symbols:
                raise ValueError(
                    f"the model cannot have said {token!r}: it is not in its vocabulary"
                )
        numbers = [symbols.index(token) if isinstance(token, str) else token for token in tokens]
        return np.array(numbers, "int32")

    def _decode(
        self,
        texts: list[str],
        decoding: Decoding,
        prefixes: list[list[int]] | None,
        attention: bool,
    ) -> list[list[Hypothesis]]:
        rows = self._fill(list(range(len(texts))))
        arrays = self._encode([texts[row] for row in rows], decoding.unknown)
        steps = arrays["source_mask"].sum(1)
        limits = np.array([self._limit(int(length), decoding) for length in steps], "int32")
        rules = []
        if not isinstance(self.target, Numbers):
            own = steps - (0 if isinstance(self.source, Numbers) else 1)
            before = None if prefixes is None else [prefixes[row] for row in rows]
            rules = decoding.constraints(self.target, own, before, self.copying)
        copies = decoding.unknown == "copy" and not self.copying
        found = self.model.decode(
            **arrays,
            strategy=decoding.strategy,
            # Rounded up, so that few loops are compiled; each row stops at its own limit.
            max_length=max(1, self._limit(bucket(int(steps.max())), decoding), int(limits.max())),
            limits=limits,
            constraints=rules,
            attention=attention or copies,
        )
        if copies:
            found = self._point(found, steps)
        return [
            self._hypotheses(found, row, self.source.tokens(text), int(steps[row]))
            for row, text in enumerate(texts)
        ]

    def _point(self, found: Hypotheses, steps: np.ndarray) -> Hypotheses:
        """`found` with symbols of the source where it says the unknown token."""
        places = np.arange(found.attention.shape[-1])
        real = (places < steps[:, None] - 1)[:, None, None]  # without the end
        pointed = np.where(real, found.attention, -1.0).argmax(-1)  # (batch, n, time)
        unknown = (found.tokens == UNKNOWN) & (steps > 1)[:, None, None]
        return found._replace(tokens=np.where(unknown, len(self.target) + pointed, found.tokens))

    def _hypotheses(self, found, row: int, source: list, steps: int) -> list[Hypothesis]:
        """The hypotheses of a row; where none is possible, an empty one says so by its score."""
        made = [
            self._hypothesis(found, row, place, source, steps)
            for place in range(found.tokens.shape[1])
            if np.isfinite(found.scores[row, place])
        ]
        return made or [Hypothesis("", [], -math.inf, [], False)]

    def _hypothesis(self, found, row: int, place: int, source: list, steps: int) -> Hypothesis:
        length, ended = int(found.lengths[row, place]), bool(found.ended[row, place])
        tokens = np.array(found.tokens[row, place, :length])
        said = length + (ended and not isinstance(self.target, Numbers))  # and the end
        attention = None
        if not isinstance(found.attention, tuple):
            attention = found.attention[row, place, :said, :steps]
        symbols = self.target.decode_tokens(tokens, source)
        return Hypothesis(
            self.target.join(symbols),
            symbols,
            float(found.scores[row, place]),
            found.token_scores[row, place, :said].tolist(),
            ended,
            attention,
        )


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
        decoding = Decoding.from_config(settings.pop("decoding"))
        check_lengths(settings)
    except KeyError as error:
        raise ValueError(f"{path} is damaged: its settings lack {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its settings can't be read: {error}") from None
    return Predictor(model, source, target, decoding, settings)


def ensemble(runs: Sequence[Predictor | str | Path], mean: str = "probabilities") -> Predictor:
    """Several runs that answer together, as one.

    Args:
        runs: predictors, or what `load` takes; all of one task.
        mean: see `Ensemble`.

    Raises:
        ValueError: their vocabularies differ.

    Example:
        >>> ensemble(["runs/a", "runs/b"]).predict(["hello"])  # doctest: +SKIP
        ['olleh']
    """
    loaded = [run if isinstance(run, Predictor) else load(run) for run in runs]
    first = loaded[0]
    for other in loaded[1:]:
        for side in ("source", "target"):
            if getattr(other, side).to_config() != getattr(first, side).to_config():
                raise ValueError(
                    f"the runs of an ensemble must have one {side} vocabulary, and these differ; "
                    "train them on the same task"
                )
    model = Ensemble([run.model for run in loaded], mean)
    settings = {**first.settings, "model": "ensemble"}
    return Predictor(model, first.source, first.target, first.decoding, settings)
