"""LSTM, GRU and simple RNN with layer normalization of their gates (Ba et al. 2016)."""

import keras
from keras import ops

from seq2seq.layers.lstm import LSTMGates, LSTMState, Tensor
from seq2seq.layers.recurrent import GRU, LSTM, Parts, RNNState, SimpleRNN, unroll


class Normalised:
    """Layer normalisation of the gates' two parts, before they are added (Ba et al. 2016).

    A mixin over a layer with a `step`; whole sequences run by their steps.
    """

    def build(self, sequences_shape, initial_state_shape=None):
        """Create the weights, Keras's and the norms'."""
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
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        sequence, state = unroll(self.step, sequences, kind(*initial_state), mask)
        return state.hidden, sequence, list(state)


@keras.saving.register_keras_serializable("seq2seq")
class NormalisedLSTM(Normalised, Parts, LSTM):
    """An LSTM whose gates and cell are normalised (Ba et al. 2016, equations 20-22)."""

    def step(
        self, inputs: Tensor, state: LSTMState, recurrent_mask: Tensor | None = None
    ) -> LSTMState:
        """One step; see `LSTM.step`."""
        masked_hidden = state.hidden if recurrent_mask is None else state.hidden * recurrent_mask
        i, f, g, o = self._gates(inputs, masked_hidden)
        cell = f * state.cell + i * g
        hidden = o * ops.tanh(self.norms[2](cell))
        return LSTMState(hidden, cell)

    def gates(self, inputs: Tensor, state: LSTMState) -> LSTMGates:
        """The gates of the step from `state`; see `LSTM.gates`."""
        return self._gates(inputs, state.hidden)

    def _gates(self, inputs: Tensor, hidden: Tensor) -> LSTMGates:
        x, h = self.parts(inputs, hidden)
        i, f, g, o = ops.split(x + h + self.biases(), 4, axis=-1)
        return LSTMGates(ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o))


@keras.saving.register_keras_serializable("seq2seq")
class NormalisedGRU(Normalised, GRU):
    """A GRU whose gates' two parts are normalised."""


@keras.saving.register_keras_serializable("seq2seq")
class NormalisedRNN(Normalised, SimpleRNN):
    """A simple RNN whose two parts are normalised."""
