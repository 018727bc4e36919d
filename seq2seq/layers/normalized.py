"""LSTM, GRU and simple RNN with layer normalization of their gates (Ba et al. 2016)."""

import keras
from keras import ops

from seq2seq.layers.lstm import LSTMGates, LSTMState, Tensor
from seq2seq.layers.recurrent import (
    GRU,
    LSTM,
    GateInputs,
    RNNState,
    SimpleRNN,
    in_reading_order,
    unroll,
)


class Normalized:
    """Layer normalization of both terms of the gate pre-activations (Ba et al. 2016).

    A mixin over a layer with a `step`; sequences run step by step.
    """

    def build(self, sequences_shape, initial_state_shape=None):
        """Create the weights of the layer and of its normalizations."""
        super().build(sequences_shape)
        width = self.cell.recurrent_kernel.shape[-1]
        sizes = {"inputs_norm": width, "hidden_norm": width}
        if isinstance(self, LSTM):
            sizes["cell_norm"] = self.units
        self.norms = []
        for name, size in sizes.items():
            # The gates have a bias already; the cell has none.
            norm = keras.layers.LayerNormalization(
                center=name == "cell_norm", name=name, dtype=self.dtype_policy
            )
            norm.build((None, size))
            self.norms.append(norm)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Keras's hook for the loop over time: last output, all outputs, last states."""
        kind = LSTMState if isinstance(self, LSTM) else RNNState
        sequences, mask = in_reading_order(self, sequences, mask)
        outputs, state = unroll(self.step, sequences, kind(*initial_state), mask)
        return state.hidden, outputs, list(state)


@keras.saving.register_keras_serializable("seq2seq")
class NormalizedLSTM(Normalized, GateInputs, LSTM):
    """LSTM with layer normalization of gates and cell state (Ba et al. 2016, eqs. 20-22)."""

    def step(
        self, inputs: Tensor, state: LSTMState, recurrent_mask: Tensor | None = None
    ) -> LSTMState:
        """Compute one step; see `LSTM.step`."""
        masked_hidden = state.hidden if recurrent_mask is None else state.hidden * recurrent_mask
        i, f, g, o = self._gates(inputs, masked_hidden)
        cell = f * state.cell + i * g
        hidden = o * ops.tanh(self.norms[2](cell))
        return LSTMState(hidden, cell)

    def gates(self, inputs: Tensor, state: LSTMState) -> LSTMGates:
        """Gate activations of the step from `state`; see `LSTM.gates`."""
        return self._gates(inputs, state.hidden)

    def _gates(self, inputs: Tensor, hidden: Tensor) -> LSTMGates:
        x, h = self.gate_inputs(inputs, hidden)
        i, f, g, o = ops.split(x + h + self.cast_bias(), 4, axis=-1)
        return LSTMGates(ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o))


@keras.saving.register_keras_serializable("seq2seq")
class NormalizedGRU(Normalized, GRU):
    """GRU with layer normalization of both terms of its gates."""


@keras.saving.register_keras_serializable("seq2seq")
class NormalizedRNN(Normalized, SimpleRNN):
    """Simple RNN with layer normalization of both terms."""
