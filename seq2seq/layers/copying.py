"""The pointer-generator: a symbol is said from the vocabulary, or copied from the source.

Symbols are numbered beyond the vocabulary so that unseen ones can pass through: number
`vocabulary_size + place` is the symbol that stands at `place` in the source.
"""

import keras
from keras import ops

from seq2seq.layers.lstm import Tensor

UNKNOWN = 3  # what is read after a symbol outside the vocabulary was copied
LEAST = 1e-30  # probability of what can't be said; its logarithm is still a number


def readable(tokens: Tensor, vocabulary_size: int) -> Tensor:
    """`tokens` as an embedding knows them: copied symbols of the source become the unknown."""
    return ops.where(tokens < vocabulary_size, tokens, UNKNOWN)


def places(copies: Tensor, vocabulary_size: int) -> Tensor:
    """Which number each source step says if it is copied: (batch, time, vocabulary + time).

    Args:
        copies: (batch, time) int32, the number of the symbol at each step of the source.
        vocabulary_size: of the target.
    """
    numbers = ops.arange(vocabulary_size + ops.shape(copies)[1], dtype="int32")
    return ops.cast(ops.equal(ops.expand_dims(copies, -1), numbers), "float32")


@keras.saving.register_keras_serializable("seq2seq")
class Pointer(keras.layers.Layer):
    """Mixes saying and copying (See et al. 2017, section 2.2).

    p = sigmoid(w . [context; output; inputs] + b)              the share that is said
    P(symbol) = p P_vocabulary(symbol) + (1 - p) sum of the weights of its places in the source
    """

    def __init__(self, name: str = "pointer", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype, autocast=False)  # probabilities stay float32
        self.share = keras.layers.Dense(1, activation="sigmoid", name="share", dtype=dtype)

    def build(self, input_shape):
        """Create w and b.

        Args:
            input_shape: of `seen` in `call`.
        """
        self.share.build(input_shape)

    def call(self, seen: Tensor, logits: Tensor, weights: Tensor, places: Tensor) -> Tensor:
        """Log-probabilities (batch, queries, vocabulary + time).

        Args:
            seen: (batch, queries, size), what the share depends on.
            logits: (batch, queries, vocabulary).
            weights: (batch, queries, time), of the attention.
            places: from `places`.
        """
        share = ops.cast(self.share(seen), "float32")
        said = share * ops.softmax(ops.cast(logits, "float32"), axis=-1)
        copied = (1 - share) * ops.matmul(weights, places)
        room = ops.zeros_like(copied[..., : ops.shape(weights)[-1]])  # for the source's symbols
        mixed = ops.concatenate([said, room], axis=-1) + copied
        return ops.log(ops.maximum(mixed, LEAST))
