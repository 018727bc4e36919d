"""Search: the one loop that says a target a step at a time, and its plainest strategies.

It knows a step function, never a model: `step(tokens, state, memory)` returns something with
`logits`, `state` and `attention`. What a strategy may reorder (`state`) and what it only reads
(`memory`) are two arguments. `Beam` and `Sample` are other strategies for the same loop, and
constraints (see `seq2seq.decoding.constraints`) go with every strategy of tokens.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from keras import ops, tree

Tensor = Any
NEG_INF = -1e30  # the score of what may not be said: below all others, and no infinity in sums
ARGMAX = "argmax"  # of attention weights, where only the highest is asked for
MAX_HYPOTHESES = (
    10_000  # hypotheses followed or drawn for a source: more would only fill the memory
)


class Hypotheses(NamedTuple):
    """What a search found; `n` hypotheses a source, the best first.

    Attributes:
        tokens: (batch, n, time) int32, without the end, zeros after it; real values: (batch, n,
            time, features).
        lengths: (batch, n) int32, tokens before the end.
        scores: (batch, n), the log-probability of tokens and end; zeros for real values; minus
            infinity where there is no such hypothesis.
        ended: (batch, n) bool, False where the search was cut off at the limit.
        token_scores: (batch, n, time), the log-probability of each token and of the end after them,
            which add up to `scores`; zeros elsewhere.
        attention: (batch, n, time, source time), the weights while each token and the end was
            said; or (batch, n, time) int32, the step of the source that had the most of them, its
            end left out; nothing, `()`, unless it was asked for.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    ended: Tensor
    token_scores: Tensor
    attention: Tensor | tuple = ()


class StepInfo(NamedTuple):
    """What a strategy is told at each step besides the log-probabilities.

    Attributes:
        index: the step, from 0.
        end_id: the token that ends a target.
        limits: (batch,), steps after which each target is cut off.
        keys: (batch,) int32, which source it is, for what is drawn at random.
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
    """What the loop carries besides the model's state.

    Attributes:
        live: the hypotheses that are being said.
        done: (batch, size) bool, where nothing is to be added any more.
    """

    live: Hypotheses
    done: Tensor


def over(mask: Tensor, tensor: Tensor) -> Tensor:
    """`mask` with axes of size 1 after its own until it broadcasts with `tensor`."""
    shape = ops.shape(mask)
    return ops.reshape(mask, (*shape, *(1,) * (len(tensor.shape) - len(shape))))


def blank(batch: Tensor, size: int, max_length: Tensor, dtype: str = "int32") -> Hypotheses:
    """`size` hypotheses a source of which nothing is said yet."""
    return Hypotheses(
        tokens=ops.zeros((batch, size, max_length), dtype),
        lengths=ops.zeros((batch, size), "int32"),
        scores=ops.zeros((batch, size), "float32"),
        ended=ops.zeros((batch, size), "bool"),
        token_scores=ops.zeros((batch, size, max_length), "float32"),
    )


def write(sequence: Tensor, index: Tensor, values: Tensor) -> Tensor:
    """`sequence` (batch, size, time, ...) with `values` (batch, size, ...) at time `index`."""
    at_index = ops.equal(ops.arange(ops.shape(sequence)[2], dtype="int32"), index)  # (time,)
    at_index = ops.reshape(at_index, (1, 1, -1) + (1,) * (len(sequence.shape) - 3))
    return ops.where(at_index, ops.expand_dims(values, 2), sequence)


def extend(hypotheses: Hypotheses, tokens: Tensor, scores: Tensor, info: StepInfo) -> Hypotheses:
    """Each hypothesis with one more token or its end, `tokens` and `scores` (batch, size)."""
    ends = ops.equal(tokens, info.end_id)
    attention = hypotheses.attention
    if not isinstance(attention, tuple):
        attention = write(attention, info.index, info.attention)
    return Hypotheses(
        tokens=write(hypotheses.tokens, info.index, ops.where(ends, 0, tokens)),
        lengths=hypotheses.lengths + ops.cast(ops.logical_not(ends), "int32"),
        scores=hypotheses.scores + scores,
        ended=ends,
        token_scores=write(hypotheses.token_scores, info.index, scores),
        attention=attention,
    )


def keep(done: Tensor, old: Any, new: Any) -> Any:
    """Structures of tensors: `old` where `done`, `new` elsewhere."""
    return tree.map_structure(lambda a, b: ops.where(over(done, b), a, b), old, new)


def split_strategy(strategy: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """`strategy` with an ellipsis for each of its numbers, and those numbers as arrays.

    One compiled search then serves all numbers. What is not set (None, or a word) stays: it is
    another computation, not another number.
    """
    values = {name: strategy.__dict__[name] for name in strategy.numbers}
    numbers = {name: v for name, v in values.items() if not (v is None or isinstance(v, str))}
    arrays = {name: strategy.as_array(name, value) for name, value in numbers.items()}
    return with_numbers(strategy, dict.fromkeys(numbers, ...)), arrays


def with_numbers(strategy: Any, numbers: dict[str, Any]) -> Any:
    """`strategy` with other numbers, which may be tensors: they were checked as it was made."""
    strategy_copy = copy.copy(strategy)
    strategy_copy.__dict__.update(numbers)
    return strategy_copy


class Strategy:
    """Base class of the strategies; `numbers` names the fields that are no part of a program."""

    numbers: ClassVar[tuple[str, ...]] = ()

    @staticmethod
    def as_array(name: str, value: float) -> np.ndarray:
        """The number `value` of the field `name` as a compiled search takes it."""
        return np.asarray(value, "float32")


@dataclass(frozen=True)
class Greedy(Strategy):
    """The likeliest token at each step."""

    name = "greedy"
    needs_weights = False  # of an attention
    size = 1  # hypotheses a source
    n_best = 1  # of them are returned

    def begin(self, live: Hypotheses, limits: Tensor) -> SearchState:
        """The progress before the first step, from blank hypotheses and `limits` (batch,)."""
        return SearchState(live, ops.logical_or(live.ended, (limits <= 0)[:, None]))

    def advance(
        self, log_probabilities: Tensor, progress: SearchState, info: StepInfo
    ) -> tuple[Tensor, Tensor | None, SearchState]:
        """Choose a token for each hypothesis.

        Args:
            log_probabilities: (batch, size, symbols).
            progress: so far.
            info: the rest of what is known.

        Returns:
            What the next step reads (batch, size), which hypothesis of its source each one
            continues (None: its own), and the new progress.
        """
        tokens = self.choose(log_probabilities, info)
        scores = ops.take_along_axis(log_probabilities, tokens[..., None], axis=-1)[..., 0]
        live = keep(progress.done, progress.live, extend(progress.live, tokens, scores, info))
        stuck = live.scores <= NEG_INF / 2  # constraints leave nothing to say
        done = ops.logical_or(ops.logical_or(live.ended, stuck), at_limit(info)[:, None])
        return tokens, None, SearchState(live, ops.logical_or(progress.done, done))

    def choose(self, log_probabilities: Tensor, info: StepInfo) -> Tensor:
        """The tokens (batch, size) to say."""
        return ops.cast(ops.argmax(log_probabilities, axis=-1), "int32")

    def finish(self, progress: SearchState) -> Hypotheses:
        """What is returned of the last progress."""
        return progress.live


def at_limit(info: StepInfo) -> Tensor:
    """(batch,), True where this step is the last."""
    return info.index + 1 >= info.limits


@dataclass(frozen=True)
class Values(Strategy):
    """Real values, each fed back as it was predicted, up to the limit.

    Args:
        features: values per step.
    """

    features: int = 1
    name = "values"
    needs_weights = False
    size = n_best = 1

    def begin(self, live: Hypotheses, limits: Tensor) -> SearchState:
        """SearchState with room for real values; see `Greedy.begin`."""
        tokens = ops.broadcast_to(
            ops.zeros((self.features,), "float32"), (*ops.shape(live.tokens), self.features)
        )
        ended = (limits <= 0)[:, None]  # whatever is to have no step has ended
        return SearchState(live._replace(tokens=tokens, ended=ended), ended)

    def advance(
        self, values: Tensor, progress: SearchState, info: StepInfo
    ) -> tuple[Tensor, None, SearchState]:
        """Take the predicted values (batch, 1, features) as they are."""
        live = progress.live
        extended = live._replace(
            tokens=write(live.tokens, info.index, values),
            lengths=live.lengths + 1,
            ended=ops.broadcast_to(at_limit(info)[:, None], ops.shape(live.ended)),
        )
        live = keep(progress.done, live, extended)  # it ends where it was to end
        return values, None, SearchState(live, live.ended)

    def finish(self, progress: SearchState) -> Hypotheses:
        """The one continuation of each source."""
        return progress.live


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
    """Say a target for every row of `state`, until all have ended.

    Args:
        step: `step(tokens, state, memory)`, one step of a decoder.
        state: what the step changes: a structure of tensors whose first axis is the batch.
        memory: what the step only reads: a structure of tensors (or None) whose first axis is the
            batch; nothing in it is changed.
        strategy: chooses what is said: `Greedy`, `Beam`, `Sample`, or `Values`.
        start_id: the token that the first step reads.
        end_id: the token that ends a target.
        max_length: steps after which a target is cut off.
        first: (batch,), what the first step reads instead of the start, where a target goes on.
        limits: (batch,), the same for each source by itself, at most `max_length`.
        constraints: what may be said; see `seq2seq.decoding.constraints`.
        keys: (batch,) int32, which source each row is, on which samples depend; None: its place.
        source_mask: (batch, source time), True for real steps, for a coverage penalty.
        attention: whether the attention weights are returned; `ARGMAX`: where they are highest, in
            room that grows with the answer alone. (A strategy that needs weights returns them.)
    """
    batch, size = ops.shape(tree.flatten(state)[0])[0], strategy.size
    limits = ops.full((batch,), max_length, "int32") if limits is None else limits
    keys = ops.arange(batch, dtype="int32") if keys is None else keys
    live = blank(batch, size, max_length)
    points = attention == ARGMAX and not strategy.needs_weights
    if attention or strategy.needs_weights:
        live = live._replace(attention=_room_for_attention(source_mask, live, points))
    progress = strategy.begin(live, limits)
    values = isinstance(strategy, Values)
    if values:
        inputs = ops.zeros((batch, strategy.features)) if first is None else first
    else:
        inputs = ops.full((batch,), start_id, "int32") if first is None else first
    rules = tuple(rule.begin(batch, max_length) for rule in constraints)
    inputs, state, rules, memory = _repeat((inputs, state, rules, memory), size)

    def unfinished(index, inputs, state, rules, progress):
        return ops.logical_not(ops.all(progress.done))

    def advance(index, inputs, state, rules, progress):
        old_carry = inputs, state, rules, progress
        output = step(inputs, state, memory)
        logits = ops.cast(output.logits, "float32")
        if not values:
            logits = ops.log_softmax(logits)
        logits, rules = _apply_constraints(constraints, inputs, rules, index, end_id, logits)
        weights = None if output.attention is None else _split(output.attention, size)
        weights = _most_attended(weights, source_mask) if points else weights
        info = StepInfo(index, end_id, limits, keys, weights, source_mask)
        inputs, parents, progress = strategy.advance(_split(logits, size), progress, info)
        carry = inputs, *_reorder(parents, (output.state, rules)), progress
        # (batch, size) inputs become (batch * size,); all else keeps its shape, and says so to an
        # engine that has lost sight of it.
        carry = tree.map_structure(
            lambda new, old: ops.reshape(new, ops.shape(old)), carry, old_carry
        )
        return index + 1, *carry

    start = (ops.convert_to_tensor(0, "int32"), inputs, state, rules, progress)
    *_, progress = ops.while_loop(unfinished, advance, start, maximum_iterations=max_length)
    hypotheses = strategy.finish(progress)
    return hypotheses._replace(
        scores=ops.where(hypotheses.scores > NEG_INF / 2, hypotheses.scores, -float("inf"))
    )


def _repeat(structure: Any, size: int) -> Any:
    """`structure` with each row `size` times: (batch * size, ...)."""
    if size == 1:
        return structure
    return tree.map_structure(
        lambda tensor: None if tensor is None else ops.repeat(tensor, size, axis=0), structure
    )


def _split(tensor: Tensor, size: int) -> Tensor:
    """(batch * size, ...) to (batch, size, ...)."""
    return ops.reshape(tensor, (-1, size, *ops.shape(tensor)[1:]))


def _reorder(parents: Tensor | None, structure: Any) -> Any:
    """`structure` (batch * size, ...) where each hypothesis has what its parent had."""
    if parents is None:
        return structure
    batch, size = ops.shape(parents)
    rows = ops.reshape(parents + ops.arange(batch, dtype="int32")[:, None] * size, (-1,))
    return tree.map_structure(lambda tensor: ops.take(tensor, rows, axis=0), structure)


def _apply_constraints(constraints, tokens, rules, index, end_id, logits) -> tuple[Tensor, tuple]:
    """`logits` (batch * size, symbols) with what is not allowed ruled out; the new states."""
    states = []
    for constraint, state in zip(constraints, rules, strict=True):
        symbols = ops.shape(logits)[-1]
        allowed, state = constraint.allow(tokens, state, index, end_id, symbols)
        logits = ops.where(allowed, logits, NEG_INF)
        states.append(state)
    return logits, tuple(states)


def _most_attended(weights: Tensor, source_mask: Tensor) -> Tensor:
    """(batch, size) int32: the step with the highest of `weights` (batch, size, source time).

    The last real step, the end of the source, is left out.
    """
    mask = ops.cast(source_mask, "int32")
    before_end = ops.cumsum(mask, axis=1) < ops.sum(mask, axis=1, keepdims=True)
    before_end = ops.logical_and(before_end, ops.cast(mask, "bool"))[:, None]
    return ops.cast(ops.argmax(ops.where(before_end, weights, -1.0), axis=-1), "int32")


def _room_for_attention(source_mask: Tensor, live: Hypotheses, points: bool) -> Tensor:
    batch, size, steps = ops.shape(live.tokens)
    if points:
        return ops.zeros((batch, size, steps), "int32")
    return ops.zeros((batch, size, steps, ops.shape(source_mask)[1]), "float32")
