"""What a predictor shows of its inside: states, single steps, and traces."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from keras import tree

from seq2seq.data.batching import check_each
from seq2seq.decoding.constraints import CopyRange
from seq2seq.decoding.search import ARGMAX
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.inputs import BadSource, list_texts
from seq2seq.inference.trace import Trace
from seq2seq.inference.tracing import make_trace
from seq2seq.models.decoding_mixin import source_keys
from seq2seq.models.encoder import Memory
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.validation import check_count
from seq2seq.runtime.vocabulary import START


class Inside:
    """The part of a `Predictor` that deals in states, where `predict` goes from text to text."""

    def encode(self, sources: str | Sequence[str], unknown: str | None = None) -> tuple[Any, Any]:
        """The decoder's first state and what it can look at, for a batch of sources.

        Both are structures of tensors whose first axis is the batch. A state may be kept, changed
        or exchanged (see `seq2seq.states`), and handed to `step` or `decode`; memories too.

        Args:
            sources: a text, or several.
            unknown: see `predict`.

        Returns:
            State and memory: a `DecoderState` and a `Memory`, or of an ensemble one a model.

        Raises:
            BadSource: a source can't be encoded, or has no step to read.

        Example:
            >>> state, memory = run.encode(["hello", "world"])  # doctest: +SKIP
            >>> run.decode(state, memory)  # doctest: +SKIP
            ['olleh', 'dlrow']
            >>> run.decode(seq2seq.states.swap(state, 0, 1), memory)  # doctest: +SKIP
            ['dlrow', 'olleh']
        """
        texts = self._check_texts(sources)
        policy = self.decoding.unknown if unknown is None else unknown
        self._check_steps(self._measure(texts, policy))
        return self.model.start(self._encode(texts, policy))

    def step(self, tokens: Sequence | None, state: Any, memory: Any) -> Any:
        """One step: log-probabilities (batch, symbols) as `logits`, the new state, attention.

        Args:
            tokens: what was said before, a symbol or a number a source; None: nothing yet. Of
                real values (batch, features).
            state, memory: from `encode`, or the state of a step before.
        """
        return self.model.log_prob_step(self._encode_said(tokens, state), state, memory)

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
        """What is said from a state on; `decode(*encode(sources))` is what `predict` answers.

        Args:
            state, memory: from `encode`, or the state of a step; each may have been changed. How
                long an answer may be depends on the memory, which knows its source's length.
            strategy, n_best, decoding: see `predict`. Samples are those of `predict` if `sources`
                are given; else they depend on the place in the batch.
            tokens: see `step`; what was said before is no part of the answers.
            sources: the texts of the memory, which a model that copies needs to spell symbols that
                its vocabulary lacks; None: it says those of its vocabulary only.

        Raises:
            ValueError: a setting does not fit the model, or state and memory are not of one batch.
        """
        if sources is not None:
            sources = list_texts("sources", sources)
            check_each("source", sources)
        decoding = self._settle(decoding, strategy, n_best, None)
        self.check(decoding)
        mask = np.asarray((memory if isinstance(memory, Memory) else memory[0]).mask)
        batch, steps = len(tree.flatten(state)[0]), mask.sum(1)
        if len(mask) != batch or (sources is not None and len(sources) != batch):
            texts = "" if sources is None else f", and there are {len(sources)} sources"
            raise ValueError(f"the state is of {batch} sources, the memory of {len(mask)}{texts}")
        pointing = sources is not None and self._points(decoding)
        rules = self._rules(steps, decoding, None)
        if self.copying and sources is None:
            rules.append(CopyRange(np.full(batch, len(self.target))))
        found = self.model.continue_decoding(
            self._encode_said(tokens, state),
            state,
            memory,
            decoding.strategy,
            **self._limits(steps, decoding),
            constraints=rules,
            source_mask=mask,
            attention=ARGMAX if pointing else False,
            keys=None if sources is None else source_keys(self._encode(sources, "token")),
        )
        best = self._read(found, steps, sources or [""] * batch, pointing)
        if n_best is None:
            return [one[0].text for one in best]
        return [one[:n_best] for one in best]

    def trace(
        self,
        sources: str | Sequence[str],
        strategy: Any = None,
        gates: bool = False,
        top: int = 5,
        decoding: Decoding | None = None,
    ) -> Trace:
        """All that goes on inside while the sources are read and their answers are said.

        The answers are those of `predict`: they are found first, and then said again a step at a
        time, with everything written down.

        Args:
            sources: a text, or several, which are traced in one batch.
            strategy, decoding: see `predict`; the best answer is traced.
            gates: whether the gates are in it.
            top: how many of the likeliest symbols of each step are.

        Raises:
            BadSource: a source can't be encoded, or has no step to read.
            ValueError: there is no source, a setting does not fit, an answer has no step, or the
                model is an ensemble, which has several states.

        Example:
            >>> trace = run.trace("hello")  # doctest: +SKIP
            >>> trace.encoder[0].hidden.shape  # h e l l o <end>  # doctest: +SKIP
            (1, 6, 128)
        """
        if not isinstance(self.model, Seq2Seq):
            raise ValueError("an ensemble has a state for each model: trace its runs one by one")
        check_count("top", top)
        texts = self._check_texts(sources)
        decoding = self._settle(decoding, strategy, None, None)
        self.check(decoding)
        self._check_steps(self._measure(texts, decoding.unknown))
        found, arrays = self._find(texts, decoding, None, False)
        trace = make_trace(self.model, (self.source, self.target), texts, arrays, found, gates, top)
        return replace(trace, task=self.settings["task"], model=self.settings["model"])

    def _check_texts(self, sources: str | Sequence[str]) -> list[str]:
        texts = [sources] if isinstance(sources, str) else list_texts("sources", sources)
        if not texts:
            raise ValueError("there is no source: give at least one")
        return texts

    def _check_steps(self, steps: Sequence[int]) -> None:
        if 0 in steps:
            raise BadSource(steps.index(0) + 1, "it is empty: there is no value to read")

    def _encode_said(self, tokens: Sequence | None, state: Any) -> np.ndarray:
        batch = len(tree.flatten(state)[0]) if tokens is None else len(tokens)
        if isinstance(self.target, Numbers):
            said = np.zeros((batch, self.target.features)) if tokens is None else tokens
            return np.asarray(said, "float32")
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
