"""Search: the loop that decodes a target step by step, and its simplest strategies.

It uses a step function, never a model: `step(tokens, state, memory)` returns an object with
`logits`, `state` and `attention`. Strategies may reorder the `state`; the `memory` is constant.
`Beam` and `Sample` are other strategies for the same loop, and constraints (see
`seq2seq.decoding.constraints`) work with every strategy for tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from keras import ops, tree

from seq2seq.layers.backend import while_loop
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.structure import map_tensors, select

NEG_INF = -1e30  # a large negative number instead of -inf, so that sums stay finite
ARGMAX = "argmax"  # attention weights: only the position of the highest is returned
MAX_HYPOTHESES = 10_000  # per source, followed or drawn: more would only fill the memory


class Hypotheses(NamedTuple):
    """Results of a search: `n` hypotheses per source, the best first.

    Attributes:
        tokens: (batch, n, time) int32, without the end, zeros after it; real values: (batch, n,
            time, features).
        lengths: (batch, n) int32, number of tokens before the end.
        scores: (batch, n), log-probability of tokens and end; zeros for real values; minus
            infinity where there is no such hypothesis.
        ended: (batch, n) bool, False where the search was cut off at the limit.
        token_scores: (batch, n, time), log-probability of each token and of the end after them,
            which add up to `scores`; zeros elsewhere.
        attention: (batch, n, time, source time), weights of the step of each token and of the end;
            or (batch, n, time) int32, the source position with the highest weight, its end left
            out; None unless requested.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    ended: Tensor
    token_scores: Tensor
    attention: Tensor | None = None


class StepInfo(NamedTuple):
    """Arguments of a strategy's step besides the log-probabilities.

    Attributes:
        index: the step, from 0.
        end_id: token that ends a target.
        limits: (batch,), steps after which each target is cut off.
        keys: (batch,) int32, identifies each source, for random draws.
        attention: (batch, size, source time), or None.
        source_mask: (batch, source time), True for real steps; None: all are.
    """

    index: Tensor
    end_id: int
    limits: Tensor
    keys: Tensor
    attention: Tensor | None
    source_mask: Tensor | None


class SearchState(NamedTuple):
    """State of a strategy that follows each hypothesis by itself.

    Attributes:
        live: hypotheses so far.
        done: (batch, size) bool, True where nothing can be added.
    """

    live: Hypotheses
    done: Tensor


def empty_hypotheses(batch: Tensor, size: int, max_length: Tensor) -> Hypotheses:
    """Make `size` hypotheses per source without tokens."""
    return Hypotheses(
        tokens=ops.zeros((batch, size, max_length), "int32"),
        lengths=ops.zeros((batch, size), "int32"),
        scores=ops.zeros((batch, size), "float32"),
        ended=ops.zeros((batch, size), "bool"),
        token_scores=ops.zeros((batch, size, max_length), "float32"),
    )


def set_at(sequence: Tensor, index: Tensor, values: Tensor) -> Tensor:
    """Write `values` (batch, size, ...) at time `index` of `sequence` (batch, size, time, ...)."""
    at_index = ops.equal(ops.arange(ops.shape(sequence)[2], dtype="int32"), index)  # (time,)
    at_index = ops.reshape(at_index, (1, 1, -1) + (1,) * (len(sequence.shape) - 3))
    return ops.where(at_index, ops.expand_dims(values, 2), sequence)


def append_token(
    hypotheses: Hypotheses, tokens: Tensor, scores: Tensor, info: StepInfo
) -> Hypotheses:
    """Append a token or the end to each hypothesis; `tokens` and `scores` are (batch, size)."""
    ends = ops.equal(tokens, info.end_id)
    attention = hypotheses.attention
    if attention is not None:
        attention = set_at(attention, info.index, info.attention)
    return Hypotheses(
        tokens=set_at(hypotheses.tokens, info.index, ops.where(ends, 0, tokens)),
        lengths=hypotheses.lengths + ops.cast(ops.logical_not(ends), "int32"),
        scores=hypotheses.scores + scores,
        ended=ends,
        token_scores=set_at(hypotheses.token_scores, info.index, scores),
        attention=attention,
    )


def at_limit(info: StepInfo) -> Tensor:
    """(batch,), True where this step is the last."""
    return info.index + 1 >= info.limits


class Strategy:
    """Base class of strategies: how the next tokens of a search are chosen.

    Attributes:
        name: in configurations.
        size: number of hypotheses that are followed per source.
        n_best: number of hypotheses that are returned per source.
        needs_weights: whether it needs attention weights.
        for_tokens: whether targets are tokens; else they are real values.
        dynamic_fields: fields that are inputs of a compiled search, not a part of it.
    """

    name: ClassVar[str]
    size = 1
    n_best = 1
    needs_weights = False
    for_tokens: ClassVar[bool] = True
    dynamic_fields: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def as_array(name: str, value: float) -> np.ndarray:
        """Convert the value of a field to the array that a compiled search takes."""
        return np.asarray(value, "float32")

    def initial_inputs(self, batch: Tensor, start_id: int) -> Tensor:
        """Inputs of the first step, (batch,) or (batch, features)."""
        return ops.full((batch,), start_id, "int32")

    def log_probs(self, logits: Tensor) -> Tensor:
        """Scores of the symbols, from the logits of a step."""
        return ops.log_softmax(logits)

    def initialize(self, live: Hypotheses, limits: Tensor) -> Any:
        """State before the first step, from empty hypotheses and `limits` (batch,)."""
        raise NotImplementedError

    def step(self, log_probs: Tensor, state: Any, info: StepInfo) -> tuple:
        """Choose a token for each hypothesis.

        Args:
            log_probs: (batch, size, symbols).
            state: from `initialize` or the step before; it has `done`, True where nothing changes
                any more.
            info: see `StepInfo`.

        Returns:
            Inputs of the next step (batch, size), the hypothesis of the same source that each one
            continues (batch, size) (None: itself), and the new state.
        """
        raise NotImplementedError

    def finalize(self, state: Any) -> Hypotheses:
        """Hypotheses of the last state, the best first."""
        return state.live


class Independent(Strategy):
    """Base class of strategies that extend each hypothesis by itself, with `choose`."""

    def initialize(self, live: Hypotheses, limits: Tensor) -> SearchState:
        """State before the first step; see `Strategy.initialize`."""
        return SearchState(live, ops.logical_or(live.ended, (limits <= 0)[:, None]))

    def step(
        self, log_probs: Tensor, state: SearchState, info: StepInfo
    ) -> tuple[Tensor, None, SearchState]:
        """Choose a token for each hypothesis; see `Strategy.step`."""
        tokens = self.choose(log_probs, info)
        scores = ops.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
        live = select(state.done, state.live, append_token(state.live, tokens, scores, info))
        is_stuck = live.scores <= NEG_INF / 2  # the constraints allow nothing
        done = ops.logical_or(ops.logical_or(live.ended, is_stuck), at_limit(info)[:, None])
        return tokens, None, SearchState(live, ops.logical_or(state.done, done))

    def choose(self, log_probs: Tensor, info: StepInfo) -> Tensor:
        """Next tokens (batch, size)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Greedy(Independent):
    """The likeliest token at each step."""

    name = "greedy"

    def choose(self, log_probs: Tensor, info: StepInfo) -> Tensor:
        """Likeliest tokens (batch, size)."""
        return ops.cast(ops.argmax(log_probs, axis=-1), "int32")


def search(
    step: Callable,
    state: Any,
    memory: Any,
    strategy: Any,
    *,
    start_id: int,
    end_id: int,
    max_length: int,
    first: Tensor | None = None,
    limits: Tensor | None = None,
    constraints: Sequence = (),
    keys: Tensor | None = None,
    source_mask: Tensor | None = None,
    attention: bool | str = False,
) -> Hypotheses:
    """Decode a target for every row of `state`, until all have ended.

    Args:
        step: `step(tokens, state, memory)`, a step of a decoder.
        state: changed by each step: a structure of tensors (or None) whose first axis is the batch.
        memory: constant: a structure of tensors (or None) whose first axis is the batch.
        strategy: `Greedy`, `Beam`, `Sample`, or `Regression` for real values.
        start_id: input of the first step.
        end_id: token that ends a target.
        max_length: steps after which a target is cut off.
        first: (batch,), inputs of the first step in place of `start_id`, to continue a target.
        limits: (batch,), steps after which each target is cut off, at most `max_length`.
        constraints: see `seq2seq.decoding.constraints`.
        keys: (batch,) int32, identifies each source, since samples depend on it; None: its row.
        source_mask: (batch, source time), True for real steps, for a coverage penalty.
        attention: whether attention weights are returned; `ARGMAX`: only the positions of the
            highest, whose memory does not grow with the source. (A strategy that needs weights
            returns them.)
    """
    batch, size = ops.shape(tree.flatten(state)[0])[0], strategy.size
    limits = ops.full((batch,), max_length, "int32") if limits is None else limits
    keys = ops.arange(batch, dtype="int32") if keys is None else keys
    live = empty_hypotheses(batch, size, max_length)
    only_argmax = attention == ARGMAX and not strategy.needs_weights
    if attention or strategy.needs_weights:
        live = live._replace(attention=_empty_attention(source_mask, live, only_argmax))
    search_state = strategy.initialize(live, limits)
    inputs = strategy.initial_inputs(batch, start_id) if first is None else first
    constraint_states = tuple(c.initialize(batch, max_length) for c in constraints)
    # (batch, ...) to (batch * size, ...): a row for each hypothesis
    inputs, state, constraint_states, memory = _repeat(
        (inputs, state, constraint_states, memory), size
    )

    def is_unfinished(index, inputs, state, constraint_states, search_state):
        return ops.logical_not(ops.all(search_state.done))

    def advance(index, inputs, state, constraint_states, search_state):
        output = step(inputs, state, memory)
        log_probs = strategy.log_probs(ops.cast(output.logits, "float32"))
        log_probs, constraint_states = _apply_constraints(
            constraints, inputs, constraint_states, index, end_id, log_probs
        )
        weights = None if output.attention is None else _split(output.attention, size)
        weights = _most_attended(weights, source_mask) if only_argmax else weights
        info = StepInfo(index, end_id, limits, keys, weights, source_mask)
        tokens, parents, search_state = strategy.step(_split(log_probs, size), search_state, info)
        tokens = ops.reshape(tokens, ops.shape(inputs))  # (batch, size, ...) to (batch * size, ...)
        state, constraint_states = _reorder(parents, (output.state, constraint_states))
        return index + 1, tokens, state, constraint_states, search_state

    start = (ops.convert_to_tensor(0, "int32"), inputs, state, constraint_states, search_state)
    *_, search_state = while_loop(is_unfinished, advance, start, max_length)
    hypotheses = strategy.finalize(search_state)
    return hypotheses._replace(
        scores=ops.where(hypotheses.scores > NEG_INF / 2, hypotheses.scores, -float("inf"))
    )


def _repeat(structure: Any, size: int) -> Any:
    """Repeat each row of a structure `size` times: (batch * size, ...)."""
    if size == 1:
        return structure
    return map_tensors(lambda tensor: ops.repeat(tensor, size, axis=0), structure)


def _split(tensor: Tensor, size: int) -> Tensor:
    """Reshape (batch * size, ...) to (batch, size, ...)."""
    return ops.reshape(tensor, (-1, size, *ops.shape(tensor)[1:]))


def _reorder(parents: Tensor | None, structure: Any) -> Any:
    """Rows of `structure` (batch * size, ...) of the parent of each hypothesis."""
    if parents is None:
        return structure
    batch, size = ops.shape(parents)
    rows = ops.reshape(parents + ops.arange(batch, dtype="int32")[:, None] * size, (-1,))
    return map_tensors(lambda tensor: ops.take(tensor, rows, axis=0), structure)


def _apply_constraints(
    constraints, tokens, states, index, end_id, log_probs
) -> tuple[Tensor, tuple]:
    """Set `log_probs` (batch * size, symbols) to `NEG_INF` where not allowed; the new states."""
    new_states = []
    for constraint, state in zip(constraints, states, strict=True):
        symbols = ops.shape(log_probs)[-1]
        allowed, state = constraint.allow(tokens, state, index, end_id, symbols)
        log_probs = ops.where(allowed, log_probs, NEG_INF)
        new_states.append(state)
    return log_probs, tuple(new_states)


def _most_attended(weights: Tensor, source_mask: Tensor) -> Tensor:
    """Source position with the highest of `weights` (batch, size, source time): (batch, size).

    The last real step, the end of the source, is left out.
    """
    mask = ops.cast(source_mask, "int32")
    before_end = ops.cumsum(mask, axis=1) < ops.sum(mask, axis=1, keepdims=True)
    before_end = ops.logical_and(before_end, ops.cast(mask, "bool"))[:, None]
    return ops.cast(ops.argmax(ops.where(before_end, weights, -1.0), axis=-1), "int32")


def _empty_attention(source_mask: Tensor, live: Hypotheses, only_argmax: bool) -> Tensor:
    batch, size, steps = ops.shape(live.tokens)
    if only_argmax:
        return ops.zeros((batch, size, steps), "int32")
    return ops.zeros((batch, size, steps, ops.shape(source_mask)[1]), "float32")
