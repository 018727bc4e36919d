"""Seq2Seq: encoder, bridge and decoder, wired into a Keras model."""

import keras
import numpy as np
from keras import ops

from seq2seq.decoding.search import Greedy, Hypotheses, Values, search
from seq2seq.layers.bridges import Bridge, Copy
from seq2seq.layers.kernels import compiled
from seq2seq.layers.lstm import LSTMState, Tensor
from seq2seq.models.decoder import Decoder
from seq2seq.models.encoder import Encoder, Memory


@keras.saving.register_keras_serializable("seq2seq")
class Seq2Seq(keras.Model):
    """An encoder hands its final state over a bridge to a decoder.

    A Keras model: `compile`, `fit`, `evaluate`, `save` and `keras.models.load_model` work on it.
    It is called with a dictionary: `source` (batch, time), `source_mask` (the same shape, True for
    real steps; without it every step counts) and `target`, what the decoder reads: a start and the
    target's tokens. It returns logits (batch, target time, vocabulary).

    Args:
        encoder: reads the source.
        decoder: says the target.
        bridge: makes the decoder's first state of the encoder's last; None: `Copy`.
        start_id: the token that a target begins with, as the decoder reads it.
        end_id: the token that ends a target.

    Raises:
        ValueError: the bridge cannot join this encoder and this decoder.

    Example:
        >>> model = Seq2Seq(
        ...     Encoder(units=16, vocabulary_size=12), Decoder(units=16, vocabulary_size=12)
        ... )
        >>> source = np.array([[5, 6, 2], [7, 2, 0]])
        >>> model({"source": source, "source_mask": source > 0, "target": source}).shape
        (2, 3, 12)
        >>> model.decode(source, source > 0, max_length=5).tokens.shape
        (2, 1, 5)
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        bridge: Bridge | None = None,
        start_id: int = 1,
        end_id: int = 2,
        name: str = "seq2seq",
    ):
        super().__init__(name=name)
        self.encoder, self.decoder = encoder, decoder
        self.bridge = Copy() if bridge is None else bridge
        self.bridge.connect(encoder.state_sizes, decoder.state_sizes)
        self.start_id, self.end_id = start_id, end_id
        self._decoders = {}  # compiled, one a strategy
        self.built = True  # every part has its weights from its constructor

    def start(
        self, source: Tensor, source_mask: Tensor | None = None, training: bool = False
    ) -> tuple[tuple[LSTMState, ...], Memory]:
        """Read `source`; the decoder's first state, and what the encoder knows."""
        memory = self.encoder(source, mask=source_mask, training=training)
        return self.decoder.start(self.bridge(memory.state), memory), memory

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Logits of every target step, given the targets themselves (teacher forcing)."""
        state, memory = self.start(inputs["source"], inputs.get("source_mask"), training)
        return self.decoder(inputs["target"], state, memory, training=training).logits

    def decode(
        self,
        source: Tensor,
        source_mask: Tensor | None = None,
        strategy: Greedy | Values | None = None,
        *,
        max_length: int,
    ) -> Hypotheses:
        """Say targets freely: each step reads what the model itself said before.

        One compiled loop for the whole batch, which stops when all targets have ended.

        Args:
            source: tokens (batch, time) or values (batch, time, features).
            source_mask: (batch, time), True for real steps; None: all are.
            strategy: how the next token is chosen; None: `Greedy`, or `Values` for a real-valued
                decoder.
            max_length: steps after which a target is cut off.

        Returns:
            NumPy arrays; see `Hypotheses`.
        """
        if strategy is None:
            features = self.decoder.features
            strategy = Greedy() if features is None else Values(features)
        if strategy not in self._decoders:

            def run(source, source_mask, max_length):
                state, memory = self.start(source, source_mask)
                ids = {"start_id": self.start_id, "end_id": self.end_id}
                return search(
                    self.decoder.step, state, memory, strategy, **ids, max_length=max_length
                )

            self._decoders[strategy] = compiled(run, self.variables)
        if source_mask is None:
            source_mask = np.ones(np.shape(source)[:2], "bool")
        found = self._decoders[strategy](source, source_mask, max_length=max_length)
        return Hypotheses(*map(ops.convert_to_numpy, found))

    def get_config(self) -> dict:
        """The constructor's arguments; the parts are serialised as Keras does it."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "bridge": self.bridge}
        return {
            **{key: keras.saving.serialize_keras_object(part) for key, part in parts.items()},
            "start_id": self.start_id,
            "end_id": self.end_id,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Seq2Seq":
        """The model with the structure of `config` and fresh weights."""
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects)
            for key in ("encoder", "decoder", "bridge")
        }
        return cls(**{**config, **parts})
