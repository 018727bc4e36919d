"""The encoder: from a source to the memory that a decoder works from."""

from typing import NamedTuple

import keras

from seq2seq.arguments import check_count
from seq2seq.layers.lstm import LSTMState, Tensor
from seq2seq.layers.recurrent import Stack


class Memory(NamedTuple):
    """What an encoder knows of its source.

    Attributes:
        values: (batch, time, units), the top layer's output at every step.
        mask: (batch, time), True for real steps; None: all are.
        state: one LSTMState a layer, after the last real step.
    """

    values: Tensor
    mask: Tensor | None
    state: tuple[LSTMState, ...]


def check_one(vocabulary_size: int | None, features: int | None, whose: str) -> None:
    """Raise a ValueError unless exactly one of the two says what `whose` sequence is made of."""
    if (vocabulary_size is None) == (features is None):
        raise ValueError(
            f"{whose} needs either vocabulary_size (tokens) or features (real values), got "
            f"vocabulary_size={vocabulary_size} and features={features}"
        )


@keras.saving.register_keras_serializable("seq2seq")
class Reader(keras.layers.Layer):
    """What a network reads at each step, as vectors: an embedding of tokens, or values as they are.

    Args:
        vocabulary_size: number of different tokens; None for real values.
        features: values per step; None for tokens.
        embedding_size: of a token's vector; real values are not embedded.
    """

    def __init__(
        self,
        vocabulary_size: int | None,
        features: int | None,
        embedding_size: int,
        name: str = "reader",
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.supports_masking = True  # masks are arguments here, never attached to tensors
        if features is None:
            self.output_size = check_count("embedding_size", embedding_size)
            self.embedding = keras.layers.Embedding(
                check_count("vocabulary_size", vocabulary_size),
                embedding_size,
                name="embedding",
                dtype=dtype,
            )
        else:
            self.output_size, self.embedding = check_count("features", features), None

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        if self.embedding is not None:
            self.embedding.build()

    def call(self, sequence: Tensor) -> Tensor:
        """Tokens (batch, time) or values (batch, time, features) to (batch, time, output_size)."""
        if self.embedding is not None:
            return self.embedding(sequence)
        return keras.ops.cast(sequence, self.compute_dtype)


@keras.saving.register_keras_serializable("seq2seq")
class Encoder(keras.layers.Layer):
    """Reads a source with a stack of LSTMs and returns all it knows (Sutskever et al. 2014).

    Args:
        units: size of hidden and cell of every layer.
        layers: how many.
        vocabulary_size: number of different source tokens; None for real values.
        features: real values per source step; None for tokens.
        embedding_size: of a token's vector.
        dropout: share of non-recurrent values dropped in training.

    Raises:
        ValueError: a size below 1, a dropout outside [0, 1), or neither (or both) of
            `vocabulary_size` and `features`.

    Example:
        >>> import numpy as np
        >>> encoder = Encoder(units=8, layers=2, vocabulary_size=30)
        >>> memory = encoder(np.array([[5, 6, 2], [7, 2, 0]]), mask=[[1, 1, 1], [1, 1, 0]])
        >>> memory.values.shape, len(memory.state), memory.state[1].cell.shape
        ((2, 3, 8), 2, (2, 8))
    """

    def __init__(
        self,
        units: int,
        layers: int = 1,
        vocabulary_size: int | None = None,
        features: int | None = None,
        embedding_size: int = 32,
        dropout: float = 0.0,
        name: str = "encoder",
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.supports_masking = True  # masks are arguments here, never attached to tensors
        check_one(vocabulary_size, features, "the encoder")
        self.vocabulary_size, self.features = vocabulary_size, features
        self.embedding_size = embedding_size
        self.reader = Reader(vocabulary_size, features, embedding_size, dtype=dtype)
        self.stack = Stack(self.reader.output_size, units, layers, dropout, dtype=dtype)
        self.build()

    @property
    def state_sizes(self) -> tuple[LSTMState, ...]:
        """The structure of `Memory.state`, with sizes in place of tensors."""
        return self.stack.state_sizes

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        if not self.stack.built:
            self.reader.build()
            self.stack.build()

    def call(self, source: Tensor, mask: Tensor | None = None, training: bool = False) -> Memory:
        """Read a batch of sources.

        Args:
            source: tokens (batch, time), or values (batch, time, features), padded on the right.
            mask: (batch, time), True for real steps; None: all are.
            training: whether dropout is applied.
        """
        if mask is not None:
            mask = keras.ops.cast(mask, "bool")
        values, state = self.stack(self.reader(source), mask=mask, training=training)
        return Memory(values, mask, state)

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
