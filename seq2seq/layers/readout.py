"""Readouts: from the output vector of a decoder's step to logits, which are always float32."""

import keras
from keras import ops

from seq2seq.layers.base import Layer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection


class Readout(Layer):
    """Dense layer to logits of tokens, or to real values.

    Args:
        size: number of tokens of the vocabulary, or values per step.
    """

    def __init__(
        self, size: int, name: str = "readout", dtype: str | None = None, trainable: bool = True
    ):
        super().__init__(
            name=name,
            dtype=dtype,
            trainable=trainable,
            autocast=False,  # attention weights stay float32
        )
        self.size = size

    def connect(self, output: int, inputs: int, context: int, table: keras.layers.Layer) -> None:
        """Create the weights.

        Args:
            output, inputs, context: sizes of the arguments of `call`.
            table: embedding layer of the target tokens.
        """
        with keras.name_scope(self.name):
            self.logits = projection(self.size, output, "logits", "float32")
        self.built = True

    @property
    def symbol_weights(self) -> list[keras.Variable]:
        """Weights whose last axis is that of the symbols."""
        return self.logits.weights

    def precompute(self, extended_source_ids: Tensor | None) -> Tensor | None:
        """Compute `copies` of `call` from the source, once before the first step."""
        return extended_source_ids

    def to_readable_ids(self, tokens: Tensor) -> Tensor:
        """Map generated tokens to those that the decoder's embedding has."""
        return tokens

    def call(
        self,
        output: Tensor,
        inputs: Tensor,
        context: Tensor | None,
        weights: Tensor | None,
        copies: Tensor | None,
    ) -> Tensor:
        """Compute logits (batch, queries, size).

        Args:
            output: (batch, queries, size), hidden state or attentional vector.
            inputs: (batch, queries, size), inputs of the recurrent layers.
            context: (batch, queries, size), attention context; None without attention.
            weights: (batch, queries, source time), attention weights; None without.
            copies: from `precompute`.
        """
        return self.logits(output)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {**super().get_config(), "size": self.size}


class Tied(Readout):
    """Scores tokens by their embeddings (Press and Wolf 2017)."""

    def connect(self, output: int, inputs: int, context: int, table: keras.layers.Layer) -> None:
        """Create a projection to the embedding size, and a bias; see `Readout.connect`."""
        self.table = table
        with keras.name_scope(self.name):
            self.projection = projection(table.output_dim, output, "projection", self.dtype_policy)
            self.bias = self.add_weight(shape=(self.size,), initializer="zeros", name="bias")
        self.built = True

    @property
    def symbol_weights(self) -> list[keras.Variable]:
        """Weights whose last axis is that of the symbols: the bias, beside the shared table."""
        return [self.bias]

    def call(self, output, inputs, context, weights, copies) -> Tensor:
        """Compute logits; see `Readout.call`."""
        table = ops.cast(self.table.embeddings, self.compute_dtype)
        bias = ops.cast(self.bias, self.compute_dtype)
        logits = ops.matmul(self.projection(output), ops.transpose(table)) + bias
        return ops.cast(logits, "float32")
