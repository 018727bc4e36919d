"""Seq2Seq: encoder, bridge and decoder, wired into a Keras model."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import ops

from seq2seq.layers.backend import CallCounts
from seq2seq.layers.base import freeze_weights, frozen_weights
from seq2seq.layers.bridges import Bridge, Copy
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.stack import LayerTrace, States
from seq2seq.models.decoder import Decoder, DecoderState, StepOutput
from seq2seq.models.decoding_mixin import DecodingMixin
from seq2seq.models.encoder import Encoder, Memory
from seq2seq.models.train_step import make_train_step
from seq2seq.runtime.validation import check_flag


class ModelTrace(NamedTuple):
    """States, gates and outputs of a model over sources and known targets.

    Attributes:
        encoder, decoder: one per layer and direction, from the lowest.
        handed_over: final state of the encoder, one per layer.
        received: initial state of the decoder, from the bridge.
        outputs: (batch, target time, symbols) probabilities, or (batch, target time, features)
            values.
        attention: (batch, target time, source time), or None.
    """

    encoder: list[LayerTrace]
    handed_over: States
    received: States
    decoder: list[LayerTrace]
    outputs: Tensor
    attention: Tensor | None


@keras.saving.register_keras_serializable("seq2seq")
class Seq2Seq(keras.Model, DecodingMixin):
    """Encoder and decoder; a bridge makes the decoder's initial state of the encoder's final state.

    A Keras model: `compile`, `fit`, `evaluate`, `save` and `keras.models.load_model` work on it.
    It is called with a dictionary and returns logits (batch, target time, vocabulary). Of its
    inputs only the first and the third are always needed:

    - `source` (batch, time), or real values (batch, time, features);
    - `source_mask` (batch, time), True for real steps; without it every step counts;
    - `target` (batch, target time), the decoder's inputs: the start token and the target's tokens;
    - `target_mask`, `teacher_forcing_mask` (batch, target time): see `Decoder.call`;
    - `tags`, `copies`: see `Memory`, for a decoder with tags or a pointer.

    Args:
        encoder: an `Encoder`.
        decoder: a `Decoder`.
        bridge: makes the decoder's initial state of the encoder's final state; None: `Copy`.
        tied_embeddings: whether the decoder shares the encoder's embeddings.
        allow_uninformed: whether a decoder without any information about the source is allowed, as
            a control experiment.
        start_id: token that the first step of the decoder reads.
        end_id: token that ends a target.
        trainable: see `keras.layers.Layer`.
        frozen: paths of the weights that are not trained, as `get_config` lists those that were
            frozen by `encoder.trainable = False`, or by the same of any layer inside.

    Raises:
        ValueError: the bridge does not fit the encoder and the decoder; or the decoder would get
            no information about the source.

    Example:
        >>> import numpy as np
        >>> model = Seq2Seq(
        ...     Encoder(units=16, vocabulary_size=12), Decoder(units=16, vocabulary_size=12)
        ... )
        >>> source = np.array([[5, 6, 2], [7, 2, 0]])
        >>> print(model({"source": source, "source_mask": source > 0, "target": source}).shape)
        (2, 3, 12)
        >>> print(model.decode(source, source > 0, max_length=5).tokens.shape)
        (2, 1, 5)
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        bridge: Bridge | None = None,
        tied_embeddings: bool = False,
        allow_uninformed: bool = False,
        start_id: int = 1,
        end_id: int = 2,
        name: str = "seq2seq",
        trainable: bool = True,
        frozen: Sequence[str] = (),
    ):
        super().__init__(name=name, trainable=trainable, dtype=encoder.dtype_policy)
        self.bridge = Copy() if bridge is None else bridge
        self.allow_uninformed = check_flag("allow_uninformed", allow_uninformed)
        if not isinstance(self.bridge, Bridge):
            raise ValueError(f"bridge must be a Bridge, as in bridge=Copy(), got {bridge!r}")
        self.is_uninformed = not (self.bridge.passes_information or decoder.attention)
        if self.is_uninformed and not allow_uninformed:
            raise ValueError(
                f"attention is off and the bridge {type(self.bridge).__name__} passes no state: "
                "the decoder would get no information about the source; choose an attention "
                "(attention=dot) or a bridge that passes the state (bridge=copy), or "
                "model.allow_uninformed=true for a control experiment"
            )
        self.encoder, self.decoder = encoder, decoder
        tied_embeddings = check_flag("tied_embeddings", tied_embeddings)
        decoder.connect(encoder.output_size, encoder.input_embedding if tied_embeddings else None)
        self.bridge.connect(encoder.state_sizes, decoder.state_sizes)
        self.bridge.freeze_weights()
        self.start_id, self.end_id = start_id, end_id
        self.calls = CallCounts()  # of searches, see `DecodingMixin`
        self.built = True  # every part has its weights from its constructor
        freeze_weights(self, frozen)

    def models_searched(self) -> list[keras.Model]:
        """Models of this search; see `DecodingMixin`."""
        return [self]

    def start(
        self, inputs: dict[str, Tensor], training: bool = False
    ) -> tuple[DecoderState, Memory]:
        """Encode the source of `inputs`: the decoder's initial state, and the memory."""
        memory = self.encoder(inputs["source"], mask=inputs.get("source_mask"), training=training)
        memory = memory._replace(tags=inputs.get("tags"), copies=inputs.get("copies"))
        return self.decoder.start(self.bridge(memory.state), memory)

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Compute logits of every target step from the known target (teacher forcing)."""
        state, memory = self.start(inputs, training)
        has_coverage = self.decoder.attention is not None and self.decoder.attention.coverage
        return self.decoder(
            inputs["target"],
            state,
            memory,
            mask=inputs.get("target_mask") if has_coverage else None,  # of the coverage loss only
            teacher_forcing_mask=inputs.get("teacher_forcing_mask"),
            training=training,
        ).logits

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training: bool = True
    ) -> Tensor:
        """Compute the loss of a batch, with regularizers and other losses; see `keras.Model`.

        Raises:
            ValueError: weights of examples, which would weigh padding, too.
        """
        if sample_weight is not None and len(sample_weight.shape) == 1:
            raise ValueError(
                "sample_weight (or class_weight) is a weight for each example; losses need one for "
                "each step, (batch, time), 0 for padding: sample_weight[:, None] * (targets > 0)"
            )
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def make_train_function(self, force: bool = False) -> None:
        """Set `train_function`, for `fit` and `train_on_batch`; see `train_step`."""
        if self.train_function is not None and not force:
            return
        step = make_train_step(self, self.calls.of("updates"))
        if step is None:
            super().make_train_function(force)
        else:
            self.train_function = step

    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> StepOutput:
        """Compute one step of the decoder; see `Decoder.step`."""
        return self.decoder.step(tokens, state, memory)

    def trace(self, inputs: dict[str, Tensor]) -> ModelTrace:
        """Record states, gates and outputs for sources and known targets."""
        encoder = self.encoder.trace(inputs["source"], inputs.get("source_mask"))
        state, memory = self.start(inputs)
        output, decoder = self.decoder.trace(inputs["target"], state, memory)
        outputs = output.logits
        if self.features is None:
            outputs = ops.softmax(outputs)
        return ModelTrace(encoder, memory.state, state.layers, decoder, outputs, output.attention)

    def log_probabilities(self, inputs: dict[str, Tensor]) -> Tensor:
        """Log-probabilities of every symbol at every target step, (batch, target time, symbols)."""
        return ops.log_softmax(self(inputs))

    @property
    def features(self) -> int | None:
        """Real values per target step; None: the target is made of tokens."""
        return self.decoder.features

    @property
    def has_weights(self) -> bool:
        """Whether its steps have attention weights."""
        return self.decoder.attention is not None and self.decoder.attention.has_weights

    @property
    def copies_symbols(self) -> bool:
        """Whether it can copy symbols of the source that its vocabulary lacks."""
        return self.decoder.readout_type == "pointer"

    def export(
        self,
        filepath: str,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: list | None = None,
        **options,
    ) -> None:
        """Export `call` with known targets; see `keras.Model.export`.

        (`seq2seq.export_graphs` exports encoder, step and search for inference.)

        Args:
            filepath, format, verbose, options: see Keras.
            input_signature: of the dictionary of inputs; None: `source`, `source_mask` and `target`
                of any batch and lengths, and `tags` or `copies` where the decoder needs them.
        """
        if input_signature is None:
            input_signature = [self._describe_inputs()]
        super().export(filepath, format, verbose, input_signature, **options)

    def _describe_inputs(self) -> dict[str, keras.InputSpec]:
        """Specification of the inputs of `call`, of any batch and lengths."""

        def sequence(features: int | None, name: str) -> keras.InputSpec:
            if features is None:
                return keras.InputSpec("int32", (None, None), name=name)
            return keras.InputSpec("float32", (None, None, features), name=name)

        inputs = {
            "source": sequence(self.encoder.features, "source"),
            "source_mask": keras.InputSpec("bool", (None, None), name="source_mask"),
            "target": sequence(self.features, "target"),
        }
        if self.decoder.tags:
            inputs["tags"] = keras.InputSpec("float32", (None, self.decoder.tags), name="tags")
        if self.copies_symbols:
            inputs["copies"] = keras.InputSpec("int32", (None, None), name="copies")
        return inputs

    def get_config(self) -> dict:
        """Arguments of the constructor, with the parts serialized by Keras."""
        parts = {"encoder": self.encoder, "decoder": self.decoder, "bridge": self.bridge}
        return {
            **{key: keras.saving.serialize_keras_object(part) for key, part in parts.items()},
            "tied_embeddings": self.decoder.input_embedding is self.encoder.input_embedding,
            "allow_uninformed": self.allow_uninformed,
            "start_id": self.start_id,
            "end_id": self.end_id,
            "name": self.name,
            "trainable": self.trainable,
            "frozen": frozen_weights(self),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Seq2Seq":
        """Make the model that `config` describes, with fresh weights."""
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects)
            for key in ("encoder", "decoder", "bridge")
        }
        return cls(**{**config, **parts})
