"""The decoder: from a state to a target, a step at a time or a whole sequence at once."""

from typing import NamedTuple

import keras
from keras import ops

from seq2seq.layers.lstm import LSTMState, Tensor
from seq2seq.layers.recurrent import Stack
from seq2seq.models.encoder import Memory, Reader, check_one


class StepOutput(NamedTuple):
    """What a decoder says at one step; from a whole sequence, with a time axis.

    Attributes:
        logits: (batch, vocabulary) or (batch, time, vocabulary); of a real-valued decoder the
            predicted values, (batch, features) or (batch, time, features).
        state: one LSTMState a layer, after the step or sequence.
        attention: weights over the source, (batch, source time); None without attention.
    """

    logits: Tensor
    state: tuple[LSTMState, ...]
    attention: Tensor | None = None


@keras.saving.register_keras_serializable("seq2seq")
class Decoder(keras.layers.Layer):
    """Says a target from the state it is given; each step reads what was said before.

    `step` is the definition of what a decoder does; `call` does the same for a whole target that
    is already known (teacher forcing), faster.

    Args:
        units: size of hidden and cell of every layer.
        layers: how many.
        vocabulary_size: number of different target tokens; None for real values.
        features: real values per target step; None for tokens.
        embedding_size: of a token's vector.
        dropout: share of non-recurrent values dropped in training.

    Raises:
        ValueError: a size below 1, a dropout outside [0, 1), or neither (or both) of
            `vocabulary_size` and `features`.

    Example:
        >>> import numpy as np
        >>> decoder = Decoder(units=8, vocabulary_size=30)
        >>> state = (LSTMState(np.zeros((2, 8)), np.zeros((2, 8))),)
        >>> memory = Memory(np.zeros((2, 3, 8)), None, state)
        >>> output = decoder.step(np.array([1, 1]), decoder.start(state, memory), memory)
        >>> output.logits.shape
        (2, 30)
    """

    def __init__(
        self,
        units: int,
        layers: int = 1,
        vocabulary_size: int | None = None,
        features: int | None = None,
        embedding_size: int = 32,
        dropout: float = 0.0,
        name: str = "decoder",
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.supports_masking = True  # masks are arguments here, never attached to tensors
        check_one(vocabulary_size, features, "the decoder")
        self.vocabulary_size, self.features = vocabulary_size, features
        self.embedding_size = embedding_size
        self.reader = Reader(vocabulary_size, features, embedding_size, dtype=dtype)
        self.stack = Stack(self.reader.output_size, units, layers, dropout, dtype=dtype)
        self.readout = keras.layers.Dense(vocabulary_size or features, name="readout", dtype=dtype)
        self.build()

    @property
    def state_sizes(self) -> tuple[LSTMState, ...]:
        """The structure of the state, with sizes in place of tensors."""
        return self.stack.state_sizes

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        if not self.readout.built:
            self.reader.build()
            self.stack.build()
            self.readout.build((None, self.stack.units))

    def start(self, state: tuple[LSTMState, ...], memory: Memory) -> tuple[LSTMState, ...]:
        """The state before the first step, from what the bridge made of the encoder's state."""
        del memory  # a decoder without attention knows its source by its state alone
        return state

    def step(self, tokens: Tensor, state: tuple[LSTMState, ...], memory: Memory) -> StepOutput:
        """One step.

        Args:
            tokens: what was said before: tokens (batch,), or values (batch, features).
            state: from `start` or the step before.
            memory: what the encoder knows.
        """
        del memory
        inputs = self.reader(ops.expand_dims(tokens, 1))[:, 0]  # (batch, embedding_size)
        hidden, state = self.stack.step(inputs, state)
        return StepOutput(self.readout(hidden), state)

    def call(
        self,
        tokens: Tensor,
        state: tuple[LSTMState, ...],
        memory: Memory,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> StepOutput:
        """A whole known target, equal to its steps one after the other.

        Args:
            tokens: tokens (batch, time) or values (batch, time, features), padded on the right.
            state: from `start`.
            memory: what the encoder knows.
            mask: (batch, time), True for real steps. Only the final state depends on it: no step
                reads what comes after it.
            training: whether dropout is applied.
        """
        del memory
        if mask is not None:
            mask = ops.cast(mask, "bool")
        sequence, state = self.stack(self.reader(tokens), state, mask=mask, training=training)
        return StepOutput(self.readout(sequence), state)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "units": self.stack.units,
            "layers": len(self.stack.recurrent),
            "vocabulary_size": self.vocabulary_size,
            "features": self.features,
            "embedding_size": self.embedding_size,
            "dropout": self.stack.dropout,
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }
