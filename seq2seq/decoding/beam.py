"""Beam search: the best of several hypotheses that are extended side by side."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from keras import ops

from seq2seq.decoding.diverse_beam import (
    DiverseBeamState,
    initialize_groups,
    join_groups,
    step_groups,
)
from seq2seq.decoding.search import (
    MAX_HYPOTHESES,
    NEG_INF,
    Hypotheses,
    StepInfo,
    Strategy,
    append_token,
    at_limit,
)
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.structure import flatten_tensors, map_tensors, select
from seq2seq.runtime.validation import check_count, check_flag, check_number

AVERAGE = "average"
MAX_PENALTY, MAX_WEIGHT = 10, 1e6  # scores and their terms stay finite


class BeamState(NamedTuple):
    """State of a beam search, of one group of `width` hypotheses per source.

    Attributes:
        live: (batch, width, ...), hypotheses without an end, the best first.
        coverage: (batch, width, source time), sum of the attention of each; None without a
            coverage penalty.
        finished: (batch, kept, ...), the best hypotheses with an end, the best first.
        finished_scores: (batch, kept), their scores with penalties; `NEG_INF` where fewer have
            ended.
        done: (batch,), True where nothing changes any more.
    """

    live: Hypotheses
    coverage: Tensor | None
    finished: Hypotheses
    finished_scores: Tensor
    done: Tensor


class Candidates(NamedTuple):
    """Continuations of live hypotheses, (batch, candidates) each.

    Attributes:
        parents: the live hypothesis that is continued.
        tokens: its next token.
        log_probs: log-probability of the token.
    """

    parents: Tensor
    tokens: Tensor
    log_probs: Tensor


@dataclass(frozen=True)
class Beam(Strategy):
    """Beam search: extends the `width` likeliest hypotheses of each source at once.

    Hypotheses that have ended are stored beside the live ones. Without early stopping the search
    for a source ends as soon as no live hypothesis can rank among the `n_best` any more: the
    result is the best that this width can find, and does not depend on the other sources.

    Args:
        width: number of live hypotheses per source; more find likelier targets, and take longer.
        length_penalty: divisor of the log-probabilities that are compared, since every token makes
            them less: a number alpha for ((5 + length) / 6) ** alpha (Wu et al. 2016, eq. 14; 0.6
            to 1 is usual), `"average"` for the length, which counts the end; 0, the default: none,
            the likeliest target wins.
        coverage_penalty: beta of Wu et al. 2016, eq. 14: prefers hypotheses that attended to all of
            the source; 0: none. Needs attention weights.
        n_best: number of hypotheses that are returned, at most `width`.
        early_stopping: whether a search ends with the first `n_best` hypotheses that end, which is
            faster and may miss better ones.
        num_groups: number of groups of equal width, each of which avoids the tokens of the groups
            before it (Vijayakumar et al. 2016); 1: plain beam search.
        diversity_penalty: subtracted for each such token (lambda there, 0.2 to 0.8 is usual).

    Raises:
        ValueError: a size below 1 or above 10,000, a length penalty below 0 or above 10, another
            penalty below 0, more `n_best` than `width`, or groups of unequal width.
    """

    width: int = 5
    length_penalty: float | str = 0.0
    coverage_penalty: float = 0.0
    n_best: int = 1
    early_stopping: bool = False
    num_groups: int = 1
    diversity_penalty: float = 0.5
    name = "beam"

    def __post_init__(self):
        for field in ("width", "n_best", "num_groups"):
            check_count(f"decoding.{field}", self.__dict__[field], maximum=MAX_HYPOTHESES)
        check_flag("decoding.early_stopping", self.early_stopping)
        if self.length_penalty != AVERAGE:
            if isinstance(self.length_penalty, str):
                raise ValueError(
                    f'decoding.length_penalty must be a number or "{AVERAGE}", got '
                    f"{self.length_penalty!r}"
                )
            check_number("decoding.length_penalty", self.length_penalty, maximum=MAX_PENALTY)
        check_number("decoding.coverage_penalty", self.coverage_penalty, maximum=MAX_WEIGHT)
        check_number("decoding.diversity_penalty", self.diversity_penalty, maximum=MAX_WEIGHT)
        if self.n_best > self.width:
            raise ValueError(
                f"a beam of width {self.width} has no {self.n_best} best hypotheses; "
                f"set width={self.n_best} or more"
            )
        if self.width % self.num_groups:
            larger = self.num_groups * (self.width // self.num_groups + 1)
            raise ValueError(
                f"decoding.width must be a multiple of num_groups={self.num_groups}, got "
                f"{self.width}; set width={larger}"
            )

    @property
    def needs_weights(self) -> bool:
        """Whether it needs attention weights."""
        return not (np.isscalar(self.coverage_penalty) and self.coverage_penalty == 0)

    @property
    def dynamic_fields(self) -> tuple[str, ...]:
        """See `Strategy`; without a coverage penalty no coverage is computed."""
        penalties = ("length_penalty", "diversity_penalty")
        return (*penalties, "coverage_penalty") if self.needs_weights else penalties

    @property
    def size(self) -> int:
        """Hypotheses per source."""
        return self.width

    @property
    def group_width(self) -> int:
        """Live hypotheses of a group."""
        return self.width // self.num_groups

    @property
    def finished_size(self) -> int:
        """Hypotheses with an end that a group stores."""
        return -(-self.n_best // self.num_groups)

    def initialize(self, live: Hypotheses, limits: Tensor) -> BeamState | DiverseBeamState:
        """State before the first step; see `Strategy.initialize`."""
        if self.num_groups > 1:
            return initialize_groups(self, live, limits)
        return self.initialize_group(live, limits)

    def step(
        self, log_probs: Tensor, state: BeamState | DiverseBeamState, info: StepInfo
    ) -> tuple[Tensor, Tensor, BeamState | DiverseBeamState]:
        """Extend the hypotheses by a token; see `Strategy.step`."""
        if self.num_groups > 1:
            return step_groups(self, log_probs, state, info)
        return self.step_group(log_probs, state, info)

    def finalize(self, state: BeamState | DiverseBeamState) -> Hypotheses:
        """The `n_best` of each source; where fewer have ended, live ones follow."""
        state = join_groups(state) if self.num_groups > 1 else state
        finished_scores, live_scores = state.finished_scores, state.live.scores
        hypotheses = map_tensors(
            lambda *tensors: ops.concatenate(tensors, 1), state.finished, state.live
        )
        # 0: finished, 1: live, 2: no hypothesis. The dtype is named, or Keras's floatx would be.
        missing = 2 * ops.cast(finished_scores <= NEG_INF / 2, "int32")
        kind = ops.concatenate([missing, ops.ones_like(live_scores, "int32")], 1)
        scores = ops.concatenate([finished_scores, live_scores], 1)
        rank = ops.argsort(ops.argsort(-scores, axis=1), axis=1)  # 0 for the highest score
        order = ops.argsort(ops.cast(rank, "int32") + kind * scores.shape[1], axis=1)
        hypotheses = hypotheses._replace(
            scores=ops.where(ops.equal(kind, 2), NEG_INF, hypotheses.scores)
        )
        return gather_beams(hypotheses, order[:, : self.n_best])

    def initialize_group(self, live: Hypotheses, limits: Tensor) -> BeamState:
        """State of a group before the first step; see `Strategy.initialize`."""
        width = self.group_width
        live = map_tensors(lambda tensor: tensor[:, :width], live)
        finished = map_tensors(
            lambda tensor: ops.repeat(tensor[:, :1], self.finished_size, 1), live
        )
        # All are equal at first: only one of them may be extended.
        is_copy = ops.arange(width, dtype="int32") > 0
        live = live._replace(scores=ops.where(is_copy, NEG_INF, live.scores))
        finished_scores = ops.full_like(finished.scores, NEG_INF)
        coverage = ops.zeros_like(live.attention[:, :, 0]) if self.needs_weights else None
        return BeamState(live, coverage, finished, finished_scores, done=limits <= 0)

    def step_group(
        self,
        log_probs: Tensor,
        state: BeamState,
        info: StepInfo,
        diversity_penalty: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, BeamState]:
        """Extend the hypotheses of a group; see `Strategy.step`.

        Args:
            log_probs, state, info: of the group, see there.
            diversity_penalty: (batch, 1, symbols), penalty from earlier groups; None: no penalty.
        """
        width, symbols = log_probs.shape[1], ops.shape(log_probs)[-1]
        totals = state.live.scores[..., None] + log_probs  # (batch, width, symbols)
        if diversity_penalty is not None:
            totals = totals - diversity_penalty
        # As many end at most as are live, so 2 * width candidates leave width that do not.
        _, best = ops.top_k(ops.reshape(totals, (-1, width * symbols)), 2 * width)
        best = ops.cast(best, "int32")  # (batch, 2 * width), indices into (width * symbols)
        log_probs = ops.take_along_axis(ops.reshape(log_probs, (-1, width * symbols)), best, axis=1)
        candidates = Candidates(best // symbols, best % symbols, log_probs)
        # The best `width` candidates without an end are live.
        ends = ops.cast(ops.equal(candidates.tokens, info.end_id), "int32")
        positions = ops.arange(2 * width, dtype="int32") + 2 * width * ends
        continued = gather_beams(candidates, ops.argsort(positions, axis=1)[:, :width])
        live, coverage = self._extend(state, continued, info)
        # Only those among the best `width` count as ended: a beam of one is then greedy.
        leading = map_tensors(lambda tensor: tensor[:, :width], candidates)
        finished, finished_scores = self._update_finished(
            state, *self._extend(state, leading, info), info
        )
        done = ops.logical_or(state.done, self._is_done(live, finished_scores, info))
        next_state = BeamState(live, coverage, finished, finished_scores, done)
        return continued.tokens, continued.parents, select(state.done, state, next_state)

    def _extend(
        self, state: BeamState, candidates: Candidates, info: StepInfo
    ) -> tuple[Hypotheses, Tensor | None]:
        """Hypotheses of the candidates, and the coverage of each."""
        parents = candidates.parents
        weights = None if info.attention is None else gather_beams(info.attention, parents)
        live = append_token(
            gather_beams(state.live, parents),
            candidates.tokens,
            candidates.log_probs,
            info._replace(attention=weights),
        )
        if state.coverage is None:
            return live, None
        return live, gather_beams(state.coverage, parents) + weights

    def _update_finished(self, state: BeamState, new: Hypotheses, coverage, info: StepInfo):
        """The best hypotheses that have ended, with those of `new` among them; their scores."""
        scores = new.scores / self._length_penalty(info.index + 1)
        if self.needs_weights:
            log_coverage = ops.log(ops.clip(coverage, 1e-10, 1.0))
            if info.source_mask is not None:
                log_coverage = ops.where(info.source_mask[:, None], log_coverage, 0.0)
            scores = scores + self.coverage_penalty * ops.sum(log_coverage, axis=-1)
        is_finished = ops.logical_and(new.ended, new.scores > NEG_INF / 2)
        scores = ops.concatenate(
            [state.finished_scores, ops.where(is_finished, scores, NEG_INF)], axis=1
        )
        joined = map_tensors(lambda a, b: ops.concatenate([a, b], 1), state.finished, new)
        scores, best = ops.top_k(scores, self.finished_size)
        return gather_beams(joined, best), scores

    def _is_done(self, live: Hypotheses, finished_scores: Tensor, info: StepInfo) -> Tensor:
        """(batch,): the limit is reached, or no live hypothesis can replace a finished one."""
        best, worst = ops.max(live.scores, axis=1), ops.min(finished_scores, axis=1)
        is_full = worst > NEG_INF / 2
        # Scores only fall, so this bounds the score of the best live one when it ends.
        is_beaten = best / self._length_penalty(info.limits) <= worst
        is_decided = ops.logical_and(is_full, True if self.early_stopping else is_beaten)
        is_stuck = best <= NEG_INF / 2
        return ops.logical_or(ops.logical_or(is_decided, is_stuck), at_limit(info))

    def _length_penalty(self, length: Tensor) -> Tensor:
        """Divisor of the score of a hypothesis of `length` tokens, the end included."""
        length = ops.cast(length, "float32")
        if isinstance(self.length_penalty, str):  # "average"
            return length
        return ((5.0 + length) / 6.0) ** self.length_penalty


def gather_beams(structure, index: Tensor):
    """Entries `index` (batch, count) of the second axis of tensors (batch, size, ...)."""
    batch, count = ops.shape(index)
    size = ops.shape(flatten_tensors(structure)[0][0])[1]
    first = size * ops.arange(batch, dtype="int32")[:, None]  # row of each source's entry 0
    rows = ops.reshape(ops.cast(index, "int32") + first, (-1,))  # (batch * count,)

    def gather(tensor):
        trailing = ops.shape(tensor)[2:]
        gathered = ops.take(ops.reshape(tensor, (-1, *trailing)), rows, axis=0)
        return ops.reshape(gathered, (batch, count, *trailing))

    return map_tensors(gather, structure)
