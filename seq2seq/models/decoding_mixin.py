"""Decoding and scoring for anything with `start` and `step`: a model, or several as one."""

import operator
import zlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from keras import ops

from seq2seq.decoding.constraints import Constraint, split_constraints, with_arrays
from seq2seq.decoding.dynamic_fields import split_strategy, with_numbers
from seq2seq.decoding.regression import Regression
from seq2seq.decoding.search import (
    ARGMAX,
    Greedy,
    Hypotheses,
    search,
)
from seq2seq.layers.backend import compiled
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.structure import map_tensors


class DecodingMixin:
    """Decodes and scores; each strategy with each set of constraints is compiled once.

    Shared by `Seq2Seq` and `Ensemble`. They have `start`, `step`, `log_probabilities`, `variables`,
    `start_id`, `end_id`, `features` (None: tokens), `has_weights` (attention weights),
    `models_searched()` (the Keras models), and `calls`, a `CallCounts`.

    A compiled function belongs to the layers at the time. If a layer is replaced, or gets other
    weights (LoRA, quantization), or the model is compiled anew, all functions are compiled anew;
    other changes within a layer need `compile()`, as for Keras's own `predict`.
    """

    def _compiled_functions(self) -> dict:
        """Compiled functions by name, emptied when the model has changed."""
        models = self.models_searched()
        layers = [layer for model in models for layer in model._flatten_layers()]
        weights = [
            len(layer._trainable_variables + layer._non_trainable_variables) for layer in layers
        ]
        # Each `compile()` makes a new compile config.
        parts = [*layers, *(getattr(model, "_compile_config", None) for model in models)]
        cache = self.__dict__.get("_searches")
        if (
            cache is None
            or cache.weights != weights
            or len(cache.parts) != len(parts)
            or not all(map(operator.is_, cache.parts, parts))
        ):
            # No list or dictionary: Keras would search it for layers to save.
            cache = SimpleNamespace(parts=parts, weights=weights, functions={})
            self.__dict__["_searches"] = cache
        return cache.functions

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
        """Decode targets: each step reads the model's own previous prediction.

        One compiled loop for the whole batch, which stops when all targets have ended.

        Args:
            source: tokens (batch, time) or values (batch, time, features).
            source_mask: (batch, time), True for real steps; None: all are.
            strategy: `Greedy`, `Beam` or `Sample`; None: `Greedy`, or `Regression` for a
                real-valued decoder.
            max_length: steps after which a target is cut off.
            tags, copies: see `Memory`, for a decoder with tags or a pointer.
            limits: (batch,), steps after which each target is cut off; None: `max_length`.
            constraints: see `seq2seq.decoding.constraints`.
            attention: whether the attention weights are returned; see `search`.

        Raises:
            ValueError: a strategy for tokens with a decoder of real values, or the reverse;
                attention weights of a decoder without attention; sources without a step.

        Returns:
            NumPy arrays; see `Hypotheses`.
        """
        if source_mask is None:
            source_mask = np.ones(np.shape(source)[:2], "bool")
        inputs = {"source": source, "source_mask": source_mask, "tags": tags, "copies": copies}
        inputs = {name: array for name, array in inputs.items() if array is not None}
        keys = source_keys(inputs)
        if 0 in np.shape(source)[:2]:
            return self._no_hypotheses(np.shape(source), strategy, max_length, attention)
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
        """Decode the rest of each target from any state.

        Args:
            tokens: (batch,), inputs of the next step; of real values (batch, features).
            state, memory: from `start`, or the state of a step.
            strategy, max_length, limits, constraints, attention: see `decode`.
            source_mask: (batch, source time), of the memory; for attention weights, and for a
                strategy that needs them.
            keys: (batch,) int32, on which samples depend, see `source_keys`; None: the row.
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
        fixed, arrays = split_constraints(constraints)
        strategy, numbers = split_strategy(strategy)
        key = (strategy, fixed, attention, "state" in arguments)
        functions = self._compiled_functions()
        if key not in functions:

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
                    constraints=with_arrays(constraints, arrays),
                    first=arguments.get("first"),
                    limits=arguments["limits"],
                    keys=arguments["keys"],
                    source_mask=mask,
                    attention=attention,
                )

            functions[key] = compiled(run, self.variables, self.calls, str(key))
        hypotheses = functions[key](arguments, arrays, numbers, max_length=max_length)
        return map_tensors(ops.convert_to_numpy, hypotheses)

    def _no_hypotheses(self, shape: tuple, strategy, max_length: int, attention) -> Hypotheses:
        """Hypotheses for no source; see `decode`."""
        if shape[0]:
            raise ValueError("the sources have no step")
        size = self.check_strategy(strategy, attention).n_best
        token_shape = () if self.features is None else (self.features,)
        tokens = np.zeros(
            (0, size, max_length, *token_shape), "int32" if self.features is None else "float32"
        )
        scores = np.zeros((0, size), "float32")
        lengths, ended = scores.astype("int32"), scores.astype(bool)
        token_scores = np.zeros((0, size, max_length), "float32")
        weights = np.zeros((*token_scores.shape, shape[1]), "float32") if attention else None
        if attention == ARGMAX:
            weights = token_scores.astype("int32")
        return Hypotheses(tokens, lengths, scores, ended, token_scores, weights)

    def check_strategy(self, strategy: Any, attention: bool | str = False) -> Any:
        """Check that this model can be searched by `strategy`; None: the default strategy.

        Raises:
            ValueError: it cannot; see `decode`.
        """
        if strategy is None:
            strategy = Greedy() if self.features is None else Regression(self.features)
        if strategy.for_tokens != (self.features is None):
            target = "tokens" if self.features is None else "real values"
            raise ValueError(
                f"the strategy {strategy} does not fit this model, whose targets are {target}"
            )
        if (attention or strategy.needs_weights) and not self.has_weights:
            raise ValueError("this model has no attention weights")
        return strategy

    def log_prob_step(self, tokens: Tensor, state: Any, memory: Any) -> Any:
        """Compiled `step`, whose `logits` are log-probabilities where targets are tokens."""

        def run(tokens, state, memory):
            output = self.step(tokens, state, memory)
            if self.features is not None:
                return output
            return output._replace(logits=ops.log_softmax(output.logits))

        functions = self._compiled_functions()
        if "step" not in functions:
            functions["step"] = compiled(run, self.variables, self.calls, "step")
        return functions["step"](tokens, state, memory)

    def score(self, inputs: dict[str, Tensor], target: Tensor) -> np.ndarray:
        """Log-probabilities (batch, target time) of the tokens of known targets.

        Args:
            inputs: of the model: `source`, `target` (the decoder's inputs) and so on.
            target: (batch, target time), the tokens to score, the end last.
        """
        if self.features is not None:
            raise ValueError("this model has real-valued targets, which have no probability")
        functions = self._compiled_functions()
        if "score" not in functions:

            def run(inputs, target):
                log_probs = self.log_probabilities(inputs)
                return ops.take_along_axis(log_probs, target[..., None], axis=-1)[..., 0]

            functions["score"] = compiled(run, self.variables, self.calls, "score")
        return ops.convert_to_numpy(functions["score"](inputs, target))


def source_keys(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """CRC-32 of each unpadded source, (batch,) int32; seeds its samples, whatever the batch."""
    source, mask = np.asarray(inputs["source"]), np.asarray(inputs["source_mask"], bool)
    source = source.astype("int32" if np.issubdtype(source.dtype, np.integer) else "float32")
    keys = [zlib.crc32(row[is_real].tobytes()) for row, is_real in zip(source, mask, strict=True)]
    if "tags" in inputs:
        rows = zip(np.asarray(inputs["tags"], "float32"), keys, strict=True)
        keys = [zlib.crc32(tags.tobytes(), key) for tags, key in rows]
    return np.array(keys, "uint32").view("int32")
