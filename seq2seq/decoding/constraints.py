"""Constraints: what may be said, whatever the strategy.

A constraint is asked at every step which symbols each hypothesis may say next. What it remembers of
a hypothesis (`state`) is reordered with it, so that constraints know nothing of strategies. Scores
stay the model's own log-probabilities. Numbers that change from call to call are arrays of the
constraint; `split` and `join` take them out and put them back, so that one compiled search serves
all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from keras import ops

from seq2seq.decoding.search import Tensor
from seq2seq.runtime.validation import check_count


class Constraint:
    """What constraints share; a subclass implements `allow`, and `begin` where it remembers.

    `arrays` names its fields that are arrays.
    """

    arrays: ClassVar[tuple[str, ...]] = ()

    def begin(self, batch: Tensor, max_length: Tensor) -> Any:
        """What is remembered before the first step: tensors (batch, ...)."""
        return ()

    def allow(
        self, tokens: Tensor, state: Any, index: Tensor, end_id: int, symbols: Tensor
    ) -> tuple[Tensor, Any]:
        """What may be said next.

        Args:
            tokens: (rows,), what was said before; at the first step the start.
            state: of each row, from `begin` or the step before.
            index: the step, from 0.
            end_id: the token that ends a target.
            symbols: how many there are.

        Returns:
            (rows or 1, symbols) bool, and the new state.
        """
        raise NotImplementedError


def split(constraints: Sequence[Constraint]) -> tuple[tuple, list[dict]]:
    """What of `constraints` is fixed, hashable, and their arrays."""
    fixed, arrays = [], []
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise ValueError(f"a constraint was expected, as NoRepeat(3), got {constraint!r}")
        fields = {name: np.asarray(constraint.__dict__[name]) for name in constraint.arrays}
        arrays.append(fields)
        settings = {name: v for name, v in constraint.__dict__.items() if name not in fields}
        fixed.append((type(constraint), *sorted(settings.items())))
    return tuple(fixed), arrays


def join(constraints: Sequence[Constraint], arrays: list[dict]) -> list[Constraint]:
    """`constraints` with other arrays."""
    return [
        replace(constraint, **fields)
        for constraint, fields in zip(constraints, arrays, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Banned(Constraint):
    """Symbols that are never said.

    Args:
        ids: (count,) their numbers.
    """

    ids: np.ndarray
    arrays = ("ids",)

    def allow(self, tokens, state, index, end_id, symbols):
        """All but these."""
        return ops.logical_not(_among(self.ids, symbols)), state


@dataclass(frozen=True, eq=False)
class Allowed(Constraint):
    """The only symbols that are said; the end is always among them.

    Args:
        ids: (count,) their numbers.
    """

    ids: np.ndarray
    arrays = ("ids",)

    def allow(self, tokens, state, index, end_id, symbols):
        """These and the end."""
        these = ops.logical_or(_among(self.ids, symbols), _only(end_id, symbols))
        return these, state


@dataclass(frozen=True, eq=False)
class Below(Constraint):
    """Only symbols with a number below a source's own: what a pointer copies ends where it ends.

    Args:
        sizes: (batch,) int32, how many symbols there are for each source.
    """

    sizes: np.ndarray
    arrays = ("sizes",)

    def begin(self, batch, max_length):
        """Each source's own number."""
        return (ops.cast(self.sizes, "int32"),)

    def allow(self, tokens, state, index, end_id, symbols):
        """Those below."""
        return ops.arange(symbols, dtype="int32") < state[0][:, None], state


@dataclass(frozen=True, eq=False)
class Prefix(Constraint):
    """What each target begins with.

    Args:
        tokens: (batch, time) int32, filled up on the right.
        lengths: (batch,) int32, how many of them count.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    arrays = ("tokens", "lengths")

    @classmethod
    def of(cls, prefixes: Sequence[Sequence[int]]) -> "Prefix":
        """From the tokens of each source's prefix."""
        lengths = np.array([len(prefix) for prefix in prefixes], "int32")
        tokens = np.zeros((len(prefixes), max(1, lengths.max(initial=0))), "int32")
        for row, prefix in enumerate(prefixes):
            tokens[row, : len(prefix)] = prefix
        return cls(tokens, lengths)

    def begin(self, batch, max_length):
        """Each source's own prefix."""
        return ops.cast(self.tokens, "int32"), ops.cast(self.lengths, "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """The next symbol of the prefix, and all symbols after it."""
        prefixes, lengths = state
        position = ops.minimum(index, ops.shape(prefixes)[1] - 1)
        next_token = ops.take(prefixes, position, axis=1)[:, None]  # (rows, 1)
        free = (index >= lengths)[:, None]
        return ops.logical_or(
            free, ops.equal(ops.arange(symbols, dtype="int32"), next_token)
        ), state


@dataclass(frozen=True, eq=False)
class Length(Constraint):
    """How many tokens a target has, the end not counted.

    Args:
        minimum: (batch,) int32; before, the end is not said.
        maximum: (batch,) int32; then, the end is said.
    """

    minimum: np.ndarray
    maximum: np.ndarray
    arrays = ("minimum", "maximum")

    def begin(self, batch, max_length):
        """Each source's own bounds."""
        return ops.cast(self.minimum, "int32"), ops.cast(self.maximum, "int32")

    def allow(self, tokens, state, index, end_id, symbols):
        """No end before the minimum, nothing but the end at the maximum."""
        minimum, maximum = state
        end = _only(end_id, symbols)
        early, late = (index < minimum)[:, None], (index >= maximum)[:, None]
        return ops.where(end, ops.logical_not(early), ops.logical_not(late)), state


@dataclass(frozen=True)
class NoRepeat(Constraint):
    """No sequence of `size` tokens is said twice in a target.

    Args:
        size: 1: no token twice; 3 is usual against loops.
    """

    size: int

    def __post_init__(self):
        check_count("no_repeat", self.size)

    def begin(self, batch, max_length):
        """What was said, (batch, time)."""
        return (ops.zeros((batch, max_length), "int32"),)

    def allow(self, tokens, state, index, end_id, symbols):
        """All but what followed the same `size - 1` tokens before."""
        history = state[0]
        times = ops.arange(ops.shape(history)[1], dtype="int32")
        history = ops.where(ops.equal(times, index - 1), tokens[:, None], history)
        ngram_start = index - (self.size - 1)  # of the latest `size - 1` tokens
        same = ops.logical_and(times >= 0, times < ngram_start)[None]  # where a sequence may begin
        for offset in range(self.size - 1):
            latest = ops.take(history, ops.maximum(ngram_start + offset, 0), axis=1)
            same = ops.logical_and(same, ops.equal(ops.roll(history, -offset, 1), latest[:, None]))
        same = ops.logical_and(same, ngram_start >= 0)
        follower = ops.roll(history, -(self.size - 1), axis=1)  # what came after each sequence
        followers = ops.where(same, follower, -1)[..., None]  # (rows, time, 1)
        repeated = ops.any(ops.equal(followers, ops.arange(symbols, dtype="int32")), axis=1)
        return ops.logical_or(ops.logical_not(repeated), _only(end_id, symbols)), (history,)


@dataclass(frozen=True, eq=False)
class Lexicon(Constraint):
    """Only targets of a given list are said.

    The tree of all targets is kept as the tokens that lead on from each node, side by side: a few
    numbers a token of the list, whatever the vocabulary.

    Args:
        first: (nodes + 1,) int32, where the edges of each node begin. Node 0 is what no target
            leads to, and has none; node 1 is the root.
        tokens: (edges,) int32, the token of each edge.
        nodes: (edges,) int32, the node that each edge leads to.
        slots: (most edges of a node,) int32, 0, 1, 2, ...
    """

    first: np.ndarray
    tokens: np.ndarray
    nodes: np.ndarray
    slots: np.ndarray
    arrays = ("first", "tokens", "nodes", "slots")

    @classmethod
    def of(cls, targets: Iterable[Sequence[int]], vocabulary_size: int, end_id: int) -> "Lexicon":
        """The tree of `targets`, sequences of tokens without their end.

        Raises:
            ValueError: there are none.
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

    def begin(self, batch, max_length):
        """Every hypothesis begins at the root."""
        return (ops.ones((batch,), "int32"),)

    def allow(self, tokens, state, index, end_id, symbols):
        """The symbols with which a target of the list goes on."""
        edges, exists = self._edges(state[0])
        taken = ops.logical_and(exists, ops.equal(ops.take(self.tokens, edges), tokens[:, None]))
        next_node = ops.max(ops.where(taken, ops.take(self.nodes, edges), 0), axis=1)
        node = ops.where(index > 0, next_node, state[0])
        edges, exists = self._edges(node)
        # A column more takes the places where a node has no edge.
        ids = ops.where(exists, ops.take(self.tokens, edges), symbols)  # (rows, slots)
        rows = ops.shape(ids)[0]
        flat = ops.arange(rows, dtype="int32")[:, None] * (symbols + 1) + ids
        marks = ops.scatter(
            ops.reshape(flat, (-1, 1)),
            ops.ones_like(ops.reshape(ids, (-1,))),
            (rows * (symbols + 1),),
        )
        known = ops.reshape(marks, (rows, symbols + 1))[:, :symbols] > 0
        return known, (node,)

    def _edges(self, node: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers (rows, slots) of the edges of each `node` (rows,), and where there are any."""
        edges = ops.take(self.first, node)[:, None] + self.slots
        exists = edges < ops.take(self.first, node + 1)[:, None]
        return ops.where(exists, edges, 0), exists


def _among(ids: Tensor, symbols: Tensor) -> Tensor:
    """(1, symbols), True at `ids`."""
    return ops.any(
        ops.equal(ops.arange(symbols, dtype="int32"), ops.cast(ids, "int32")[:, None]), 0
    )[None]


def _only(end_id: int, symbols: Tensor) -> Tensor:
    """(1, symbols), True at the end."""
    return ops.equal(ops.arange(symbols, dtype="int32"), end_id)[None]
