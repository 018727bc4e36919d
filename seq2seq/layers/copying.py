"""The pointer-generator readout: symbols generated from the vocabulary or copied from the source.

The extended vocabulary of See et al. 2017 (section 2.2) numbers the symbols of a source after
those of the vocabulary, so that unseen ones can be copied: id `vocabulary_size + position` is the
symbol at `position` of the source.
"""

import keras
from keras import ops

from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection
from seq2seq.layers.readout import Readout
from seq2seq.runtime.model import MIN_PROBABILITY
from seq2seq.runtime.vocabulary import UNKNOWN  # read after a copied symbol outside it


class Pointer(Readout):
    """Mixture of generating and copying (See et al. 2017, section 2.2).

    p_gen = sigmoid(w . [output; inputs; context] + b)
    P(symbol) = p_gen P_vocabulary(symbol) + (1 - p_gen) sum of attention weights where the source
    has the symbol
    """

    def connect(self, output: int, inputs: int, context: int, table: keras.layers.Layer) -> None:
        """Create the weights, w and b among them; see `Readout.connect`."""
        super().connect(output, inputs, context, table)
        with keras.name_scope(self.name):
            self.p_gen = projection(1, output + inputs + context, "p_gen", "float32")

    def precompute(self, extended_source_ids: Tensor) -> Tensor:
        """One-hot encode the source over the extended vocabulary.

        Args:
            extended_source_ids: (batch, time) int32, id of each source step.

        Returns:
            (batch, time, vocabulary + time) float32.
        """
        ids = ops.arange(self.size + ops.shape(extended_source_ids)[1], dtype="int32")
        return ops.cast(ops.equal(ops.expand_dims(extended_source_ids, -1), ids), "float32")

    def to_readable_ids(self, tokens: Tensor) -> Tensor:
        """Replace ids beyond the vocabulary by the unknown token."""
        return ops.where(tokens < self.size, tokens, UNKNOWN)

    def call(self, output, inputs, context, weights, copies) -> Tensor:
        """Compute log-probabilities (batch, queries, vocabulary + time); see `Readout.call`."""
        features = ops.concatenate([output, inputs, context], axis=-1)
        gate = self.p_gen(features)  # (batch, queries, 1), the logit of p_gen
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)  # local attention sums below 1
        generated = ops.sigmoid(gate) * ops.softmax(self.logits(output), axis=-1)
        copied = ops.sigmoid(-gate) * ops.matmul(weights, copies)
        # (batch, queries, vocabulary) padded to (batch, queries, vocabulary + time)
        padding = ops.zeros_like(copied[..., : ops.shape(weights)[-1]])
        mixed = ops.concatenate([generated, padding], axis=-1) + copied
        return ops.log(ops.maximum(mixed, MIN_PROBABILITY))
