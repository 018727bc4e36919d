"""Cell: one recurrent layer of a stack, with dropout, residual connections and normalization."""

import math
from dataclasses import asdict, dataclass

import keras

from seq2seq.layers.lstm import LSTMState
from seq2seq.layers.normalized import NormalizedGRU, NormalizedLSTM, NormalizedRNN
from seq2seq.layers.recurrent import GRU, LSTM, RNNState, SimpleRNN, State
from seq2seq.layers.weight_settings import Initializer, Regularizer, serialize_setting
from seq2seq.runtime.validation import check_choice, check_flag, check_rate

CELLS = {  # kind: its layer, its normalized layer, its state
    "lstm": (LSTM, NormalizedLSTM, LSTMState),
    "gru": (GRU, NormalizedGRU, RNNState),
    "rnn": (SimpleRNN, NormalizedRNN, RNNState),
}
WEIGHT_SETTINGS = (
    *("kernel_initializer", "recurrent_initializer"),
    *("kernel_regularizer", "recurrent_regularizer"),
)


@dataclass(frozen=True)
class Cell:
    """Configuration of the recurrent layers of a stack.

    Dropout masks are drawn anew for each example. Recurrent kernels start orthogonal, as in Keras.

    Args:
        kind: `"lstm"`, `"gru"` or `"rnn"` (Elman's).
        dropout: dropout rate of the inputs of each layer.
        recurrent_dropout: dropout rate of the hidden state before the gates, with one mask for all
            steps.
        residual: whether each layer but the first adds its inputs to its outputs.
        layer_norm: layer normalization of the gates (Ba et al. 2016). Several times slower.
        forget_bias: initial bias of the forget gate; 1 lets gradients through from the beginning
            (Jozefowicz et al. 2015). LSTM only.
        variational: one dropout mask for a whole sequence (Gal and Ghahramani 2016, as in Keras);
            else a mask for each step (Zaremba et al. 2014, as in PyTorch).
        output_dropout: dropout rate of the outputs of the top layer, and of the attention context
            or attentional vector that a decoder reads; None: equal to `dropout`; 0: none, as in
            PyTorch's layers and its tutorial.
        kernel_initializer, recurrent_initializer: initial weights from the inputs and from the
            hidden state, as of `keras.layers.LSTM`: a name (`"he_normal"`) or an object; None:
            Keras's defaults, Glorot's and orthogonal.
        kernel_regularizer, recurrent_regularizer: penalties of the same weights, in the loss; a
            name (`"l2"`) or an object; None: no penalty.

    Raises:
        ValueError: an unknown kind or name, a rate outside [0, 1), or a forget bias of another
            kind.
    """

    kind: str = "lstm"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    residual: bool = False
    layer_norm: bool = False
    forget_bias: float | None = None
    variational: bool = True
    output_dropout: float | None = None
    kernel_initializer: Initializer = None
    recurrent_initializer: Initializer = None
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None

    def __post_init__(self):
        check_choice("cell.kind", self.kind, tuple(CELLS))
        check_rate("cell.dropout", self.dropout)
        check_rate("cell.recurrent_dropout", self.recurrent_dropout)
        if self.output_dropout is not None:
            check_rate("cell.output_dropout", self.output_dropout)
        check_flag("cell.residual", self.residual)
        check_flag("cell.layer_norm", self.layer_norm)
        check_flag("cell.variational", self.variational)
        for name in WEIGHT_SETTINGS:
            value = serialize_setting(name, getattr(self, name))
            object.__setattr__(self, name, value)  # for JSON, and to be compared
        bias = self.forget_bias
        number = isinstance(bias, int | float) and not isinstance(bias, bool)
        if bias is not None and not (number and math.isfinite(bias)):
            raise ValueError(f"cell.forget_bias must be a finite number, got {bias!r}")
        if bias is not None and self.kind != "lstm":
            raise ValueError(
                f"cell.forget_bias={bias} applies to cell.kind=lstm only, got kind={self.kind}"
            )

    @classmethod
    def of(cls, cell: "Cell | str | dict | None") -> "Cell":
        """Convert a cell, its kind, the result of `to_config`, or None (a plain LSTM) to a cell."""
        if isinstance(cell, Cell):
            return cell
        if isinstance(cell, dict):
            return cls(**cell)
        return cls() if cell is None else cls(cell)

    def to_config(self) -> dict:
        """Dictionary for JSON."""
        return asdict(self)

    def state_sizes(self, units: int) -> State:
        """Structure of one layer's state, with sizes in place of tensors."""
        state = CELLS[self.kind][2]
        return state(*[units] * len(state._fields))

    def build_layer(self, units: int, input_size: int, name: str, dtype: str | None) -> keras.Layer:
        """Recurrent layer with its weights."""
        cls = CELLS[self.kind][1 if self.layer_norm else 0]
        settings = {key: getattr(self, key) for key in WEIGHT_SETTINGS}
        settings = {key: value for key, value in settings.items() if value is not None}
        layer = cls(
            units, return_sequences=True, return_state=True, name=name, dtype=dtype, **settings
        )
        layer.build((None, None, input_size))
        if self.forget_bias is not None:
            bias = keras.ops.convert_to_numpy(layer.cell.bias).copy()
            bias[units : 2 * units] = self.forget_bias
            layer.cell.bias.assign(bias)
        return layer
