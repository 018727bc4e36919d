"""The encoder: from a source to its final state and the memory of all steps."""

from typing import NamedTuple

import keras
from keras import ops

from seq2seq.layers.base import Layer
from seq2seq.layers.cell import Cell
from seq2seq.layers.input_embedding import InputEmbedding, require_tokens_or_features
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.stack import LayerTrace, Stack, States, reverse
from seq2seq.layers.structure import map_tensors
from seq2seq.layers.weight_settings import Initializer, Regularizer
from seq2seq.runtime.validation import check_flag


class Memory(NamedTuple):
    """Encoded source, which every step of a decoder may read.

    Attributes:
        values: (batch, time, units), outputs of the top layer at every step.
        mask: (batch, time), True for real steps; None: all are.
        state: one LSTMState (or RNNState) per layer, after the last real step.
        keys: (batch, time, size), keys of the attention, computed once by `Decoder.start`.
        tags: (batch, tags), 1.0 for each tag that the source has; after `Decoder.start` the sum of
            their embeddings (batch, embedding_size).
        copies: (batch, time) int32, extended-vocabulary id of each source token (See et al. 2017);
            after `Decoder.start` one-hot (see `Pointer.precompute`).
    """

    values: Tensor
    mask: Tensor | None
    state: States
    keys: Tensor | None = None
    tags: Tensor | None = None
    copies: Tensor | None = None


@keras.saving.register_keras_serializable("seq2seq")
class Encoder(Layer):
    """Stack of recurrent layers over a source; returns its outputs and final state.

    Args:
        units: size of the hidden state of every layer; of a bidirectional encoder, in each
            direction, so that its states and values have twice as many.
        layers: number of layers.
        vocabulary_size: number of source tokens; None for real values.
        features: real values per source step; None for tokens.
        embedding_size: size of a token's embedding.
        cell: a `Cell`, or its kind (`"lstm"`, `"gru"`, `"rnn"`); None: an LSTM.
        bidirectional: whether each layer reads in both directions (Schuster and Paliwal 1997).
        backwards: whether the source is read from its end to its beginning, which brings the
            beginnings of source and target close together (Sutskever et al. 2014, section 3.3).
        dtype, trainable: see `keras.layers.Layer`.
        embeddings_initializer, embeddings_regularizer: see `keras.layers.Embedding`; None: its
            defaults.

    Raises:
        ValueError: a size below 1, neither (or both) of `vocabulary_size` and `features`, or both
            `bidirectional` and `backwards`.

    Example:
        >>> import numpy as np
        >>> encoder = Encoder(units=8, layers=2, vocabulary_size=30)
        >>> memory = encoder(np.array([[5, 6, 2], [7, 2, 0]]), mask=[[1, 1, 1], [1, 1, 0]])
        >>> print(memory.values.shape, len(memory.state), memory.state[1].cell.shape)
        (2, 3, 8) 2 (2, 8)
    """

    def __init__(
        self,
        units: int,
        layers: int = 1,
        vocabulary_size: int | None = None,
        features: int | None = None,
        embedding_size: int = 32,
        cell: Cell | str | dict | None = None,
        bidirectional: bool = False,
        backwards: bool = False,
        name: str = "encoder",
        dtype: str | None = None,
        trainable: bool = True,
        embeddings_initializer: Initializer = None,
        embeddings_regularizer: Regularizer = None,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        require_tokens_or_features(vocabulary_size, features, "the encoder")
        self.vocabulary_size, self.features = vocabulary_size, features
        self.embedding_size = embedding_size
        self.backwards = check_flag("backwards", backwards)
        dtype = self.dtype_policy
        self.input_embedding = InputEmbedding(
            vocabulary_size,
            features,
            embedding_size,
            dtype=dtype,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
        )
        self.stack = Stack(
            self.input_embedding.output_size, units, layers, cell, bidirectional, dtype=dtype
        )
        if self.stack.bidirectional and self.backwards:
            raise ValueError(
                "bidirectional=true and backwards=true: a bidirectional encoder reads backwards "
                "already; choose one"
            )
        self.build()
        self.mark_built()

    @property
    def output_shape(self) -> tuple:
        """Shape of `Memory.values`, which a summary shows."""
        return (None, None, self.output_size)

    @property
    def state_sizes(self) -> States:
        """Structure of `Memory.state`, with sizes in place of tensors."""
        return self.stack.state_sizes

    @property
    def output_size(self) -> int:
        """Features of `Memory.values`."""
        return self.stack.output_size

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        if not self.stack.built:
            self.input_embedding.build()
            self.stack.build()
        self.freeze_weights()

    def call(self, source: Tensor, mask: Tensor | None = None, training: bool = False) -> Memory:
        """Encode a batch of sources.

        Args:
            source: tokens (batch, time), or values (batch, time, features), padded on the right.
            mask: (batch, time), True for real steps; None: all are.
            training: whether dropout is applied.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        inputs = self.input_embedding(source)
        dropout_masks = self.stack.draw_dropout_masks(*ops.shape(source)[:2], training)
        values, state = self.stack(
            reverse(inputs, mask) if self.backwards else inputs,
            mask=mask,
            dropout_masks=dropout_masks,
        )
        if self.backwards:
            values = reverse(values, mask)
        return Memory(values, mask, state)

    def trace(self, source: Tensor, mask: Tensor | None = None) -> list[LayerTrace]:
        """Record the states and gates of every step, in the order of `source`.

        See `Stack.trace`. Of a source that is read backwards, the state of a step is the state
        after that step and all later ones.
        """
        inputs = self.input_embedding(source)
        if not self.backwards:
            return self.stack.trace(inputs, mask=mask)
        traces = self.stack.trace(reverse(inputs, mask), mask=mask)
        return map_tensors(lambda array: reverse(array, mask), traces)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "units": self.stack.units,
            "layers": self.stack.num_layers,
            "vocabulary_size": self.vocabulary_size,
            "features": self.features,
            "embedding_size": self.embedding_size,
            "cell": self.stack.cell.to_config(),
            "bidirectional": self.stack.bidirectional,
            "backwards": self.backwards,
            **self.input_embedding.settings,
        }
