"""Regression: the strategy for real-valued targets."""

from dataclasses import dataclass

from keras import ops

from seq2seq.decoding.search import Hypotheses, SearchState, StepInfo, Strategy, at_limit, set_at
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.structure import select


@dataclass(frozen=True)
class Regression(Strategy):
    """Real values, each fed back as predicted, up to the limit.

    Args:
        features: values per step.
    """

    features: int = 1
    name = "regression"
    for_tokens = False

    def initial_inputs(self, batch: Tensor, start_id: int) -> Tensor:
        """Zeros (batch, features)."""
        return ops.zeros((batch, self.features))

    def log_probs(self, logits: Tensor) -> Tensor:
        """Predicted values, unchanged."""
        return logits

    def initialize(self, live: Hypotheses, limits: Tensor) -> SearchState:
        """State with room for real values; see `Strategy.initialize`."""
        tokens = ops.broadcast_to(
            ops.zeros((self.features,), "float32"), (*ops.shape(live.tokens), self.features)
        )
        ended = (limits <= 0)[:, None]  # targets of no step have ended
        return SearchState(live._replace(tokens=tokens, ended=ended), ended)

    def step(
        self, log_probs: Tensor, state: SearchState, info: StepInfo
    ) -> tuple[Tensor, None, SearchState]:
        """Append the predicted values (batch, 1, features); see `Strategy.step`."""
        live = state.live
        extended = live._replace(
            tokens=set_at(live.tokens, info.index, log_probs),
            lengths=live.lengths + 1,
            ended=ops.broadcast_to(at_limit(info)[:, None], ops.shape(live.ended)),
        )
        live = select(state.done, live, extended)
        return log_probs, None, SearchState(live, live.ended)
