"""Construction of a decoder: its constructor arguments, its layers, and their weights."""

import keras

from seq2seq.layers.attention import Attention
from seq2seq.layers.base import Layer
from seq2seq.layers.cell import Cell
from seq2seq.layers.copying import Pointer
from seq2seq.layers.input_embedding import InputEmbedding, require_tokens_or_features
from seq2seq.layers.projection import projection
from seq2seq.layers.readout import Readout, Tied
from seq2seq.layers.stack import MAX_LAYERS, Stack, States
from seq2seq.layers.weight_settings import Initializer, Regularizer, serialize_setting
from seq2seq.runtime.validation import check_choice, check_count

READOUTS = {"dense": Readout, "tied": Tied, "pointer": Pointer}


class DecoderLayers(Layer):
    """Base class of `Decoder`, which describes the arguments; it creates the weights."""

    def __init__(
        self,
        units: int,
        layers: int = 1,
        vocabulary_size: int | None = None,
        features: int | None = None,
        embedding_size: int = 32,
        cell: Cell | str | dict | None = None,
        attention: Attention | None = None,
        readout: str = "dense",
        tags: int | None = None,
        name: str = "decoder",
        dtype: str | None = None,
        trainable: bool = True,
        embeddings_initializer: Initializer = None,
        embeddings_regularizer: Regularizer = None,
    ):
        super().__init__(
            name=name,
            dtype=dtype,
            trainable=trainable,
            autocast=False,  # attention weights stay float32
        )
        require_tokens_or_features(vocabulary_size, features, "the decoder")
        self.vocabulary_size, self.features = vocabulary_size, features
        if not (attention is None or isinstance(attention, Attention)):
            raise ValueError(
                f"attention must be an Attention, as Dot(), or None, got {attention!r}"
            )
        self.units = check_count("units", units)
        self.num_layers = check_count("layers", layers, maximum=MAX_LAYERS)
        self.embedding_size = check_count("embedding_size", embedding_size)
        self.cell, self.attention = Cell.of(cell), attention
        self.readout_type = self._check_readout(readout)
        self.tags = None if tags is None else check_count("tags", tags)
        self.memory_size = None
        self.embedding_settings = {
            "embeddings_initializer": embeddings_initializer,
            "embeddings_regularizer": embeddings_regularizer,
        }
        for key, value in self.embedding_settings.items():
            self.embedding_settings[key] = serialize_setting(key, value)

    def _check_readout(self, readout: str) -> str:
        check_choice("readout", readout, READOUTS)
        if readout != "dense" and self.features is not None:
            raise ValueError(f"readout={readout} is for tokens; this decoder has real values")
        if readout == "tied" and not self.reads_tokens:
            raise ValueError(
                "readout=tied needs embeddings, and a decoder with "
                f"attention={type(self.attention).__name__} has none; choose readout=dense"
            )
        if readout == "pointer" and (self.attention is None or not self.attention.has_weights):
            raise ValueError(
                "readout=pointer copies by attention weights, and this decoder has none; choose an "
                "attention, for example attention=additive"
            )
        return readout

    @property
    def output_shape(self) -> tuple:
        """Shape of the logits (or values) of a whole target, which a summary shows."""
        return (None, None, self.vocabulary_size or self.features)

    @property
    def state_sizes(self) -> States:
        """Structure of the state of the layers, with sizes in place of tensors."""
        return tuple(self.cell.state_sizes(self.units) for _ in range(self.num_layers))

    @property
    def reads_tokens(self) -> bool:
        """Whether a step reads the token before it."""
        return self.attention is None or not self.attention.replaces_inputs

    @property
    def attention_size(self) -> int:
        """Input features of a step that come from attention: a context or attentional vector."""
        if self.attention is None:
            return 0
        if self.attention.before:
            return self.memory_size
        return self.units if self.attention.input_feeding else 0

    def connect(self, memory_size: int, input_embedding: InputEmbedding | None = None) -> None:
        """Create the weights, once the size of the encoder's memory is known.

        `Seq2Seq` does this; else the first `start` does.

        Args:
            memory_size: features of `Memory.values`.
            input_embedding: the encoder's, to share its embeddings; None: an embedding of its own.

        Raises:
            ValueError: the decoder is connected to an encoder of another size or with another
                embedding already, or the embedding has other sizes.
        """
        if self.attention is None:
            memory_size = 0  # no step reads the values
        if self.memory_size is not None:
            if self.memory_size != memory_size or input_embedding not in (
                None,
                self.input_embedding,
            ):
                raise ValueError(
                    f"this decoder is connected to an encoder of {self.memory_size} values a step "
                    f"already, and can't be to one of {memory_size}"
                    f"{' with its embeddings' if input_embedding else ''}; make a new one"
                )
            return
        self.input_embedding = self._choose_input_embedding(input_embedding)
        self.memory_size = memory_size
        with keras.name_scope(self.name):
            self._make_layers(memory_size)
        self.mark_built()
        self.freeze_weights()

    def _choose_input_embedding(self, shared: InputEmbedding | None) -> InputEmbedding | None:
        """`shared`, a new embedding, or None for a decoder that reads no tokens."""
        sizes, settings = (self.vocabulary_size, self.embedding_size), self.embedding_settings
        if any(settings.values()) and (shared is not None or not self.reads_tokens):
            raise ValueError(
                f"the decoder has no embeddings of its own, and no {' or '.join(settings)}; set "
                "the encoder's if it shares those"
            )
        if not self.reads_tokens:
            if shared is not None:
                raise ValueError(
                    f"a decoder with attention={type(self.attention).__name__} reads no tokens, "
                    "so it shares no embeddings"
                )
            return None
        if shared is None:
            return InputEmbedding(
                sizes[0], self.features, sizes[1], dtype=self.dtype_policy, **settings
            )
        if shared.embedding is None or (shared.vocabulary_size, shared.output_size) != sizes:
            raise ValueError(
                f"a decoder of {sizes[0]} tokens with embeddings of {sizes[1]} can't share an "
                f"embedding of {shared.vocabulary_size} tokens and {shared.output_size}; "
                "embeddings are shared where both sides read tokens of one vocabulary, with one "
                "size"
            )
        return shared

    def _make_layers(self, memory_size: int) -> None:
        embedding, dtype = self.input_embedding, self.dtype_policy
        input_size = embedding.output_size if embedding else 0
        input_size += self.embedding_size if self.tags else 0
        input_size += self.attention_size
        output_size = self.units + (memory_size if self.reads_tokens else 0)
        if self.attention is not None:
            self.attention.connect(self.units, memory_size)
            if not self.attention.before:
                self.combine = projection(
                    self.units, output_size, "combine", dtype, activation="tanh"
                )
                output_size = self.units
        self.stack = Stack(input_size, self.units, self.num_layers, self.cell, dtype=dtype)
        self.stack.build()
        if embedding:
            embedding.build()
        self.readout = READOUTS[self.readout_type](
            self.vocabulary_size or self.features, dtype=dtype
        )
        self.readout.connect(
            output_size, input_size, memory_size, embedding.embedding if embedding else None
        )
        if self.tags:
            size = self.embedding_size
            self.tag_embedding = projection(size, self.tags, "tags", dtype, use_bias=False)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        attention = self.attention
        return {
            **super().get_config(),
            "units": self.units,
            "layers": self.num_layers,
            "vocabulary_size": self.vocabulary_size,
            "features": self.features,
            "embedding_size": self.embedding_size,
            "cell": self.cell.to_config(),
            "attention": attention and keras.saving.serialize_keras_object(attention),
            "readout": self.readout_type,
            "tags": self.tags,
            **self.embedding_settings,
        }

    @classmethod
    def from_config(cls, config: dict) -> "DecoderLayers":
        """Make the decoder that `config` describes, with fresh weights."""
        attention = config["attention"]
        if isinstance(attention, dict):
            attention = keras.saving.deserialize_keras_object(attention)
        return cls(**{**config, "attention": attention})

    def get_build_config(self) -> None:
        """None: `connect`, not `build`, creates the weights."""
        return None
