"""Beam search: the best hypotheses of many that are followed side by side."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from keras import ops, tree

from seq2seq.decoding.search import (
    MAX_HYPOTHESES,
    NEG_INF,
    Hypotheses,
    StepInfo,
    Strategy,
    Tensor,
    at_limit,
    extend,
    keep,
)
from seq2seq.runtime.validation import check_count, check_flag, check_number

AVERAGE = "average"
MAX_PENALTY, MAX_WEIGHT = 10, 1e6  # scores and their parts stay finite


class BeamState(NamedTuple):
    """The progress of one group of live hypotheses, `width` a source, and of those that ended.

    Attributes:
        live: (batch, width, ...), the best first.
        coverage: (batch, width, source time), the sum of each one's attention; `()` without a
            coverage penalty.
        finished: (batch, kept, ...), the best that have ended, the best first.
        finished_scores: (batch, kept), their scores with penalties; `NEG_INF` where fewer have
            ended.
        done: (batch,), where nothing can or may change any more.
    """

    live: Hypotheses
    coverage: Tensor | tuple
    finished: Hypotheses
    finished_scores: Tensor
    done: Tensor


class DiverseBeamState(NamedTuple):
    """The progress of a beam: of its groups; without diversity there is one."""

    groups: tuple[BeamState, ...]

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
            check_count(f"decoding.{field}", self.__dict__[field], most=MAX_HYPOTHESES)
        check_flag("decoding.early_stopping", self.early_stopping)
        if self.length_penalty != AVERAGE:
            if isinstance(self.length_penalty, str):
                raise ValueError(
                    f'decoding.length_penalty must be a number or "{AVERAGE}", got '
                    f"{self.length_penalty!r}"
                )
            check_number("decoding.length_penalty", self.length_penalty, most=MAX_PENALTY)
        check_number("decoding.coverage_penalty", self.coverage_penalty, most=MAX_WEIGHT)
        check_number("decoding.diversity", self.diversity, most=MAX_WEIGHT)
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

    def begin(self, live: Hypotheses, limits: Tensor) -> DiverseBeamState:
        """The progress before the first step; see `Greedy.begin`."""
        group_size = self.width // self.groups
        live = tree.map_structure(lambda tensor: tensor[:, :group_size], live)
        finished = tree.map_structure(lambda tensor: ops.repeat(tensor[:, :1], self.kept, 1), live)
        # All are alike at first: only one of them may go on.
        is_copy = ops.arange(group_size, dtype="int32") > 0
        live = live._replace(scores=ops.where(is_copy, NEG_INF, live.scores))
        finished_scores = ops.full_like(finished.scores, NEG_INF)
        coverage = ()
        if self.needs_weights:
            coverage = ops.zeros_like(live.attention[:, :, 0])
        group = BeamState(live, coverage, finished, finished_scores, done=limits <= 0)
        return DiverseBeamState((group,) * self.groups)

    def advance(
        self, log_probabilities: Tensor, progress: DiverseBeamState, info: StepInfo
    ) -> tuple[Tensor, Tensor, DiverseBeamState]:
        """One step of every group, one after the other; see `Greedy.advance`."""
        group_size = self.width // self.groups
        tokens, parents, groups, penalty = [], [], [], 0.0
        for number, group in enumerate(progress.groups):
            members = slice(number * group_size, (number + 1) * group_size)
            weights = None if info.attention is None else info.attention[:, members]
            group_info = info._replace(attention=weights)
            group_tokens, group_parents, group = self._advance(
                log_probabilities[:, members], group, group_info, penalty
            )
            tokens.append(group_tokens)
            parents.append(group_parents + number * group_size)
            groups.append(group)
            if number + 1 < self.groups:
                symbols = ops.shape(log_probabilities)[-1]
                penalty = penalty + self.diversity * ops.sum(
                    ops.one_hot(group_tokens, symbols), axis=1
                )
        return (
            ops.concatenate(tokens, 1),
            ops.concatenate(parents, 1),
            DiverseBeamState(tuple(groups)),
        )

    def _advance(self, log_probabilities, group: BeamState, info: StepInfo, diversity_penalty):
        """One group's step; `diversity_penalty` (batch, symbols) is what others' choices cost."""
        width, symbols = log_probabilities.shape[1], ops.shape(log_probabilities)[-1]
        totals = group.live.scores[..., None] + log_probabilities  # (batch, width, symbols)
        penalized = (
            totals if isinstance(diversity_penalty, float) else totals - diversity_penalty[:, None]
        )
        _, best = ops.top_k(ops.reshape(penalized, (-1, width * symbols)), 2 * width)
        best = ops.cast(best, "int32")  # (batch, 2 * width), places in (width * symbols)
        log_probs = ops.take_along_axis(
            ops.reshape(log_probabilities, (-1, width * symbols)), best, axis=1
        )
        candidates = _Candidates(best // symbols, best % symbols, log_probs)
        # As many as the beam is wide go on, the likeliest that do not end.
        ends = ops.cast(ops.equal(candidates.tokens, info.end_id), "int32")
        positions = ops.arange(2 * width, dtype="int32") + 2 * width * ends
        continued = gather_beams(candidates, ops.argsort(positions, axis=1)[:, :width])
        live, coverage = self._extend(group, continued, info)
        # Only those among the best `width` count as ended: a beam of one is then greedy.
        leading = tree.map_structure(lambda tensor: tensor[:, :width], candidates)
        finished, finished_scores = self._update_finished(
            group, *self._extend(group, leading, info), info
        )
        done = ops.logical_or(group.done, self._is_done(live, finished_scores, info))
        next_state = BeamState(live, coverage, finished, finished_scores, done)
        return continued.tokens, continued.parents, keep(group.done, group, next_state)

    def _extend(
        self, group: BeamState, chosen, info: StepInfo
    ) -> tuple[Hypotheses, Tensor | tuple]:
        """The hypotheses that `chosen` makes of the live ones, and what each has covered."""
        weights = None if info.attention is None else gather_beams(info.attention, chosen.parents)
        live = extend(
            gather_beams(group.live, chosen.parents),
            chosen.tokens,
            chosen.log_probs,
            info._replace(attention=weights),
        )
        if isinstance(group.coverage, tuple):
            return live, ()
        return live, gather_beams(group.coverage, chosen.parents) + weights

    def _update_finished(self, group: BeamState, new: Hypotheses, coverage, info: StepInfo):
        """The best that have ended, and their scores, with those of `new` among them."""
        scores = new.scores / self._penalty(info.index + 1)
        if self.needs_weights:
            covered = ops.log(ops.clip(coverage, 1e-10, 1.0))
            if info.source_mask is not None:
                covered = ops.where(info.source_mask[:, None], covered, 0.0)
            scores = scores + self.coverage_penalty * ops.sum(covered, axis=-1)
        counts = ops.logical_and(new.ended, new.scores > NEG_INF / 2)
        scores = ops.concatenate(
            [group.finished_scores, ops.where(counts, scores, NEG_INF)], axis=1
        )
        joined = tree.map_structure(lambda a, b: ops.concatenate([a, b], 1), group.finished, new)
        scores, best = ops.top_k(scores, self.kept)
        return gather_beams(joined, best), scores

    def _is_done(self, live: Hypotheses, finished_scores: Tensor, info: StepInfo) -> Tensor:
        """(batch,): nothing may change, or no live hypothesis can reach the finished any more."""
        best, worst = ops.max(live.scores, axis=1), ops.min(finished_scores, axis=1)
        full = worst > NEG_INF / 2
        # Scores only fall, so this is the most that the best one can rank when it ends.
        beaten = best / self._penalty(info.limits) <= worst
        is_decided = ops.logical_and(full, True if self.early_stopping else beaten)
        dead = best <= NEG_INF / 2
        return ops.logical_or(ops.logical_or(is_decided, dead), at_limit(info))

    def _penalty(self, length: Tensor) -> Tensor:
        """What the score of a hypothesis of `length` tokens, the end included, is divided by."""
        length = ops.cast(length, "float32")
        if isinstance(self.length_penalty, str):  # "average"
            return length
        return ((5.0 + length) / 6.0) ** self.length_penalty

    def finish(self, progress: DiverseBeamState) -> Hypotheses:
        """The `n_best` of each source; where fewer have ended, those that were cut off follow."""
        groups = progress.groups
        every = [group.finished for group in groups] + [group.live for group in groups]
        every = tree.map_structure(lambda *tensors: ops.concatenate(tensors, 1), *every)
        finished_scores = ops.concatenate([group.finished_scores for group in groups], 1)
        scores = ops.concatenate([group.live.scores for group in groups], 1)
        # What has not ended comes last. The dtype is named: Keras's `floatx` would choose another.
        missing = 2 * ops.cast(finished_scores <= NEG_INF / 2, "int32")
        kind = ops.concatenate([missing, ops.ones_like(scores, "int32")], 1)
        finished_scores = ops.concatenate([finished_scores, scores], 1)
        rank = ops.argsort(ops.argsort(-finished_scores, axis=1), axis=1)  # 0 for the highest rank
        order = ops.argsort(ops.cast(rank, "int32") + kind * finished_scores.shape[1], axis=1)
        every = every._replace(
            scores=ops.where(ops.equal(kind, 2), NEG_INF, every.scores),
        )
        return gather_beams(every, order[:, : self.n_best])


class _Candidates(NamedTuple):
    parents: Tensor  # (batch, candidates), which live hypothesis goes on
    tokens: Tensor  # (batch, candidates), with what
    log_probs: Tensor  # (batch, candidates), the log-probability of it


def gather_beams(structure, index: Tensor):
    """Tensors (batch, size, ...) with the entries `index` (batch, count) of their second axis."""
    index = ops.cast(index, "int32")
    batch, count = ops.shape(index)

    def take(tensor):
        size, trailing = ops.shape(tensor)[1], ops.shape(tensor)[2:]
        rows = ops.reshape(index + ops.arange(batch, dtype="int32")[:, None] * size, (-1,))
        taken = ops.take(ops.reshape(tensor, (-1, *trailing)), rows, axis=0)
        return ops.reshape(taken, (batch, count, *trailing))

    return tree.map_structure(take, structure)
