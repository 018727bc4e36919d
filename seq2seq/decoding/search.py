"""Search: the one loop that says a target a step at a time, and the strategies that choose.

It knows a step function, never a model: `step(tokens, state, memory)` returns something with
`logits` and `state`. What a strategy may reorder (`state`) and what it only reads (`memory`) are
two arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops, tree

Tensor = Any


class Hypotheses(NamedTuple):
    """What a search found; `n` hypotheses a source, the best first.

    Attributes:
        tokens: (batch, n, time) int32, without the end, zeros after it; real values: (batch, n,
            time, features).
        lengths: (batch, n) int32, tokens before the end.
        scores: (batch, n), the log-probability of tokens and end; zeros for real values.
        ended: (batch, n) bool, False where the search was cut off at `max_length`.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    ended: Tensor


class Progress(NamedTuple):
    """What the loop carries besides the model's state, a row for each live hypothesis."""

    tokens: Tensor  # (rows, time) or (rows, time, features)
    lengths: Tensor  # (rows,)
    scores: Tensor  # (rows,)
    ended: Tensor  # (rows,)


def write(tokens: Tensor, index: Tensor, values: Tensor) -> Tensor:
    """`tokens` (rows, time, ...) with `values` (rows, ...) at time `index`."""
    here = ops.equal(ops.arange(ops.shape(tokens)[1]), index)  # (time,)
    here = ops.reshape(here, (1, -1) + (1,) * (len(tokens.shape) - 2))
    return ops.where(here, ops.expand_dims(values, 1), tokens)


@dataclass(frozen=True)
class Greedy:
    """The likeliest token at each step."""

    def begin(self, rows: Tensor, max_length: Tensor, start_id: int) -> tuple[Tensor, Progress]:
        """What the first step reads, and empty progress."""
        scores = ops.zeros((rows,), "float32")
        ended = ops.zeros((rows,), "bool")
        tokens = ops.zeros((rows, max_length), "int32")
        progress = Progress(tokens, ops.zeros((rows,), "int32"), scores, ended)
        return ops.full((rows,), start_id, "int32"), progress

    def advance(
        self, logits: Tensor, progress: Progress, index: Tensor, end_id: int
    ) -> tuple[Tensor, Progress, Tensor | None]:
        """Choose a token for each row.

        Returns:
            What the next step reads, the new progress, and which row each new row continues
            (None: its own).
        """
        log_probabilities = ops.log_softmax(ops.cast(logits, "float32"))
        best = ops.cast(ops.argmax(log_probabilities, axis=-1), "int32")  # (rows,)
        gained = ops.max(log_probabilities, axis=-1)
        live = ops.logical_not(progress.ended)
        said = ops.logical_and(live, ops.not_equal(best, end_id))
        best = ops.where(said, best, 0)
        progress = Progress(
            tokens=write(progress.tokens, index, best),
            lengths=progress.lengths + ops.cast(said, "int32"),
            scores=progress.scores + ops.where(live, gained, 0.0),
            ended=ops.logical_not(said),
        )
        return best, progress, None

    def finish(self, progress: Progress) -> Hypotheses:
        """The one hypothesis of each source."""
        return Hypotheses(*(ops.expand_dims(field, 1) for field in progress))


@dataclass(frozen=True)
class Values:
    """Real values, each fed back as it was predicted, for `max_length` steps.

    Args:
        features: values per step.
    """

    features: int = 1

    def begin(self, rows: Tensor, max_length: Tensor, start_id: int) -> tuple[Tensor, Progress]:
        """Zeros for the first step to read, and empty progress."""
        del start_id  # real values start from zeros
        _, progress = Greedy().begin(rows, max_length, 0)
        values = ops.zeros((rows, max_length, self.features), "float32")
        return ops.zeros((rows, self.features), "float32"), progress._replace(tokens=values)

    def advance(
        self, logits: Tensor, progress: Progress, index: Tensor, end_id: int
    ) -> tuple[Tensor, Progress, Tensor | None]:
        """Take the predicted values as they are."""
        del end_id  # real values know no end
        values = ops.cast(logits, "float32")
        tokens = write(progress.tokens, index, values)
        return values, progress._replace(tokens=tokens, lengths=progress.lengths + 1), None

    def finish(self, progress: Progress) -> Hypotheses:
        """The one continuation of each source; it ended where it was to end."""
        return Greedy().finish(progress._replace(ended=ops.ones_like(progress.ended)))


def search(
    step: Callable,
    state: Any,
    memory: Any,
    strategy: Greedy | Values,
    *,
    start_id: int,
    end_id: int,
    max_length: int,
) -> Hypotheses:
    """Say a target for every row of `state`, until all have ended.

    Args:
        step: `step(tokens, state, memory)`, one step of a decoder.
        state: what the step changes: a structure of tensors whose first axis is the batch.
        memory: what the step only reads.
        strategy: chooses what is said.
        start_id: the token that the first step reads.
        end_id: the token that ends a target.
        max_length: steps after which a target is cut off.
    """
    rows = ops.shape(tree.flatten(state)[0])[0]
    inputs, progress = strategy.begin(rows, max_length, start_id)

    def unfinished(index, inputs, state, progress):
        return ops.logical_not(ops.all(progress.ended))

    def advance(index, inputs, state, progress):
        output = step(inputs, state, memory)
        inputs, progress, parents = strategy.advance(output.logits, progress, index, end_id)
        state = output.state
        if parents is not None:
            state = tree.map_structure(lambda tensor: ops.take(tensor, parents, axis=0), state)
        return index + 1, inputs, state, progress

    start = (ops.convert_to_tensor(0, "int32"), inputs, state, progress)
    *_, progress = ops.while_loop(unfinished, advance, start, maximum_iterations=max_length)
    return strategy.finish(progress)
