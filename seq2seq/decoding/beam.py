"""Beam search: the best hypotheses of many that are followed side by side."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from keras import ops, tree

from seq2seq.decoding.search import (
    FORBIDDEN,
    MOST,
    Hypotheses,
    Now,
    Strategy,
    Tensor,
    at_limit,
    extend,
    keep,
)
from seq2seq.runtime.validation import check_count, check_flag, check_number

AVERAGE = "average"
MOST_PENALTY, MOST_WEIGHT = 10, 1e6  # scores and their parts stay finite


class Group(NamedTuple):
    """The progress of one group of live hypotheses, `width` a source, and of those that ended.

    Attributes:
        live: (batch, width, ...), the best first.
        coverage: (batch, width, source time), the sum of each one's attention; `()` without a
            coverage penalty.
        pool: (batch, kept, ...), the best that have ended, the best first.
        ranks: (batch, kept), their scores with penalties; `FORBIDDEN` where the pool is not full.
        done: (batch,), where nothing can or may change any more.
    """

    live: Hypotheses
    coverage: Tensor | tuple
    pool: Hypotheses
    ranks: Tensor
    done: Tensor


class Groups(NamedTuple):
    """The progress of a beam: of its groups; without diversity there is one."""

    groups: tuple[Group, ...]

    @property
    def done(self) -> Tensor:
        """(batch, groups)."""
        return ops.stack([group.done for group in self.groups], axis=1)


@dataclass(frozen=True)
class Beam(Strategy):
    """Follows the `width` likeliest hypotheses of each source at once.

    Hypotheses that have ended are kept beside those that go on. Without early stopping the search
    for a source ends as soon as no live hypothesis can rank among the `n_best` any more: what comes
    out is the best that this width can find, and does not depend on the other sources.

    Args:
        width: hypotheses followed a source; more find likelier targets, and take longer.
        length_penalty: what the log-probabilities that are compared are divided by, since
            every token makes them less: a number alpha for ((5 + length) / 6) ** alpha (Wu et al.
            2016, eq. 14; 0.6 to 1 is usual), `"average"` for the length, which counts the end; 0,
            the default, for nothing: the likeliest target wins.
        coverage_penalty: beta of Wu et al. 2016, eq. 14: prefers hypotheses that attended to all of
            the source; 0: none. Needs attention weights.
        n_best: how many are returned, at most `width`.
        early_stopping: whether a search ends with the first `n_best` hypotheses that end, which is
            faster and may miss better ones.
        groups: in so many groups is the width divided, each of which avoids what the ones before
            say at the same step (Vijayakumar et al. 2016, diverse beam search, Hamming diversity).
        diversity: how much is subtracted for each such token (lambda there, 0.2 to 0.8 is usual).

    Raises:
        ValueError: a size below 1 or above 10,000, a length penalty below 0 or above 10, another
            penalty below 0, more `n_best` than `width`, or groups of unequal size.
    """

    width: int = 5
    length_penalty: float | str = 0.0
    coverage_penalty: float = 0.0
    n_best: int = 1
    early_stopping: bool = False
    groups: int = 1
    diversity: float = 0.5
    name = "beam"

    def __post_init__(self):
        for field in ("width", "n_best", "groups"):
            check_count(f"decoding.{field}", self.__dict__[field], most=MOST)
        check_flag("decoding.early_stopping", self.early_stopping)
        if self.length_penalty != AVERAGE:
            if isinstance(self.length_penalty, str):
                raise ValueError(
                    f'decoding.length_penalty must be a number or "{AVERAGE}", got '
                    f"{self.length_penalty!r}"
                )
            check_number("decoding.length_penalty", self.length_penalty, most=MOST_PENALTY)
        check_number("decoding.coverage_penalty", self.coverage_penalty, most=MOST_WEIGHT)
        check_number("decoding.diversity", self.diversity, most=MOST_WEIGHT)
        if self.n_best > self.width:
            raise ValueError(
                f"a beam of width {self.width} has no {self.n_best} best hypotheses; "
                f"set width={self.n_best} or more"
            )
        if self.width % self.groups:
            raise ValueError(
                f"{self.groups} groups must share the width equally, and width={self.width} is no "
                f"multiple; set width={self.groups * (self.width // self.groups + 1)}"
            )

    @property
    def needs_weights(self) -> bool:
        """Whether it needs attention weights."""
        return not (np.isscalar(self.coverage_penalty) and self.coverage_penalty == 0)

    @property
    def numbers(self) -> tuple[str, ...]:
        """See `Strategy`; without a coverage penalty no coverage is computed at all."""
        covered = ("coverage_penalty",) if self.needs_weights else ()
        return ("length_penalty", "diversity", *covered)

    @property
    def size(self) -> int:
        """Hypotheses a source."""
        return self.width

    @property
    def kept(self) -> int:
        """How many that have ended each group keeps."""
        return -(-self.n_best // self.groups)

    def begin(self, live: Hypotheses, limits: Tensor) -> Groups:
        """The progress before the first step; see `Greedy.begin`."""
        each = self.width // self.groups
        live = tree.map_structure(lambda tensor: tensor[:, :each], live)
        pool = tree.map_structure(lambda tensor: ops.repeat(tensor[:, :1], self.kept, 1), live)
        # All are alike at first: only one of them may go on.
        first = ops.arange(each, dtype="int32") > 0
        live = live._replace(scores=ops.where(first, FORBIDDEN, live.scores))
        ranks = ops.full_like(pool.scores, FORBIDDEN)
        coverage = ()
        if self.needs_weights:
            coverage = ops.zeros_like(live.attention[:, :, 0])
        group = Group(live, coverage, pool, ranks, done=limits <= 0)
        return Groups((group,) * self.groups)

    def advance(
        self, log_probabilities: Tensor, progress: Groups, now: Now
    ) -> tuple[Tensor, Tensor, Groups]:
        """One step of every group, one after the other; see `Greedy.advance`."""
        each = self.width // self.groups
        tokens, parents, groups, said = [], [], [], 0.0
        for number, group in enumerate(progress.groups):
            own = slice(number * each, (number + 1) * each)
            weights = None if now.attention is None else now.attention[:, own]
            here = now._replace(attention=weights)
            chosen, before, group = self._advance(log_probabilities[:, own], group, here, said)
            tokens.append(chosen)
            parents.append(before + number * each)
            groups.append(group)
            if number + 1 < self.groups:
                symbols = ops.shape(log_probabilities)[-1]
                said = said + self.diversity * ops.sum(ops.one_hot(chosen, symbols), axis=1)
        return ops.concatenate(tokens, 1), ops.concatenate(parents, 1), Groups(tuple(groups))

    def _advance(self, log_probabilities, group: Group, now: Now, said):
        """One group's step; `said` (batch, symbols) is what others' choices cost."""
        width, symbols = log_probabilities.shape[1], ops.shape(log_probabilities)[-1]
        totals = group.live.scores[..., None] + log_probabilities  # (batch, width, symbols)
        wanted = totals if isinstance(said, float) else totals - said[:, None]
        _, best = ops.top_k(ops.reshape(wanted, (-1, width * symbols)), 2 * width)
        best = ops.cast(best, "int32")  # (batch, 2 * width), places in (width * symbols)
        gained = ops.take_along_axis(
            ops.reshape(log_probabilities, (-1, width * symbols)), best, axis=1
        )
        found = _Candidates(best // symbols, best % symbols, gained)
        # As many as the beam is wide go on, the likeliest that do not end.
        ends = ops.cast(ops.equal(found.tokens, now.end_id), "int32")
        places = ops.arange(2 * width, dtype="int32") + 2 * width * ends
        follow = pick(found, ops.argsort(places, axis=1)[:, :width])
        live, coverage = self._extend(group, follow, now)
        # Only those among the best `width` count as ended: a beam of one is then greedy.
        first = tree.map_structure(lambda tensor: tensor[:, :width], found)
        pool, ranks = self._collect(group, *self._extend(group, first, now), now)
        done = ops.logical_or(group.done, self._is_done(live, ranks, now))
        new = Group(live, coverage, pool, ranks, done)
        return follow.tokens, follow.parents, keep(group.done, group, new)

    def _extend(self, group: Group, chosen, now: Now) -> tuple[Hypotheses, Tensor | tuple]:
        """The hypotheses that `chosen` makes of the live ones, and what each has covered."""
        weights = None if now.attention is None else pick(now.attention, chosen.parents)
        live = extend(
            pick(group.live, chosen.parents),
            chosen.tokens,
            chosen.gained,
            now._replace(attention=weights),
        )
        if isinstance(group.coverage, tuple):
            return live, ()
        return live, pick(group.coverage, chosen.parents) + weights

    def _collect(self, group: Group, new: Hypotheses, coverage, now: Now):
        """The pool and its ranks with those of `new` that have ended and rank high enough."""
        ranks = new.scores / self._penalty(now.index + 1)
        if self.needs_weights:
            covered = ops.log(ops.clip(coverage, 1e-10, 1.0))
            if now.source_mask is not None:
                covered = ops.where(now.source_mask[:, None], covered, 0.0)
            ranks = ranks + self.coverage_penalty * ops.sum(covered, axis=-1)
        counts = ops.logical_and(new.ended, new.scores > FORBIDDEN / 2)
        ranks = ops.concatenate([group.ranks, ops.where(counts, ranks, FORBIDDEN)], axis=1)
        both = tree.map_structure(lambda a, b: ops.concatenate([a, b], 1), group.pool, new)
        ranks, best = ops.top_k(ranks, self.kept)
        return pick(both, best), ranks

    def _is_done(self, live: Hypotheses, ranks: Tensor, now: Now) -> Tensor:
        """(batch,): nothing may change, or no live hypothesis can reach the pool any more."""
        best, worst = ops.max(live.scores, axis=1), ops.min(ranks, axis=1)
        full = worst > FORBIDDEN / 2
        # Scores only fall, so this is the most that the best one can rank when it ends.
        beaten = best / self._penalty(now.limits) <= worst
        over = ops.logical_and(full, True if self.early_stopping else beaten)
        dead = best <= FORBIDDEN / 2
        return ops.logical_or(ops.logical_or(over, dead), at_limit(now))

    def _penalty(self, length: Tensor) -> Tensor:
        """What the score of a hypothesis of `length` tokens, the end included, is divided by."""
        length = ops.cast(length, "float32")
        if isinstance(self.length_penalty, str):  # "average"
            return length
        return ((5.0 + length) / 6.0) ** self.length_penalty

    def finish(self, progress: Groups) -> Hypotheses:
        """The `n_best` of each source; where fewer have ended, those that were cut off follow."""
        groups = progress.groups
        every = [group.pool for group in groups] + [group.live for group in groups]
        every = tree.map_structure(lambda *tensors: ops.concatenate(tensors, 1), *every)
        ranks = ops.concatenate([group.ranks for group in groups], 1)
        scores = ops.concatenate([group.live.scores for group in groups], 1)
        # Places of the pool that were left empty come last. The dtype is named: Keras's `floatx`
        # would choose another.
        missing = 2 * ops.cast(ranks <= FORBIDDEN / 2, "int32")
        kind = ops.concatenate([missing, ops.ones_like(scores, "int32")], 1)
        ranks = ops.concatenate([ranks, scores], 1)
        place = ops.argsort(ops.argsort(-ranks, axis=1), axis=1)  # 0 for the highest rank
        order = ops.argsort(ops.cast(place, "int32") + kind * ranks.shape[1], axis=1)
        every = every._replace(
            scores=ops.where(ops.equal(kind, 2), FORBIDDEN, every.scores),
        )
        return pick(every, order[:, : self.n_best])


class _Candidates(NamedTuple):
    parents: Tensor  # (batch, candidates), which live hypothesis goes on
    tokens: Tensor  # (batch, candidates), with what
    gained: Tensor  # (batch, candidates), the log-probability of it


def pick(structure, index: Tensor):
    """Tensors (batch, size, ...) with the entries `index` (batch, count) of their second axis."""
    index = ops.cast(index, "int32")
    batch, count = ops.shape(index)

    def take(tensor):
        size, rest = ops.shape(tensor)[1], ops.shape(tensor)[2:]
        rows = ops.reshape(index + ops.arange(batch, dtype="int32")[:, None] * size, (-1,))
        taken = ops.take(ops.reshape(tensor, (-1, *rest)), rows, axis=0)
        return ops.reshape(taken, (batch, count, *rest))

    return tree.map_structure(take, structure)
