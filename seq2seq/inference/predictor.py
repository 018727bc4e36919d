"""Predictor: a trained model from text to text."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seq2seq.data.batching import bucket, check_each, count_steps, encode_sources, make_batch
from seq2seq.data.task import Example
from seq2seq.decoding.constraints import Length
from seq2seq.decoding.search import ARGMAX, Hypotheses
from seq2seq.inference.artifact import load_model, save_model
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.hypotheses import Hypothesis, point, read_row
from seq2seq.inference.inputs import (
    check_targets,
    fill,
    find_bad,
    group,
    list_texts,
    make_source,
    measure,
)
from seq2seq.inference.inspection import Inside
from seq2seq.layers import backend as kernels
from seq2seq.models.ensemble import Ensemble
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.predictor import check_lengths
from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import quiet_engine
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.validation import check_choice, check_count

logger = logging.getLogger("seq2seq")

LONG_ANSWER = 10_000  # steps: they take a tenth of a minute and more


class Predictor(Inside):
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
        source: Codec,
        target: Codec,
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
                no_repeat_ngram_size=3)` makes others.

        Raises:
            BadSource: a source can't be encoded (a ValueError that says which and why).
            ValueError: a setting does not fit the model.
        """
        decoding = self._settle(decoding, strategy, n_best, unknown)
        found = self.hypotheses(sources, decoding, prefix)
        if n_best is None:
            return [best[0].text for best in found]
        return [best[:n_best] for best in found]

    def hypotheses(
        self,
        sources: Iterable[str],
        decoding: Decoding | None = None,
        prefix: str | Sequence[str] | None = None,
        attention: bool = False,
        lengths: Sequence[int] | None = None,
    ) -> Iterator[list[Hypothesis]]:
        """Hypotheses of each source, the best first, and at least one.

        Args:
            sources, decoding, prefix: see `predict`.
            attention: whether they have their attention weights.
            lengths: tokens of each answer, which doesn't end before and is cut off there; None: it
                ends where the model says.
        """
        if lengths is not None and isinstance(self.target, Numbers):
            raise ValueError("real values have the length that their task says, no other")
        decoding = self.decoding if decoding is None else decoding
        self.check(decoding)
        texts = list_texts("sources", sources)
        steps = self._measure(texts, decoding.unknown)
        prefixes = self._encode_prefixes(texts, prefix)
        self._warn_of_length(steps, decoding)
        answers: list[list[Hypothesis]] = [[] for _ in texts]
        with progress("predicting", len(texts), "sources") as advance:
            for rows in self.group(steps, decoding):
                some = [texts[row] for row in rows]
                before = None if prefixes is None else [prefixes[row] for row in rows]
                own = None if lengths is None else [lengths[row] for row in rows]
                found, arrays = self._find(some, decoding, before, attention, own)
                steps_read = arrays["source_mask"].sum(1)
                best = self._read(found, steps_read, some, self._points(decoding))
                for place, row in enumerate(rows):
                    answers[row] = best[place]
                advance(len(rows))
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
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        per_token: bool = False,
        unknown: str | None = None,
    ) -> np.ndarray | list[np.ndarray]:
        """The log-probabilities of given targets, with their ends.

        Args:
            sources, targets: texts, as many of each.
            per_token: whether each token's and the end's own is returned.
            unknown: what to do with unknown symbols, `"error"` or `"token"`; None: as `decoding`
                says.

        Returns:
            (sources,) log-probabilities; of tokens, one array (tokens and end,) a target.

        Raises:
            BadSource, BadTarget: a text can't be encoded (a ValueError that says which and why).
            ValueError: there are not as many of each.
        """
        sources, targets = list_texts("sources", sources), list_texts("targets", targets)
        if len(sources) != len(targets):
            raise ValueError(
                f"each source needs a target, got {len(sources)} sources and {len(targets)} targets"
            )
        pairs = [Example(*pair) for pair in zip(sources, targets, strict=True)]
        found: list[np.ndarray] = [np.zeros(0)] * len(pairs)
        if unknown is not None:
            check_choice("unknown", unknown, ("error", "token"))
        policy = "error" if (unknown or self.decoding.unknown) == "error" else "token"
        steps = self._measure(sources, policy)
        check_targets(targets, self.target, policy, self.copying)
        # Pairs of like size go together: a long target takes as much room as a long source.
        long = [count_steps(text, self.target) for text in targets]
        steps = [max(pair) if pair[0] else 0 for pair in zip(steps, long, strict=True)]
        with progress("scoring", len(pairs), "pairs") as advance:
            for rows in self.group(steps):
                some = [pairs[row] for row in fill(rows, self.batch_size)]
                batch = make_batch(some, self.source, self.target, policy, self.copying)
                scores = self.model.score(batch.inputs, batch.target_out)
                for place, row in enumerate(rows):
                    found[row] = scores[place][batch.target_mask[place]]
                advance(len(rows))
        return found if per_token else np.array([scores.sum() for scores in found])

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

    def warm_up(self, lengths: Sequence[int], batch_sizes: Sequence[int] = (1,), **options) -> None:
        """Compile for sources of these sizes now, and not while somebody waits for an answer.

        Sources of about one length share a program; each batch size has its own, and so has each
        strategy and each kind of constraint.

        Args:
            lengths: symbols (values, words) of the sources to come.
            batch_sizes: how many come at once.
            options: of `predict`: `strategy`, `n_best`, `decoding`.

        Raises:
            ValueError: a size below 1.

        Example:
            >>> run = load("runs/latest")  # doctest: +SKIP
            >>> run.warm_up(range(1, 41), batch_sizes=[1, 8])  # doctest: +SKIP
        """
        for number in lengths:
            check_count("lengths", number)
        sources = [make_source(self.source, number) for number in sorted(set(lengths))]
        steps = self._measure(sources, "error")
        shapes = {bucket(count): text for count, text in zip(steps, sources, strict=True)}
        calls = kernels.COMPILE_AFTER + 1 if self.jit_compile == "auto" else 1
        for size in batch_sizes:
            check_count("batch_sizes", size)
            for text in shapes.values():
                for _ in range(calls):
                    self.predict([text] * size, **options)

    @property
    def jit_compile(self) -> bool | str:
        """Whether XLA compiles searches, as in `keras.Model.compile`.

        `"auto"`, the default: each shape once it has come 50 times, the first 8 of a strategy;
        True: each shape at its first call; False: never, and no call waits for it. JAX compiles
        each shape at its first call.
        """
        return self.model.calls.jit_compile

    @jit_compile.setter
    def jit_compile(self, value: bool | str) -> None:
        if value not in ("auto", True, False):
            raise ValueError(f'jit_compile must be "auto", True or False, got {value!r}')
        if value is False and keras.backend.backend() == "jax":
            raise ValueError("jit_compile=False: JAX compiles every search at its first call")
        self.model.calls.jit_compile = value

    def save(self, path: str | Path, weights: str = "float32") -> None:
        """Write the one file that `load` and `seq2seq.runtime` read.

        Args:
            path: of the file, for example `"model.npz"`.
            weights: how they are kept: `"float32"`, `"float16"` or `"int8"`.

        Raises:
            ValueError: a part of the model is not of this package, so that no other program could
                load it; or see `save_model`.
        """
        kept = {**self.settings, "decoding": self.decoding.to_config()}
        save_model(Path(path).expanduser(), self.model, self.source, self.target, kept, weights)

    @property
    def copying(self) -> bool:
        """Whether the model copies symbols from the source."""
        return self.model.copies_symbols

    def group(self, steps: Sequence[int], decoding: Decoding | None = None) -> Iterator[list[int]]:
        """Numbers of sources that go together, given the steps of each.

        Args:
            steps: of each source.
            decoding: how they are answered; None: they are read alone.
        """
        size = 1 if decoding is None or decoding.strategy is None else decoding.strategy.size
        room = None if decoding is None else lambda steps: size * self._limit(steps, decoding)
        return group(steps, self.batch_size, len(self.target) if self.copying else None, room)

    def _settle(self, decoding, strategy, n_best: int | None, unknown: str | None) -> Decoding:
        """All settings of an answer, from what was asked for."""
        if n_best is not None:
            check_count("n_best", n_best)
        decoding = self.decoding if decoding is None else decoding
        strategy = decoding.with_best(strategy, n_best)
        most = 1 if strategy is None else strategy.n_best
        if n_best is not None and n_best > most:
            raise ValueError(f"n_best={n_best} is more than this strategy gives: {most}")
        return replace(decoding, strategy=strategy, unknown=unknown or decoding.unknown)

    def find_bad(self, sources: Sequence[str], unknown: str | None = None) -> dict[int, str]:
        """Find the sources that `predict` would refuse.

        Args:
            sources: texts.
            unknown: see `predict`.

        Returns:
            The number of each, counted from 1, and what is wrong with it.
        """
        return find_bad(sources, self.source, unknown or self.decoding.unknown, self.copying)

    def _measure(self, texts: Sequence[str], unknown: str) -> list[int]:
        return measure(texts, self.source, unknown, self.copying)

    def _warn_of_length(self, lengths: list[int], decoding: Decoding) -> None:
        if self._warned or not any(lengths):
            return
        longest, most = max(lengths), self._limit(max(lengths), decoding)
        if most > LONG_ANSWER:
            self._warned = True
            logger.warning(
                "warning: an answer may have %s steps, as the longest target in training had %s; "
                "one that does not end takes minutes (--max-length N, decoding.max_length=N)",
                f"{most:,}",
                f"{self.settings['longest_target']:,}",
            )
        trained = self.settings["longest_source"]
        if longest > trained:
            self._warned = True
            logger.warning(
                "warning: a source has %d steps, the longest in training had %d; "
                "expect worse answers",
                longest,
                trained,
            )

    def _encode(self, texts: Sequence[str], unknown: str) -> dict[str, np.ndarray]:
        policy = "token" if unknown == "copy" else unknown
        return encode_sources(texts, self.source, self.target, policy, self.copying)

    def _encode_prefixes(self, texts: list[str], prefix) -> list[list[int]] | None:
        """The tokens that each answer begins with."""
        if prefix is None:
            return None
        prefixes = (
            [prefix] * len(texts) if isinstance(prefix, str) else list_texts("prefix", prefix)
        )
        check_each("prefix", prefixes)
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

    def _find(
        self, texts: list[str], decoding: Decoding, prefixes, attention: bool, lengths=None
    ) -> tuple[Hypotheses, dict[str, np.ndarray]]:
        """What a search finds for sources, and their arrays; both may have more rows, to be left.

        Args:
            texts, decoding: see `predict`.
            prefixes: the tokens that each answer begins with, or None.
            attention: whether the weights are wanted.
            lengths: see `hypotheses`.
        """
        rows = fill(range(len(texts)), self.batch_size)
        arrays = self._encode([texts[row] for row in rows], decoding.unknown)
        steps = arrays["source_mask"].sum(1)
        before = None if prefixes is None else [prefixes[row] for row in rows]
        limits, rules = self._limits(steps, decoding), self._rules(steps, decoding, before)
        if lengths is not None:
            given = np.array([lengths[row] for row in rows], "int32")
            limits = {"max_length": bucket(int(given.max())), "limits": given}
            rules.append(Length(given, given))
        found = self.model.decode(
            **arrays,
            strategy=decoding.strategy,
            **limits,
            constraints=rules,
            attention=attention or (ARGMAX if self._points(decoding) else False),
        )
        return found, arrays

    def _limits(self, steps: np.ndarray, decoding: Decoding) -> dict:
        """Where answers are cut off, each by itself, and a round number for the loop of all."""
        limits = np.array([self._limit(int(length), decoding) for length in steps], "int32")
        # Rounded up, so that few loops are compiled; each row stops at its own limit.
        most = max(1, self._limit(bucket(int(steps.max())), decoding), int(limits.max()))
        return {"max_length": most, "limits": limits}

    def _rules(self, steps: np.ndarray, decoding: Decoding, prefixes) -> list:
        if isinstance(self.target, Numbers):
            return []
        own = steps - (0 if isinstance(self.source, Numbers) else 1)
        return decoding.constraints(self.target, own, prefixes, self.copying)

    def _points(self, decoding: Decoding) -> bool:
        """Whether attention tells which symbol of the source is put for the unknown token."""
        return decoding.unknown == "copy" and not self.copying

    def _read(
        self, found: Hypotheses, steps: np.ndarray, texts: Sequence[str], pointing: bool
    ) -> list[list[Hypothesis]]:
        """The hypotheses of each text; `steps` (batch,) are those of the sources."""
        if pointing:
            found = point(found, steps, len(self.target))
        return [
            read_row(found, row, self.target, self.source.tokens(text), int(steps[row]))
            for row, text in enumerate(texts)
        ]


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
    quiet_engine()
    path = Path(path).expanduser()
    if path.is_dir():
        if not (path / "model.npz").is_file():
            has = "has not finished its first evaluation" if (path / "config.yaml").exists() else ""
            raise ValueError(
                f"{path} is not a complete run: model.npz is missing"
                + (f" (the run {has})" if has else " (give a run directory, as in runs/latest)")
            )
        path = path / "model.npz"
    elif not path.exists():
        raise ValueError(f"no such run: {path}{_newest_beside(path)}")
    model, source, target, settings = load_model(path)
    try:
        decoding = Decoding.from_config(settings.pop("decoding"))
        check_lengths(settings)
    except KeyError as error:
        raise ValueError(f"{path} is damaged: its settings lack {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its settings can't be read: {error}") from None
    return Predictor(model, source, target, decoding, settings)


def _newest_beside(path: Path) -> str:
    """Advice where `runs/latest` is missing, as on a file system without links."""
    if path.name != "latest":
        return ""
    runs = [*path.parent.glob("*/*/model.npz"), *path.parent.glob("*/model.npz")]
    newest = max(runs, key=lambda model: model.stat().st_mtime, default=None)
    return "" if newest is None else f" (the newest run there is {newest.parent})"


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
