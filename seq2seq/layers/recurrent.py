"""The other recurrent layers: GRU, simple RNN, and all three with layer normalisation.

Each has Keras's weights and a `step`, as `LSTM` has. `Cell` names one of them with what surrounds
it: dropout, residual connections, normalisation.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.backend import unroll
from seq2seq.layers.lstm import (
    LSTM,
    LSTMGates,
    LSTMState,
    Tensor,
    check_standard,
    in_order,
    runs_by_hand,
    weights_of,
)
from seq2seq.runtime.validation import check_choice, check_flag, check_rate


class RNNState(NamedTuple):
    """What a GRU or a simple RNN remembers between two steps.

    Attributes:
        hidden: (batch, units), what it says.
    """

    hidden: Tensor


State = LSTMState | RNNState


class GRUGates(NamedTuple):
    """How open the gates of a step are, (batch, units) each, or with a time axis.

    Attributes:
        z: of the update gate, how much of the hidden state is kept: 0 to 1.
        r: of the reset gate, how much of it the candidate sees: 0 to 1.
        g: the candidate: -1 to 1.
    """

    z: Tensor
    r: Tensor
    g: Tensor


def gru_gates(x: Tensor, h: Tensor) -> GRUGates:
    """The gates of the step that `gru_step` makes of the same arguments."""
    x_z, x_r, x_g = ops.split(x, 3, axis=-1)
    h_z, h_r, h_g = ops.split(h, 3, axis=-1)
    z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
    return GRUGates(z, r, ops.tanh(x_g + r * h_g))


def gru_step(x: Tensor, h: Tensor, hidden: Tensor) -> RNNState:
    """One step of the gated recurrent unit (Cho et al. 2014), with the reset after the product.

        z, r = sigmoid(x + h)                     update gate, reset gate
        g = tanh(x + r * h)                       candidate
        h' = z * hidden + (1 - z) * g

    Args:
        x: the inputs' part of the gates z, r, g with its bias, (batch, 3 * units).
        h: the hidden state's part, with its own bias, (batch, 3 * units).
        hidden: (batch, units).
    """
    z, _, candidate = gru_gates(x, h)
    return RNNState(z * hidden + (1 - z) * candidate)


def run(
    step: Callable, inputs: Tensor, state: State, mask: Tensor | None = None
) -> tuple[Tensor, State]:
    """A whole sequence by its steps; masked steps change nothing.

    Args:
        step: `step(inputs, state) -> state`.
        inputs: (batch, time, features).
        state: before the first step.
        mask: (batch, time), True for real steps; None: all are.

    Returns:
        The hidden state after each step, (batch, time, units), and the last state.
    """

    state, sequence = _go(step, inputs, state, mask, lambda after: after.hidden)
    return sequence, state


def follow(step: Callable, inputs: Tensor, state: State, mask: Tensor | None = None) -> State:
    """The whole state after each step, (batch, time, units) each; see `run`."""
    return _go(step, inputs, state, mask, lambda after: after)[1]


def _go(step: Callable, inputs: Tensor, state: State, mask, show: Callable) -> tuple[State, Any]:
    def advance(state, now):
        after = step(now[0], state)
        if mask is not None:
            real = now[1][:, None]  # (batch, 1)
            after = tree.map_structure(lambda a, b: ops.where(real, a, b), after, state)
        return after, show(after)

    sequences = (inputs,) if mask is None else (inputs, ops.cast(mask, "bool"))
    return unroll(advance, state, sequences)


class Parts:
    """How GRU, simple RNN and the normalised layers see their gates: an inputs' and a hidden part.

    `norms` are empty, or two layers (of an LSTM three) that normalise the parts (Ba et al. 2016).
    """

    norms = ()

    def parts(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """`inputs` and `hidden` times their kernels, normalised if this layer does; no bias."""
        check_standard(self)
        kernels = (self.cell.kernel, self.cell.recurrent_kernel)
        products = [
            ops.matmul(vector, ops.cast(kernel, self.compute_dtype))
            for vector, kernel in zip((inputs, hidden), kernels, strict=True)
        ]
        if self.norms:
            products = [norm(part) for norm, part in zip(self.norms, products, strict=False)]
        return tuple(products)

    def biases(self) -> Tensor:
        """The bias in the dtype that this layer computes with."""
        return ops.cast(self.cell.bias, self.compute_dtype)


@keras.saving.register_keras_serializable("seq2seq")
class GRU(Parts, keras.layers.GRU):
    """`keras.layers.GRU` with a step of its own: same arguments, weights and numbers."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """See `LSTM.inner_loop`: trained on a CPU it is `gru_sequence`."""
        if not runs_by_hand(self, training):
            return super().inner_loop(sequences, initial_state, mask, training)
        from seq2seq.layers.kernels import gru_sequence  # it reads the states' modules

        hidden = initial_state[0] if isinstance(initial_state, list | tuple) else initial_state
        sequences, mask = in_order(self, sequences, mask)
        said, hidden = gru_sequence(sequences, hidden, weights_of(self), mask)
        return hidden, said, [hidden]

    def step(self, inputs: Tensor, state: RNNState, kept: Tensor | None = None) -> RNNState:
        """One step; see `LSTM.step`."""
        seen = state.hidden if kept is None else state.hidden * kept
        return gru_step(*self._biased(inputs, seen), state.hidden)

    def gates(self, inputs: Tensor, state: RNNState) -> GRUGates:
        """The gates of the step from `state`; see `LSTM.gates`."""
        return gru_gates(*self._biased(inputs, state.hidden))

    def _biased(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x, h = self.parts(inputs, hidden)
        x_bias, h_bias = ops.unstack(self.biases(), 2)
        return x + x_bias, h + h_bias


@keras.saving.register_keras_serializable("seq2seq")
class SimpleRNN(Parts, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` with a step of its own: h' = tanh(x W + h U + b) (Elman 1990)."""

    def step(self, inputs: Tensor, state: RNNState, kept: Tensor | None = None) -> RNNState:
        """One step; see `LSTM.step`."""
        seen = state.hidden if kept is None else state.hidden * kept
        x, h = self.parts(inputs, seen)
        return RNNState(ops.tanh(x + h + self.biases()))

    def gates(self, inputs: Tensor, state: RNNState) -> tuple:
        """Nothing: it has none."""
        return ()


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
        sequence, state = run(self.step, sequences, kind(*initial_state), mask)
        return state.hidden, sequence, list(state)


@keras.saving.register_keras_serializable("seq2seq")
class NormalisedLSTM(Normalised, Parts, LSTM):
    """An LSTM whose gates and cell are normalised (Ba et al. 2016, equations 20-22)."""

    def step(self, inputs: Tensor, state: LSTMState, kept: Tensor | None = None) -> LSTMState:
        """One step; see `LSTM.step`."""
        seen = state.hidden if kept is None else state.hidden * kept
        i, f, g, o = self._opened(inputs, seen)
        cell = f * state.cell + i * g
        hidden = o * ops.tanh(self.norms[2](cell))
        return LSTMState(hidden, cell)

    def gates(self, inputs: Tensor, state: LSTMState) -> LSTMGates:
        """The gates of the step from `state`; see `LSTM.gates`."""
        return self._opened(inputs, state.hidden)

    def _opened(self, inputs: Tensor, hidden: Tensor) -> LSTMGates:
        x, h = self.parts(inputs, hidden)
        i, f, g, o = ops.split(x + h + self.biases(), 4, axis=-1)
        return LSTMGates(ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o))


@keras.saving.register_keras_serializable("seq2seq")
class NormalisedGRU(Normalised, GRU):
    """A GRU whose gates' two parts are normalised."""


@keras.saving.register_keras_serializable("seq2seq")
class NormalisedRNN(Normalised, SimpleRNN):
    """A simple RNN whose two parts are normalised."""


KINDS = {  # of a cell: its layer, its normalised layer, its state
    "lstm": (LSTM, NormalisedLSTM, LSTMState),
    "gru": (GRU, NormalisedGRU, RNNState),
    "rnn": (SimpleRNN, NormalisedRNN, RNNState),
}


@dataclass(frozen=True)
class Cell:
    """What one recurrent layer of a stack is.

    Dropout masks are drawn anew for each example. Recurrent kernels start orthogonal, as in Keras.

    Args:
        kind: `"lstm"`, `"gru"` or `"rnn"` (Elman's).
        dropout: share dropped of what each layer reads.
        recurrent_dropout: share of the hidden state that the gates do not see, the same at every
            step.
        residual: whether each layer but the first adds what it reads to what it says.
        layer_norm: whether the gates are normalised (Ba et al. 2016). Several times slower.
        forget_bias: where the forget gate's bias starts; 1 lets gradients through from the
            beginning (Jozefowicz et al. 2015). LSTM only.
        variational: whether dropout has one mask for a whole sequence (Gal and Ghahramani 2016,
            as Keras does); else each step has its own (Zaremba et al. 2014, as PyTorch does).
        output_dropout: share dropped of what the top layer says, and, where a decoder reads it, of
            what attention made of that; None: as much as `dropout`, 0: none, as PyTorch's layers
            and its tutorial do.

    Raises:
        ValueError: an unknown kind, a share outside [0, 1), or a forget bias of another kind.
    """

    kind: str = "lstm"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False
    forget_bias: float | None = None
    variational: bool = True
    output_dropout: float | None = None

    def __post_init__(self):
        check_choice("cell.kind", self.kind, tuple(KINDS))
        check_rate("cell.dropout", self.dropout)
        check_rate("cell.recurrent_dropout", self.recurrent_dropout)
        if self.output_dropout is not None:
            check_rate("cell.output_dropout", self.output_dropout)
        check_flag("cell.residual", self.residual)
        check_flag("cell.layer_norm", self.layer_norm)
        check_flag("cell.variational", self.variational)
        bias = self.forget_bias
        number = isinstance(bias, int | float) and not isinstance(bias, bool)
        if bias is not None and not (number and math.isfinite(bias)):
            raise ValueError(f"cell.forget_bias must be a finite number, got {bias!r}")
        if bias is not None and self.kind != "lstm":
            raise ValueError(f"cell.forget_bias={bias}: a cell of kind {self.kind} forgets nothing")

    @classmethod
    def of(cls, cell: "Cell | str | dict | None") -> "Cell":
        """A cell from itself, its kind, what `to_config` wrote, or None (a plain LSTM)."""
        if isinstance(cell, Cell):
            return cell
        if isinstance(cell, dict):
            return cls(**cell)
        return cls() if cell is None else cls(cell)

    def to_config(self) -> dict:
        """A dictionary for JSON."""
        return asdict(self)

    def sizes(self, units: int) -> State:
        """The structure of one layer's state, with sizes in place of tensors."""
        state = KINDS[self.kind][2]
        return state(*[units] * len(state._fields))

    def make(self, units: int, input_size: int, name: str, dtype: str | None) -> keras.Layer:
        """A built layer."""
        kind = KINDS[self.kind][1 if self.layer_norm else 0]
        layer = kind(units, return_sequences=True, return_state=True, name=name, dtype=dtype)
        layer.build((None, None, input_size))
        if self.forget_bias is not None:
            bias = keras.ops.convert_to_numpy(layer.cell.bias).copy()
            bias[units : 2 * units] = self.forget_bias
            layer.cell.bias.assign(bias)
        return layer
