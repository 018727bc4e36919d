"""Diverse beam search: groups of a beam that avoid each other's tokens (Vijayakumar et al. 2016).

The groups take each step in turn; a token costs a penalty for each time that an earlier group chose
it at the same step (Hamming diversity).
"""

from typing import Any, NamedTuple

from keras import ops

from seq2seq.decoding.search import Hypotheses, StepInfo
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.structure import map_tensors


class DiverseBeamState(NamedTuple):
    """State of a diverse beam search: the `BeamState` of each group."""

    groups: tuple[Any, ...]

    @property
    def done(self) -> Tensor:
        """(batch, groups)."""
        return ops.stack([group.done for group in self.groups], axis=1)


def initialize_groups(beam: Any, live: Hypotheses, limits: Tensor) -> DiverseBeamState:
    """State of all groups before the first step; see `Strategy.initialize`."""
    return DiverseBeamState((beam.initialize_group(live, limits),) * beam.num_groups)


def step_groups(
    beam: Any, log_probs: Tensor, state: DiverseBeamState, info: StepInfo
) -> tuple[Tensor, Tensor, DiverseBeamState]:
    """Step of every group, one after the other; see `Strategy.step`."""
    width, symbols = beam.group_width, ops.shape(log_probs)[-1]
    tokens, parents, groups, penalty = [], [], [], None
    for number, group in enumerate(state.groups):
        members = slice(number * width, (number + 1) * width)
        weights = None if info.attention is None else info.attention[:, members]
        group_tokens, group_parents, group = beam.step_group(
            log_probs[:, members], group, info._replace(attention=weights), penalty
        )
        tokens.append(group_tokens)
        parents.append(group_parents + number * width)
        groups.append(group)
        if number + 1 < beam.num_groups:
            counts = ops.sum(ops.one_hot(group_tokens, symbols), axis=1)  # (batch, symbols)
            group_penalty = beam.diversity_penalty * counts[:, None]
            penalty = group_penalty if penalty is None else penalty + group_penalty
    state = DiverseBeamState(tuple(groups))
    return ops.concatenate(tokens, 1), ops.concatenate(parents, 1), state


def join_groups(state: DiverseBeamState) -> Any:
    """One `BeamState` with the hypotheses of all groups side by side."""
    groups = [group._replace(done=group.done[:, None]) for group in state.groups]
    return map_tensors(lambda *tensors: ops.concatenate(tensors, 1), *groups)
