"""Searcher: what a model, or several as one, can do that knows how to start and how to step."""

import operator
import zlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from keras import ops, tree

from seq2seq.decoding.constraints import Constraint, join, split
from seq2seq.decoding.search import (
    ARGMAX,
    Greedy,
    Hypotheses,
    Values,
    search,
    split_strategy,
    with_numbers,
)
from seq2seq.layers.backend import compiled
from seq2seq.layers.lstm import Tensor


class Searcher:
    """Decodes and scores; each strategy with each kind of constraints is compiled once.

    It is the part that `Seq2Seq` and `Ensemble` share. They have `start`, `step`,
    `log_probabilities`, `variables`, `start_id`, `end_id`, `features` (None: it says tokens),
    `has_weights` (of an attention), `models_searched()` (the Keras models it is made of), and
    `calls`, a `CallCounts`.

    A compiled function is of the layers that there were. If one is replaced, or gets other weights
    (LoRA, quantisation), or the model is compiled anew, all are compiled anew; what is changed
    within a layer beside its weights needs `compile()`, as Keras's own `predict` does.
    """

    def _programs(self) -> dict:
        """The compiled functions, none of what the model no longer is."""
        models = self.models_searched()
        layers = [layer for model in models for layer in model._flatten_layers()]
        weights = [
            len(layer._trainable_variables + layer._non_trainable_variables) for layer in layers
        ]
        # Keras makes another of the latter with each `compile()`.
        parts = [*layers, *(getattr(model, "_compile_config", None) for model in models)]
        cache = self.__dict__.get("_searches")
        if (
            cache is None
            or cache.weights != weights
            or len(cache.made_of) != len(parts)
            or not all(map(operator.is_, cache.made_of, parts))
        ):
            # Not a list or a dictionary, in which Keras would look for layers to save.
            cache = SimpleNamespace(made_of=parts, weights=weights, programs={})
            self.__dict__["_searches"] = cache
        return cache.programs

    def decode(
        self,
        source: Tensor,
        source_mask: Tensor | None = None,
        strategy: Any = None,
        *,
        max_length: int,
        tags: Tensor | None = None,
        copies: Tensor | None = None,
        limits: Tensor | None = None,
        constraints: Sequence[Constraint] = (),
        attention: bool | str = False,
    ) -> Hypotheses:
        """Say targets freely: each step reads what the model itself said before.

        One compiled loop for the whole batch, which stops when all targets have ended.

        Args:
            source: tokens (batch, time) or values (batch, time, features).
            source_mask: (batch, time), True for real steps; None: all are.
            strategy: how tokens are chosen: `Greedy`, `Beam`, `Sample`; None: `Greedy`, or
                `Values` for a real-valued decoder.
            max_length: steps after which a target is cut off.
            tags, copies: see `Memory`, for a decoder with tags or a pointer.
            limits: (batch,), the same as `max_length` for each source by itself; None: that.
            constraints: what may be said; see `seq2seq.decoding.constraints`.
            attention: whether the attention weights are returned; see `search`.

        Raises:
            ValueError: a strategy of tokens for a decoder of real values, or the other way round;
                attention weights of a decoder without.

        Returns:
            NumPy arrays; see `Hypotheses`.
        """
        if source_mask is None:
            source_mask = np.ones(np.shape(source)[:2], "bool")
        inputs = {"source": source, "source_mask": source_mask, "tags": tags, "copies": copies}
        inputs = {name: array for name, array in inputs.items() if array is not None}
        keys = source_keys(inputs)
        if 0 in np.shape(source)[:2]:
            return self._find_nothing(np.shape(source), strategy, max_length, attention)
        limits = np.full(len(keys), max_length) if limits is None else limits
        arguments = {"inputs": inputs, "keys": keys, "limits": np.asarray(limits, "int32")}
        return self._search(arguments, strategy, max_length, constraints, attention)

    def continue_decoding(
        self,
        tokens: Tensor,
        state: Any,
        memory: Any,
        strategy: Any = None,
        *,
        max_length: int,
        limits: Tensor | None = None,
        constraints: Sequence[Constraint] = (),
        source_mask: Tensor | None = None,
        attention: bool | str = False,
        keys: Tensor | None = None,
    ) -> Hypotheses:
        """Say the rest of each target from any state on.

        Args:
            tokens: (batch,), what the next step reads; of real values (batch, features).
            state, memory: from `start`, or the state of a step.
            strategy, max_length, limits, constraints, attention: see `decode`.
            source_mask: (batch, source time), of the memory; for attention weights, and for a
                strategy that needs them.
            keys: (batch,) int32, on which samples depend, see `source_keys`; None: their place.
        """
        batch = len(tokens)
        limits = np.full(batch, max_length) if limits is None else limits
        arguments = {
            "first": tokens,
            "state": state,
            "memory": memory,
            "keys": np.arange(batch, dtype="int32") if keys is None else keys,
            "limits": np.asarray(limits, "int32"),
            "mask": source_mask,
        }
        return self._search(arguments, strategy, max_length, constraints, attention)

    def _search(self, arguments: dict, strategy, max_length, constraints, attention) -> Hypotheses:
        strategy = self.check_strategy(strategy, attention)
        fixed, arrays = split(constraints)
        strategy, numbers = split_strategy(strategy)
        kind = (strategy, fixed, attention, "state" in arguments)
        programs = self._programs()
        if kind not in programs:

            def run(arguments, arrays, numbers, max_length):
                state, memory, mask = (arguments.get(name) for name in ("state", "memory", "mask"))
                if state is None:
                    state, memory = self.start(arguments["inputs"])
                    mask = arguments["inputs"]["source_mask"]
                return search(
                    self.step,
                    state,
                    memory,
                    with_numbers(strategy, numbers),
                    start_id=self.start_id,
                    end_id=self.end_id,
                    max_length=max_length,
                    constraints=join(constraints, arrays),
                    first=arguments.get("first"),
                    limits=arguments["limits"],
                    keys=arguments["keys"],
                    source_mask=mask,
                    attention=attention,
                )

            programs[kind] = compiled(run, self.variables, self.calls, str(kind))
        hypotheses = programs[kind](arguments, arrays, numbers, max_length=max_length)
        return tree.map_structure(ops.convert_to_numpy, hypotheses)

    def _find_nothing(self, shape: tuple, strategy, max_length: int, attention) -> Hypotheses:
        """The hypotheses of no source; see `decode`."""
        if shape[0]:
            raise ValueError("the sources have no step: there is nothing to read")
        size = self.check_strategy(strategy, attention).n_best
        last = () if self.features is None else (self.features,)
        ids = np.zeros(
            (0, size, max_length, *last), "int32" if self.features is None else "float32"
        )
        scores = np.zeros((0, size), "float32")
        counts, flags = scores.astype("int32"), scores.astype(bool)
        token_scores = np.zeros((0, size, max_length), "float32")
        weights = np.zeros((*token_scores.shape, shape[1]), "float32") if attention else ()
        if attention == ARGMAX:
            weights = token_scores.astype("int32")
        return Hypotheses(ids, counts, scores, flags, token_scores, weights)

    def check_strategy(self, strategy: Any, attention: bool | str = False) -> Any:
        """`strategy`, or the plainest for None, if this model can be searched by it.

        Raises:
            ValueError: it cannot; see `decode`.
        """
        if strategy is None:
            strategy = Greedy() if self.features is None else Values(self.features)
        if isinstance(strategy, Values) != (self.features is not None):
            kind = "tokens" if self.features is None else "real values"
            raise ValueError(f"this model says {kind}: the strategy {strategy} is not for them")
        if (attention or strategy.needs_weights) and not self.has_weights:
            raise ValueError("this model has no attention weights")
        return strategy

    def say(self, tokens: Tensor, state: Any, memory: Any) -> Any:
        """`step`, compiled; its `logits` are log-probabilities where it says tokens."""

        def run(tokens, state, memory):
            output = self.step(tokens, state, memory)
            if self.features is not None:
                return output
            return output._replace(logits=ops.log_softmax(output.logits))

        programs = self._programs()
        if "say" not in programs:
            programs["say"] = compiled(run, self.variables, self.calls, "say")
        return programs["say"](tokens, state, memory)

    def score(self, inputs: dict[str, Tensor], target: Tensor) -> np.ndarray:
        """Log-probabilities (batch, target time) of given targets, each token after those before.

        Args:
            inputs: as the model is called with: `source`, `target` (what is read) and so on.
            target: (batch, target time), the tokens that follow, the end last.
        """
        if self.features is not None:
            raise ValueError("this model says real values, which have no probability")
        programs = self._programs()
        if "score" not in programs:

            def run(inputs, target):
                log_probs = self.log_probabilities(inputs)
                return ops.take_along_axis(log_probs, target[..., None], axis=-1)[..., 0]

            programs["score"] = compiled(run, self.variables, self.calls, "score")
        return ops.convert_to_numpy(programs["score"](inputs, target))


def source_keys(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """(batch,) int32: a number for each source, of what it says, however padded or kept."""
    source, mask = np.asarray(inputs["source"]), np.asarray(inputs["source_mask"], bool)
    source = source.astype("int32" if np.issubdtype(source.dtype, np.integer) else "float32")
    keys = [zlib.crc32(row[is_real].tobytes()) for row, is_real in zip(source, mask, strict=True)]
    if "tags" in inputs:
        rows = zip(np.asarray(inputs["tags"], "float32"), keys, strict=True)
        keys = [zlib.crc32(tags.tobytes(), key) for tags, key in rows]
    return np.array(keys, "uint32").view("int32")
