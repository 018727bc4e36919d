"""Cell: one recurrent layer of a stack, with dropout, residual connections and normalization."""

import math
from dataclasses import asdict, dataclass

import keras

from seq2seq.layers.lstm import LSTMState
from seq2seq.layers.normalized import NormalisedGRU, NormalisedLSTM, NormalisedRNN
from seq2seq.layers.recurrent import GRU, LSTM, RNNState, SimpleRNN, State
from seq2seq.runtime.validation import check_choice, check_flag, check_rate

CELLS = {  # of a cell: its layer, its normalised layer, its state
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
        check_choice("cell.kind", self.kind, tuple(CELLS))
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
        state = CELLS[self.kind][2]
        return state(*[units] * len(state._fields))

    def make(self, units: int, input_size: int, name: str, dtype: str | None) -> keras.Layer:
        """A built layer."""
        kind = CELLS[self.kind][1 if self.layer_norm else 0]
        layer = kind(units, return_sequences=True, return_state=True, name=name, dtype=dtype)
        layer.build((None, None, input_size))
        if self.forget_bias is not None:
            bias = keras.ops.convert_to_numpy(layer.cell.bias).copy()
            bias[units : 2 * units] = self.forget_bias
            layer.cell.bias.assign(bias)
        return layer
