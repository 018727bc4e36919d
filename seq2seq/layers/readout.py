"""Readouts: from what a decoder has to say at a step to logits, which are always float32."""

import keras
from keras import ops

from seq2seq.layers.base import Layer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection


class Readout(Layer):
    """A dense layer: logits of tokens, or real values.

    Args:
        size: different tokens, or values a step.
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
            output, inputs, context: sizes of what `call` gets.
            table: the embedding layer of the tokens that are said.
        """
        with keras.name_scope(self.name):
            self.logits = projection(self.size, output, "logits", "float32")
        self.built = True

    def prepare(self, copies: Tensor | None) -> Tensor | None:
        """What is made of the source's `copies` once, before the first step; nothing here."""
        return copies

    def readable(self, tokens: Tensor) -> Tensor:
        """`tokens`, once said, as the decoder reads them."""
        return tokens

    def call(
        self,
        output: Tensor,
        inputs: Tensor,
        context: Tensor | None,
        weights: Tensor | None,
        copies: Tensor | None,
    ) -> Tensor:
        """Logits (batch, queries, size).

        Args:
            output: (batch, queries, size), the hidden state, joined with the context if there is
                one.
            inputs: (batch, queries, size), what the recurrent layers read.
            context: (batch, queries, size), of the attention; None without.
            weights: (batch, queries, source time), of the attention; None without.
            copies: from `prepare`.
        """
        return self.logits(output)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size}


class Tied(Readout):
    """Compares what is to be said with the tokens' embeddings (Press and Wolf 2017)."""

    def connect(self, output: int, inputs: int, context: int, table: keras.layers.Layer) -> None:
        """See `Readout.connect`: a projection to the embeddings' size, and a bias."""
        self.table = table
        with keras.name_scope(self.name):
            self.shrink = projection(table.output_dim, output, "shrink", self.dtype_policy)
            self.bias = self.add_weight(shape=(self.size,), initializer="zeros", name="bias")
        self.built = True

    def call(self, output, inputs, context, weights, copies) -> Tensor:
        """See `Readout.call`."""
        table = ops.cast(self.table.embeddings, self.compute_dtype)
        bias = ops.cast(self.bias, self.compute_dtype)
        return ops.cast(ops.matmul(self.shrink(output), ops.transpose(table)) + bias, "float32")
