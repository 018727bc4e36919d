"""A stack of recurrent layers: the part that encoder and decoder share."""

import keras

from seq2seq.arguments import check_count, check_rate
from seq2seq.layers.lstm import LSTM, LSTMState, Tensor


@keras.saving.register_keras_serializable("seq2seq")
class Stack(keras.layers.Layer):
    """LSTM layers on top of each other; each returns its sequence to the next and its final state.

    Dropout (Zaremba et al. 2014) is applied to what each layer reads and to what the top layer
    says, never to the state.

    Args:
        input_size: features of the inputs.
        units: size of hidden and cell of every layer.
        layers: how many.
        dropout: share of the non-recurrent values dropped in training.
    """

    def __init__(
        self,
        input_size: int,
        units: int,
        layers: int = 1,
        dropout: float = 0.0,
        name: str = "stack",
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.supports_masking = True  # masks are arguments here, never attached to tensors
        self.input_size = check_count("input_size", input_size)
        self.units = check_count("units", units)
        self.dropout = check_rate("dropout", dropout)
        self.recurrent = [
            LSTM(units, return_sequences=True, return_state=True, name=f"layer_{n}", dtype=dtype)
            for n in range(check_count("layers", layers))
        ]
        self.dropouts = [
            keras.layers.Dropout(dropout, name=f"dropout_{n}", dtype=dtype)
            for n in range(layers + 1)
        ]

    @property
    def state_sizes(self) -> tuple[LSTMState, ...]:
        """The structure of the state, with sizes in place of tensors: one LSTMState a layer."""
        return tuple(LSTMState(self.units, self.units) for _ in self.recurrent)

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        size = self.input_size
        for layer in self.recurrent:
            layer.build((None, None, size))
            size = self.units

    def call(
        self,
        inputs: Tensor,
        state: tuple[LSTMState, ...] | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, tuple[LSTMState, ...]]:
        """A whole sequence.

        Args:
            inputs: (batch, time, input_size).
            state: the state of each layer before the first step; None: zeros.
            mask: (batch, time), True for real steps; handed to every layer, since Keras's layers
                do not pass masks on.
            training: whether dropout is applied.

        Returns:
            The top layer's sequence (batch, time, units), and each layer's state after its last
            real step.
        """
        sequence, states = inputs, []
        for number, layer in enumerate(self.recurrent):
            sequence = self.dropouts[number](sequence, training=training)
            before = None if state is None else list(state[number])
            sequence, hidden, cell = layer(
                sequence, initial_state=before, mask=mask, training=training
            )
            states.append(LSTMState(hidden, cell))
        return self.dropouts[-1](sequence, training=training), tuple(states)

    def step(
        self, inputs: Tensor, state: tuple[LSTMState, ...]
    ) -> tuple[Tensor, tuple[LSTMState, ...]]:
        """One step of inference: inputs (batch, input_size) to the top's hidden (batch, units)."""
        states = []
        for layer, before in zip(self.recurrent, state, strict=True):
            states.append(layer.step(inputs, before))
            inputs = states[-1].hidden
        return inputs, tuple(states)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "input_size": self.input_size,
            "units": self.units,
            "layers": len(self.recurrent),
            "dropout": self.dropout,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }
