"""Input embedding: the inputs of an encoder or a decoder as vectors."""

import keras
from keras import ops

from seq2seq.layers.base import Layer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.weight_settings import Initializer, Regularizer, serialize_setting
from seq2seq.runtime.validation import check_count


def require_tokens_or_features(
    vocabulary_size: int | None, features: int | None, side: str
) -> None:
    """Raise a ValueError unless exactly one of the two is set for `side`."""
    if (vocabulary_size is None) == (features is None):
        raise ValueError(
            f"{side} needs either vocabulary_size (tokens) or features (real values), got "
            f"vocabulary_size={vocabulary_size} and features={features}"
        )
    if features is None:
        check_count("vocabulary_size", vocabulary_size)
    else:
        check_count("features", features)


@keras.saving.register_keras_serializable("seq2seq")
class InputEmbedding(Layer):
    """Inputs of a network as vectors: embeddings of tokens, or real values unchanged.

    Args:
        vocabulary_size: number of tokens; None for real values.
        features: values per step; None for tokens.
        embedding_size: size of a token's embedding; real values are not embedded.
        embeddings_initializer, embeddings_regularizer: of the embeddings, as of
            `keras.layers.Embedding`; None: Keras's defaults.
    """

    def __init__(
        self,
        vocabulary_size: int | None,
        features: int | None,
        embedding_size: int,
        name: str = "input_embedding",
        dtype: str | None = None,
        trainable: bool = True,
        embeddings_initializer: Initializer = None,
        embeddings_regularizer: Regularizer = None,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.vocabulary_size = vocabulary_size
        settings = {
            "embeddings_initializer": embeddings_initializer,
            "embeddings_regularizer": embeddings_regularizer,
        }
        self.settings = {key: serialize_setting(key, value) for key, value in settings.items()}
        if features is not None and any(self.settings.values()):
            raise ValueError(f"real values have no embeddings, and no {' or '.join(settings)}")
        if features is None:
            self.output_size = check_count("embedding_size", embedding_size)
            self.embedding = keras.layers.Embedding(
                vocabulary_size,
                embedding_size,
                name="embedding",
                dtype=self.dtype_policy,
                **{key: value for key, value in self.settings.items() if value is not None},
            )
        else:
            self.output_size, self.embedding = features, None

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        if self.embedding is not None:
            self.embedding.build()

    def call(self, sequence: Tensor) -> Tensor:
        """Embed tokens (batch, time) or values (batch, time, features): (batch, time, size)."""
        if self.embedding is not None:
            # The reshape makes the gradient one array. Without it TensorFlow makes IndexedSlices,
            # which Keras's optimizers square entry by entry: a token that occurs twice then counts
            # for less in the norm and in Adam than it should. A reshape costs nothing.
            table = self.embedding.embeddings
            table = ops.reshape(table, table.shape)
            return ops.cast(ops.take(table, sequence, axis=0), self.compute_dtype)
        return ops.cast(sequence, self.compute_dtype)
