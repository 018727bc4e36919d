"""Constraints: the symbols that a hypothesis may continue with, for every strategy.

A constraint has a state for each hypothesis, which the search reorders with the hypotheses. Scores
stay the model's own log-probabilities. Values that change from call to call are arrays of the
constraint; `split_constraints` and `with_arrays` take them out and put others in, so that one
compiled search serves all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from keras import ops

from seq2seq.layers.lstm import Tensor
from seq2seq.runtime.validation import check_count


class Constraint:
    """Base class of constraints: a subclass implements `allow`, and `initialize` for its state.

    `arrays` names the fields that are arrays.
    """

    arrays: ClassVar[tuple[str, ...]] = ()

    def initialize(self, batch: Tensor, max_length: Tensor) -> Any:
        """State before the first step: tensors (batch, ...), or None."""
        return None

    def allow(
        self, tokens: Tensor, state: Any, index: Tensor, end_id: int, symbols: Tensor
    ) -> tuple[Tensor, Any]:
        """Symbols that are allowed next.

        Args:
            tokens: (rows,), previous tokens; at the first step the start.
            state: of each row, from `initialize` or the step before.
            index: the step, from 0.
            end_id: token that ends a target.
            symbols: number of symbols.

        Returns:
            (rows or 1, symbols) bool, and the new state.
        """
        raise NotImplementedError


def split_constraints(constraints: Sequence[Constraint]) -> tuple[tuple, list[dict]]:
    """Split constraints into a hashable structure and their arrays."""
    fixed, arrays = [], []
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise ValueError(f"a constraint was expected, as NoRepeat(3), got {constraint!r}")
        fields = {name: np.asarray(constraint.__dict__[name]) for name in constraint.arrays}
        arrays.append(fields)
        settings = {name: v for name, v in constraint.__dict__.items() if name not in fields}
        fixed.append((type(constraint), *sorted(settings.items())))
    return tuple(fixed), arrays


def with_arrays(constraints: Sequence[Constraint], arrays: list[dict]) -> list[Constraint]:
    """Copies of `constraints` with other arrays."""
    return [
        replace(constraint, **fields)
        for constraint, fields in zip(constraints, arrays, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class SuppressTokens(Constraint):
    """Symbols that are never generated.

    Args:
        ids: (count,) ids of the symbols.
    """

    ids: np.ndarray
    arrays = ("ids",)

    def allow(self, tokens, state, index, end_id, symbols):
        """All symbols but these; see `Constraint.allow`."""
        return ops.logical_not(_is_among(self.ids, symbols)), state


@dataclass(frozen=True, eq=False)
class AllowTokens(Constraint):
    """The only symbols that are generated, besides the end.

    Args:
        ids: (count,) ids of the symbols.
    """

    ids: np.ndarray
    arrays = ("ids",)

    def allow(self, tokens, state, index, end_id, symbols):
        """These symbols and the end; see `Constraint.allow`."""
        return ops.logical_or(_is_among(self.ids, symbols), _is_end(end_id, symbols)), state


@dataclass(frozen=True, eq=False)
class CopyRange(Constraint):
    """Symbols of the extended vocabulary of each source, which a pointer can copy.

    Args:
        sizes: (batch,) int32, number of symbols for each source.
    """

    sizes: np.ndarray
    arrays = ("sizes",)

    def initialize(self, batch, max_length):
        """Number of symbols for each source, (batch,)."""
        return ops.cast(self.sizes, "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """Symbols with ids below that number; see `Constraint.allow`."""
        return ops.arange(symbols, dtype="int32") < state[:, None], state


@dataclass(frozen=True, eq=False)
class Prefix(Constraint):
    """First tokens of each target.

    Args:
        tokens: (batch, time) int32, padded on the right.
        lengths: (batch,) int32, lengths of the prefixes.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    arrays = ("tokens", "lengths")

    @classmethod
    def of(cls, prefixes: Sequence[Sequence[int]]) -> "Prefix":
        """Make the constraint from the tokens of each prefix."""
        lengths = np.array([len(prefix) for prefix in prefixes], "int32")
        tokens = np.zeros((len(prefixes), max(1, lengths.max(initial=0))), "int32")
        for row, prefix in enumerate(prefixes):
            tokens[row, : len(prefix)] = prefix
        return cls(tokens, lengths)

    def initialize(self, batch, max_length):
        """Prefixes (batch, time), and their lengths (batch,)."""
        return ops.cast(self.tokens, "int32"), ops.cast(self.lengths, "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """The next token of the prefix, or all symbols after it; see `Constraint.allow`."""
        prefixes, lengths = state
        position = ops.minimum(index, ops.shape(prefixes)[1] - 1)
        next_token = ops.take(prefixes, position, axis=1)[:, None]  # (rows, 1)
        is_over = (index >= lengths)[:, None]
        is_next = ops.equal(ops.arange(symbols, dtype="int32"), next_token)  # (rows, symbols)
        return ops.logical_or(is_over, is_next), state


@dataclass(frozen=True, eq=False)
class Length(Constraint):
    """Bounds of the length of a target, the end not counted.

    Args:
        minimum: (batch,) int32; with fewer tokens no target ends.
        maximum: (batch,) int32; with as many tokens every target ends.
    """

    minimum: np.ndarray
    maximum: np.ndarray
    arrays = ("minimum", "maximum")

    def initialize(self, batch, max_length):
        """Bounds of each source, (batch,)."""
        return ops.cast(self.minimum, "int32"), ops.cast(self.maximum, "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """No end before the minimum, only the end at the maximum; see `Constraint.allow`."""
        minimum, maximum = state
        is_short, is_full = (index < minimum)[:, None], (index >= maximum)[:, None]
        is_end = _is_end(end_id, symbols)
        return ops.where(is_end, ops.logical_not(is_short), ops.logical_not(is_full)), state


@dataclass(frozen=True)
class NoRepeat(Constraint):
    """No n-gram of `size` tokens occurs twice in a target.

    Args:
        size: size of the n-gram; 1: no token twice; 3 is usual against loops.
    """

    size: int

    def __post_init__(self):
        check_count("no_repeat_ngram_size", self.size)

    def initialize(self, batch, max_length):
        """Tokens of each hypothesis, (batch, time)."""
        return ops.zeros((batch, max_length), "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """All symbols that complete no earlier n-gram; see `Constraint.allow`."""
        times = ops.arange(ops.shape(state)[1], dtype="int32")
        history = ops.where(ops.equal(times, index - 1), tokens[:, None], state)  # (rows, time)
        start = index - (self.size - 1)  # of the latest `size - 1` tokens
        # (rows, time), True where an earlier n-gram starts with these tokens
        is_same = ops.logical_and(times >= 0, times < start)[None]
        for offset in range(self.size - 1):
            latest = ops.take(history, ops.maximum(start + offset, 0), axis=1)[:, None]
            is_same = ops.logical_and(is_same, ops.equal(ops.roll(history, -offset, 1), latest))
        is_same = ops.logical_and(is_same, start >= 0)
        last_tokens = ops.roll(history, -(self.size - 1), axis=1)  # of the n-gram at each start
        last_tokens = ops.where(is_same, last_tokens, -1)[..., None]  # (rows, time, 1)
        is_repeated = ops.any(ops.equal(last_tokens, ops.arange(symbols, dtype="int32")), axis=1)
        return ops.logical_or(ops.logical_not(is_repeated), _is_end(end_id, symbols)), history


@dataclass(frozen=True, eq=False)
class Lexicon(Constraint):
    """Only the targets of a list.

    The prefix tree of all targets is stored as the edges of each node, side by side: a few numbers
    per token of the list, whatever the vocabulary.

    Args:
        first: (nodes + 1,) int32, index of the first edge of each node. Node 0 is the dead end,
            without edges; node 1 is the root.
        tokens: (edges,) int32, token of each edge.
        nodes: (edges,) int32, node that each edge leads to.
        slots: (highest degree of a node,) int32, 0, 1, 2, ...
    """

    first: np.ndarray
    tokens: np.ndarray
    nodes: np.ndarray
    slots: np.ndarray
    arrays = ("first", "tokens", "nodes", "slots")

    @classmethod
    def of(cls, targets: Iterable[Sequence[int]], vocabulary_size: int, end_id: int) -> "Lexicon":
        """Make the prefix tree of `targets`, sequences of tokens without their end.

        Raises:
            ValueError: there are no targets.
        """
        children: list[dict[int, int]] = [{}, {}]
        for target in targets:
            node = 1
            for token in (*map(int, target), end_id):
                if token not in children[node]:
                    children[node][token] = len(children)
                    children.append({})
                node = children[node][token]
        if len(children) == 2:
            raise ValueError("the lexicon is empty: give at least one target")
        degrees = [len(edges) for edges in children]
        return cls(
            np.cumsum([0, *degrees]).astype("int32"),
            np.array([token for edges in children for token in edges], "int32"),
            np.array([node for edges in children for node in edges.values()], "int32"),
            np.arange(max(degrees), dtype="int32"),
        )

    def initialize(self, batch, max_length):
        """Node of each hypothesis, (batch,): the root."""
        return ops.ones((batch,), "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """Symbols that continue to a target of the list; see `Constraint.allow`."""
        edges, exists = self._edges(state)
        is_taken = ops.logical_and(exists, ops.equal(ops.take(self.tokens, edges), tokens[:, None]))
        next_node = ops.max(ops.where(is_taken, ops.take(self.nodes, edges), 0), axis=1)
        node = ops.where(index > 0, next_node, state)
        edges, exists = self._edges(node)
        # Edges that a node lacks are counted in an additional column.
        ids = ops.where(exists, ops.take(self.tokens, edges), symbols)  # (rows, slots)
        rows = ops.shape(ids)[0]
        flat = ops.arange(rows, dtype="int32")[:, None] * (symbols + 1) + ids
        counts = ops.scatter(
            ops.reshape(flat, (-1, 1)),
            ops.ones_like(ops.reshape(ids, (-1,))),
            (rows * (symbols + 1),),
        )
        return ops.reshape(counts, (rows, symbols + 1))[:, :symbols] > 0, node

    def _edges(self, node: Tensor) -> tuple[Tensor, Tensor]:
        """Indices (rows, slots) of the edges of each `node` (rows,), and whether they exist."""
        edges = ops.take(self.first, node)[:, None] + self.slots
        exists = edges < ops.take(self.first, node + 1)[:, None]
        return ops.where(exists, edges, 0), exists


def _is_among(ids: Tensor, symbols: Tensor) -> Tensor:
    """(1, symbols), True at `ids`."""
    return ops.any(
        ops.equal(ops.arange(symbols, dtype="int32"), ops.cast(ids, "int32")[:, None]), 0
    )[None]


def _is_end(end_id: int, symbols: Tensor) -> Tensor:
    """(1, symbols), True at the end token."""
    return ops.equal(ops.arange(symbols, dtype="int32"), end_id)[None]
