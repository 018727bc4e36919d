"""Predictor: a trained model from text to text, and its states."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import tree

from seq2seq.data.batching import (
    EncodedSource,
    bucket,
    encode_target,
    stack_examples,
    stack_sources,
)
from seq2seq.decoding.constraints import CopyRange, Length
from seq2seq.decoding.search import ARGMAX, Hypotheses
from seq2seq.inference.artifact import save_model
from seq2seq.inference.decoding_options import UNKNOWN_POLICIES, Decoding
from seq2seq.inference.decoding_plan import DecodingPlan
from seq2seq.inference.display import make_table
from seq2seq.inference.hypotheses import Hypothesis, HypothesisLists, copy_attended, read_row
from seq2seq.inference.inputs import (
    BadSource,
    BadTarget,
    batches_by_length,
    encode_prefixes,
    encode_previous,
    encode_texts,
    list_texts,
    make_source,
    pad_batch,
)
from seq2seq.inference.trace import Trace
from seq2seq.inference.tracing import make_trace
from seq2seq.layers import backend
from seq2seq.models.decoding_mixin import source_keys
from seq2seq.models.encoder import Memory
from seq2seq.models.ensemble import Ensemble
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.file_format import parse_json
from seq2seq.runtime.manifest import read_checked
from seq2seq.runtime.progress import progress
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.validation import check_choice, check_count

logger = logging.getLogger("seq2seq")

SUMMARY = "summary.json"  # of a run directory
LONG_ANSWER = 10_000  # steps: they take a tenth of a minute and more


class Predictor:
    """Trained model with the codecs of both sides and decoding options.

    Args:
        model: a trained model, or an `Ensemble` of several.
        source, target: codecs of the two sides.
        decoding: decoding options.
        settings: `longest_source` and `longest_target` (steps, in training), `target_length`
            (values of a real-valued answer; None: as many as its source), and others to be saved.
        batch_size: sources decoded together.

    Attributes:
        path: of the run directory or the file it was loaded from; None: it was not loaded.
    """

    path: Path | None = None

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
        self._has_warned = False

    @property
    def copies_symbols(self) -> bool:
        """Whether the model copies symbols from the source."""
        return self.model.copies_symbols

    # ---- from text to text

    def predict(
        self,
        sources: Iterable[str],
        strategy: Any = None,
        n_best: int | None = None,
        unknown: str | None = None,
        prefix: str | Sequence[str] | None = None,
        decoding: Decoding | None = None,
    ) -> list:
        """Predict the answers to `sources`, in their order.

        Args:
            sources: texts; an empty one is answered too.
            strategy: `Greedy()`, `Beam(5)`, `Sample(seed=1)`; None: that of `decoding`.
            n_best: None: a text per source; a number: a list of at most this many `Hypothesis` per
                source, the best first (`HypothesisLists`: a table in a notebook, `to_pandas()`).
            unknown: policy for unknown symbols, see `Decoding`; None: that of `decoding`.
            prefix: first tokens of the answers: a text for all, or one per source; None: any.
            decoding: all options; None: those of the run. `dataclasses.replace(run.decoding,
                no_repeat_ngram_size=3)` makes others.

        Raises:
            BadSource: a source can't be encoded (a ValueError with its number and the reason).
            ValueError: an option does not fit the model.
        """
        plan = self.plan(decoding, strategy, n_best, unknown)
        sources = list_texts("sources", sources)
        results = self._predict(sources, plan, prefix)
        if n_best is None:
            return [hypotheses[0].text for hypotheses in results]
        return HypothesisLists([hypotheses[:n_best] for hypotheses in results], sources)

    def hypotheses(
        self,
        sources: Iterable[str],
        decoding: Decoding | None = None,
        attention: bool = False,
        lengths: Sequence[int] | None = None,
    ) -> list[list[Hypothesis]]:
        """Predict the hypotheses of each source, the best first, and at least one.

        Args:
            sources, decoding: see `predict`.
            attention: whether they have their attention weights.
            lengths: tokens of each answer, which has no end before and is cut off there; None: the
                model decides.
        """
        if lengths is not None and isinstance(self.target, Numbers):
            raise ValueError("real values have the length that their task sets, no other")
        return self._predict(sources, self.plan(decoding), None, attention, lengths)

    def plan(
        self,
        decoding: Decoding | None = None,
        strategy: Any = None,
        n_best: int | None = None,
        unknown: str | None = None,
    ) -> DecodingPlan:
        """Resolve and check decoding options; see `predict`."""
        if n_best is not None:
            check_count("n_best", n_best)
        decoding = self.decoding if decoding is None else decoding
        strategy = decoding.with_best(strategy, n_best)
        maximum = 1 if strategy is None else strategy.n_best
        if n_best is not None and n_best > maximum:
            raise ValueError(f"n_best={n_best} is more than this strategy returns: {maximum}")
        decoding = replace(decoding, strategy=strategy, unknown=unknown or decoding.unknown)
        return DecodingPlan(decoding, self.model, self.source, self.target, self.settings)

    def _predict(
        self, sources, plan: DecodingPlan, prefix=None, attention: bool = False, lengths=None
    ) -> list[list[Hypothesis]]:
        encoded = self.encode_texts(list_texts("sources", sources), plan.unknown)
        prefixes = encode_prefixes(self.target, encoded, prefix)
        self._warn_about_length(encoded, plan)
        answers = [[Hypothesis("", [], 0.0)] for _ in encoded]  # of sources without a step
        with progress("predicting", len(encoded), "sources") as advance:
            for rows in self.batches(encoded, plan):
                padded = pad_batch(rows, self.batch_size)
                batch = [encoded[row] for row in padded]
                hypotheses = self._search(
                    batch,
                    plan,
                    None if prefixes is None else [prefixes[row] for row in padded],
                    attention,
                    None if lengths is None else [lengths[row] for row in padded],
                )
                for row, best in zip(rows, self._read(hypotheses, batch, plan), strict=False):
                    answers[row] = best
                advance(len(rows))
        return answers

    def _search(
        self, batch: list[EncodedSource], plan, prefixes=None, attention=False, lengths=None
    ) -> Hypotheses:
        """Search for the answers to a batch of sources."""
        steps = np.array([len(source.row) for source in batch])
        constraints, limits = plan.constraints(steps, prefixes), plan.limits(steps)
        if lengths is not None:
            exact = np.array(lengths, "int32")
            limits = {"max_length": bucket(int(exact.max())), "limits": exact}
            constraints.append(Length(exact, exact))
        return self.model.decode(
            **stack_sources(batch),
            strategy=plan.strategy,
            **limits,
            constraints=constraints,
            attention=attention or (ARGMAX if plan.copies_attended else False),
        )

    def _read(
        self, hypotheses: Hypotheses, batch: Sequence[EncodedSource], plan: DecodingPlan
    ) -> Iterator[list[Hypothesis]]:
        """Hypotheses of each source of a batch, as texts."""
        steps = np.array([len(source.row) for source in batch])
        if plan.copies_attended:
            hypotheses = copy_attended(hypotheses, steps, len(self.target))
        for row, source in enumerate(batch):
            yield read_row(hypotheses, row, self.target, source.tokens, len(source.row))

    def score(
        self,
        sources: Sequence[str],
        targets: Sequence[str],
        per_token: bool = False,
        unknown: str | None = None,
    ) -> np.ndarray | list[np.ndarray]:
        """Log-probabilities of known targets, with their ends.

        Args:
            sources, targets: texts, the same number of each.
            per_token: whether those of each token and the end are returned.
            unknown: policy for unknown symbols, `"error"` or `"token"`; None: that of the run.

        Returns:
            (sources,) log-probabilities; of tokens, an array (tokens and end,) per target.

        Raises:
            BadSource, BadTarget: a text can't be encoded (a ValueError with its number and reason).
            ValueError: the numbers of sources and targets differ.
        """
        sources, targets = list_texts("sources", sources), list_texts("targets", targets)
        if len(sources) != len(targets):
            raise ValueError(
                f"each source needs a target, got {len(sources)} sources and {len(targets)} targets"
            )
        encoded = self.encode_texts(sources, unknown or self.decoding.unknown)
        policy = "error" if (unknown or self.decoding.unknown) == "error" else "token"
        rows_of_targets = []
        for number, (text, source) in enumerate(zip(targets, encoded, strict=True), 1):
            try:
                rows_of_targets.append(encode_target(text, source, self.target, policy))
            except ValueError as error:
                raise BadTarget(number, str(error)) from None
        scores = [np.zeros(0, "float32") for _ in encoded]
        # A long target takes as much memory as a long source.
        pairs = zip(encoded, rows_of_targets, strict=True)
        steps = [max(len(s.row), len(t)) if len(s.row) else 0 for s, t in pairs]
        with progress("scoring", len(encoded), "pairs") as advance:
            for rows in self._group(steps):
                padded = pad_batch(rows, self.batch_size)
                batch = stack_examples(
                    [encoded[row] for row in padded], [rows_of_targets[row] for row in padded]
                )
                token_scores = self.model.score(batch.inputs, batch.target_out)
                for index, row in enumerate(rows):
                    scores[row] = token_scores[index][batch.target_mask[index]]
                advance(len(rows))
        return scores if per_token else np.array([each.sum() for each in scores])

    # ---- states

    def encode(self, sources: str | Sequence[str], unknown: str | None = None) -> tuple[Any, Any]:
        """Initial state of the decoder, and memory, for a batch of sources.

        Both are structures of tensors whose first axis is the batch. A state may be saved, changed
        or exchanged (see `seq2seq.states`), and passed to `step` or `decode`; memories too.

        Args:
            sources: a text, or several.
            unknown: see `predict`.

        Returns:
            State and memory: a `DecoderState` and a `Memory`, or of an ensemble one per model.

        Raises:
            BadSource: a source can't be encoded, or has no step.

        Example:
            >>> state, memory = run.encode(["hello", "world"])  # doctest: +SKIP
            >>> run.decode(state, memory)  # doctest: +SKIP
            ['olleh', 'dlrow']
            >>> run.decode(seq2seq.states.swap(state, 0, 1), memory)  # doctest: +SKIP
            ['dlrow', 'olleh']
        """
        encoded = self._encode_batch(sources, unknown or self.decoding.unknown)
        return self.model.start(stack_sources(encoded))

    def step(self, tokens: Sequence | None, state: Any, memory: Any) -> Any:
        """Compute a step: log-probabilities (batch, symbols) as `logits`, new state, attention.

        Args:
            tokens: previous tokens, a symbol or an id per source; None: the start. Of real values
                (batch, features).
            state, memory: from `encode`, or the state of a step before.
        """
        return self.model.log_prob_step(
            encode_previous(self.target, tokens, _count(state)), state, memory
        )

    def decode(
        self,
        state: Any,
        memory: Any,
        strategy: Any = None,
        n_best: int | None = None,
        tokens: Sequence | None = None,
        sources: Sequence[str] | None = None,
        decoding: Decoding | None = None,
    ) -> list:
        """Decode from a state; `decode(*encode(sources))` equals `predict(sources)`.

        Args:
            state, memory: from `encode`, or the state of a step; each may have been changed. The
                maximum length of an answer depends on the memory, which has its source's length.
            strategy, n_best, decoding: see `predict`. Samples are those of `predict` if `sources`
                are given; else they depend on the position in the batch.
            tokens: see `step`; they are no part of the answers.
            sources: texts of the memory, to spell symbols that a model copies and its vocabulary
                lacks; None: only those of the vocabulary are generated.

        Raises:
            ValueError: an option does not fit the model, or state and memory differ in batch size.
        """
        plan = self.plan(decoding, strategy, n_best)
        mask = np.asarray((memory if isinstance(memory, Memory) else memory[0]).mask)
        batch, steps = _count(state), mask.sum(1)
        encoded = None
        if sources is not None:
            encoded = self.encode_texts(list_texts("sources", sources), "token")
        if len(mask) != batch or (encoded is not None and len(encoded) != batch):
            texts = "" if encoded is None else f", and there are {len(encoded)} sources"
            raise ValueError(f"the state is of {batch} sources, the memory of {len(mask)}{texts}")
        constraints = plan.constraints(steps)
        if self.copies_symbols and encoded is None:
            constraints.append(CopyRange(np.full(batch, len(self.target))))
        copies_attended = encoded is not None and plan.copies_attended
        hypotheses = self.model.continue_decoding(
            encode_previous(self.target, tokens, batch),
            state,
            memory,
            plan.strategy,
            **plan.limits(steps),
            constraints=constraints,
            source_mask=mask,
            attention=ARGMAX if copies_attended else False,
            keys=None if encoded is None else source_keys(stack_sources(encoded)),
        )
        if copies_attended:
            hypotheses = copy_attended(hypotheses, steps, len(self.target))
        symbols = [[]] * batch if encoded is None else [source.tokens for source in encoded]
        results = [
            read_row(hypotheses, row, self.target, symbols[row], int(steps[row]))
            for row in range(batch)
        ]
        if n_best is None:
            return [best[0].text for best in results]
        return [best[:n_best] for best in results]

    def trace(
        self,
        sources: str | Sequence[str],
        strategy: Any = None,
        gates: bool = False,
        top: int = 5,
        decoding: Decoding | None = None,
    ) -> Trace:
        """Record all states of a model while it reads sources and generates their answers.

        The answers are those of `predict`, computed once more step by step.

        Args:
            sources: a text, or several, which are traced in one batch.
            strategy, decoding: see `predict`; the best answer is traced.
            gates: whether gates are recorded.
            top: number of the likeliest symbols that are recorded of each step.

        Raises:
            BadSource: a source can't be encoded, or has no step.
            ValueError: there is no source, an option does not fit, an answer has no step, or the
                model is an ensemble, which has several states.

        Example:
            >>> trace = run.trace("hello")  # doctest: +SKIP
            >>> trace.encoder[0].hidden.shape  # h e l l o <end>  # doctest: +SKIP
            (1, 6, 128)
        """
        if not isinstance(self.model, Seq2Seq):
            raise ValueError("an ensemble has a state for each model: trace its runs one by one")
        check_count("top", top)
        plan = self.plan(decoding, strategy)
        batch = self._encode_batch(sources, plan.unknown)
        padded = [batch[row] for row in pad_batch(range(len(batch)), self.batch_size)]
        hypotheses = self._search(padded, plan)
        texts = [sources] if isinstance(sources, str) else list_texts("sources", sources)
        trace = make_trace(self, texts, batch, hypotheses, gates, top)
        return replace(trace, task=self.settings["task"], model=self.settings["model"])

    def inspect(self, sources: str | Sequence[str], **options: Any) -> Trace:
        """Trace `sources` with gates; a notebook's cell shows the page of `seq2seq inspect`.

        Args:
            sources: a text, or several.
            options: see `trace`; `gates` is True by default.

        Raises:
            BadSource, ValueError: see `trace`.
        """
        return self.trace(sources, **{"gates": True, **options})

    def describe(self) -> dict[str, object]:
        """Task, model and parameters, and of a finished run the metrics of its test."""
        path, test = self.path, {}
        if path is not None and (path / SUMMARY).is_file():
            test = parse_json(read_checked(path / SUMMARY)).get("test", {})
        return {
            "task": self.settings.get("task", ""),
            "model": self.settings.get("model", ""),
            "parameters": self.model.count_params(),
            **{f"test {name}": value for name, value in test.items() if name != "by_length"},
            **({} if path is None else {"path": str(path)}),
        }

    def _repr_html_(self) -> str:
        shown = {
            name: f"{value:.4f}" if isinstance(value, float) else value
            for name, value in self.describe().items()
        }
        return make_table(("run", ""), shown.items())

    # ---- inputs

    def encode_texts(self, texts: Sequence[str], unknown: str) -> list[EncodedSource]:
        """Encode sources; a BadSource has the number and reason of one that can't be."""
        check_choice("unknown", unknown, UNKNOWN_POLICIES)
        return encode_texts(texts, self.source, self.target, unknown, self.copies_symbols)

    def find_bad(self, sources: Sequence[str], unknown: str | None = None) -> dict[int, str]:
        """Find the sources that `predict` would refuse.

        Args:
            sources: texts.
            unknown: see `predict`.

        Returns:
            The number of each, counted from 1, and the reason.
        """
        bad = {}
        for number, text in enumerate(sources, 1):
            try:
                self.encode_texts([text], unknown or self.decoding.unknown)
            except BadSource as error:
                bad[number] = error.reason
        return bad

    def batches(
        self, sources: Sequence[EncodedSource], plan: DecodingPlan | None = None
    ) -> Iterator[list[int]]:
        """Yield batches of row numbers, of similar length.

        Args:
            sources: encoded sources.
            plan: how they are decoded; None: they are only encoded.
        """
        return self._group([len(source.row) for source in sources], plan)

    def _group(self, lengths: Sequence[int], plan: DecodingPlan | None = None):
        symbols = len(self.target) if self.copies_symbols else None
        answer_steps = None
        if plan is not None:

            def answer_steps(steps: int) -> int:
                return plan.size * plan.max_length(steps)

        return batches_by_length(lengths, self.batch_size, symbols, answer_steps)

    def max_length(self, length: int) -> int:
        """Steps after which the answer to a source of `length` steps is cut off."""
        return self.plan().max_length(length)

    def _encode_batch(self, sources: str | Sequence[str], unknown: str) -> list[EncodedSource]:
        """Encode sources that all have a step."""
        texts = [sources] if isinstance(sources, str) else list_texts("sources", sources)
        if not texts:
            raise ValueError("there is no source: give at least one")
        encoded = self.encode_texts(texts, unknown)
        for number, source in enumerate(encoded, 1):
            if not len(source.row):
                raise BadSource(number, "it is empty: there is no value to read")
        return encoded

    def _warn_about_length(self, sources: list[EncodedSource], plan: DecodingPlan) -> None:
        longest = max((len(source.row) for source in sources), default=0)
        if self._has_warned or not longest:
            return
        maximum, trained = plan.max_length(longest), self.settings["longest_source"]
        if maximum > LONG_ANSWER:
            self._has_warned = True
            logger.warning(
                "warning: an answer may have %s steps, as the longest target in training had %s; "
                "one that does not end takes minutes (--max-length N, decoding.max_length=N)",
                f"{maximum:,}",
                f"{self.settings['longest_target']:,}",
            )
        if longest > trained:
            self._has_warned = True
            logger.warning(
                "warning: a source has %d steps, the longest in training had %d; "
                "expect worse answers",
                longest,
                trained,
            )

    # ---- compilation and files

    def warm_up(self, lengths: Sequence[int], batch_sizes: Sequence[int] = (1,), **options) -> None:
        """Compile for sources of these sizes in advance.

        Sources of about one length share a program; each batch size has its own, and so has each
        strategy and each set of constraints.

        Args:
            lengths: symbols (values, words) of the expected sources.
            batch_sizes: numbers of sources of a call.
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
        encoded = self.encode_texts(sources, "error")
        shapes = {bucket(len(e.row)): text for e, text in zip(encoded, sources, strict=True)}
        calls = backend.COMPILE_AFTER + 1 if self.jit_compile == "auto" else 1
        for size in batch_sizes:
            check_count("batch_sizes", size)
            for text in shapes.values():
                for _ in range(calls):
                    self.predict([text] * size, **options)

    @property
    def jit_compile(self) -> bool | str:
        """Whether XLA compiles searches, as in `keras.Model.compile`.

        `"auto"`, the default: each shape after 50 calls, the first 8 of a strategy; True: each
        shape at its first call; False: never, and no call waits for it. JAX compiles each shape at
        its first call.
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
            weights: dtype of the stored weights: `"float32"`, `"float16"` or `"int8"`.

        Raises:
            ValueError: a part of the model is not of this package, so that no other program could
                load it; or see `save_model`.
        """
        settings = {**self.settings, "decoding": self.decoding.to_config()}
        save_model(Path(path).expanduser(), self.model, self.source, self.target, settings, weights)


def _count(state: Any) -> int:
    """Number of sources of a state."""
    return len(tree.flatten(state)[0])
