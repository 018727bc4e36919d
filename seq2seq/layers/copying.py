"""The pointer-generator: a symbol is said from the vocabulary, or copied from the source.

Symbols are numbered beyond the vocabulary so that unseen ones can pass through: number
`vocabulary_size + place` is the symbol that stands at `place` in the source.
"""

import keras
from keras import ops

from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection
from seq2seq.layers.readout import Readout

UNKNOWN = 3  # what is read after a symbol outside the vocabulary was copied
MIN_PROBABILITY = 1e-30  # probability of what can't be said; its logarithm is still a number


class Pointer(Readout):
    """Mixes saying and copying (See et al. 2017, section 2.2).

    p = sigmoid(w . [output; inputs; context] + b)              the share that is said
    P(symbol) = p P_vocabulary(symbol) + (1 - p) sum of the weights of its places in the source
    """

    def connect(self, output: int, inputs: int, context: int, table: keras.layers.Layer) -> None:
        """See `Readout.connect`: also w and b."""
        super().connect(output, inputs, context, table)
        with keras.name_scope(self.name):
            self.share = projection(1, output + inputs + context, "share", "float32")

    def prepare(self, copies: Tensor) -> Tensor:
        """Which number each source step says if it is copied: (batch, time, vocabulary + time).

        Args:
            copies: (batch, time) int32, the number of the symbol at each step of the source.
        """
        numbers = ops.arange(self.size + ops.shape(copies)[1], dtype="int32")
        return ops.cast(ops.equal(ops.expand_dims(copies, -1), numbers), "float32")

    def readable(self, tokens: Tensor) -> Tensor:
        """Symbols of the source that the vocabulary lacks become the unknown."""
        return ops.where(tokens < self.size, tokens, UNKNOWN)

    def call(self, output, inputs, context, weights, copies) -> Tensor:
        """Log-probabilities (batch, queries, vocabulary + time); see `Readout.call`."""
        features = ops.concatenate([output, inputs, context], axis=-1)
        gate = self.share(features)
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)  # local attention's are less
        generated = ops.sigmoid(gate) * ops.softmax(self.logits(output), axis=-1)
        copied = ops.sigmoid(-gate) * ops.matmul(weights, copies)
        padding = ops.zeros_like(copied[..., : ops.shape(weights)[-1]])  # for the source's symbols
        mixed = ops.concatenate([generated, padding], axis=-1) + copied
        return ops.log(ops.maximum(mixed, MIN_PROBABILITY))
