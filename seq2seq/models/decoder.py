"""The decoder: from a state to a target, a step at a time or a whole sequence at once."""

from typing import NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.attention import Attention
from seq2seq.layers.backend import scan
from seq2seq.layers.base import Layer
from seq2seq.layers.cell import Cell
from seq2seq.layers.copying import Pointer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection
from seq2seq.layers.readout import Readout, Tied
from seq2seq.layers.stack import MAX_LAYERS, DropoutMasks, LayerTrace, Stack, States
from seq2seq.models.encoder import InputEmbedding, Memory, require_tokens_or_features
from seq2seq.runtime.validation import check_choice, check_count

READOUTS = {"dense": Readout, "tied": Tied, "pointer": Pointer}


class DecoderState(NamedTuple):
    """What a decoder remembers between two steps.

    Attributes:
        layers: one LSTMState (or RNNState) a layer.
        fed: (batch, units), the attentional vector that the next step reads; nothing, `()`,
            without input feeding.
        coverage: (batch, source time), the sum of all attention weights so far; nothing, `()`,
            without coverage.
    """

    layers: States
    fed: Tensor | tuple = ()
    coverage: Tensor | tuple = ()


class StepOutput(NamedTuple):
    """What a decoder says at one step; from a whole sequence, with a time axis.

    Attributes:
        logits: (batch, vocabulary) or (batch, time, vocabulary); of a pointer log-probabilities
            over vocabulary and source steps; of a real-valued decoder the predicted values,
            (batch, features) or (batch, time, features).
        state: after the step or sequence.
        attention: weights over the source, (batch, source time) or (batch, time, source time);
            None without attention.
    """

    logits: Tensor
    state: DecoderState
    attention: Tensor | None = None


@keras.saving.register_keras_serializable("seq2seq")
class Decoder(Layer):
    """Says a target from the state it is given; each step reads what was said before.

    `step` is the definition of what a decoder does; `call` does the same for a whole target that
    is already known (teacher forcing), faster where no step depends on what another attended to.

    Args:
        units: size of the hidden state of every layer.
        layers: how many.
        vocabulary_size: number of different target tokens; None for real values.
        features: real values per target step; None for tokens.
        embedding_size: of a token's vector.
        cell: what a layer is: a `Cell`, or its kind (`"lstm"`, `"gru"`, `"rnn"`); None: an LSTM.
        attention: what it looks at in the source; None: it knows its source by its state alone.
        readout: how it says a token: `"dense"`, a layer of its own; `"tied"`, by comparing with its
            embeddings (Press and Wolf 2017); `"pointer"`, also by copying from the source.
        tags: number of different tags that a source may have; None: none. Their vector is read at
            every step.
        dtype, trainable: see `keras.layers.Layer`.

    Raises:
        ValueError: a size below 1, neither (or both) of `vocabulary_size` and `features`, or a
            pointer without attention weights.

    Example:
        >>> import numpy as np
        >>> decoder = Decoder(units=8, vocabulary_size=30)
        >>> state = (LSTMState(np.zeros((2, 8)), np.zeros((2, 8))),)
        >>> start, memory = decoder.start(state, Memory(np.zeros((2, 3, 8)), None, state))
        >>> output = decoder.step(np.array([1, 1]), start, memory)
        >>> output.logits.shape
        (2, 30)
    """

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
            raise ValueError(f"attention must be one, as in attention=Dot(), got {attention!r}")
        self.units = check_count("units", units)
        self.num_layers = check_count("layers", layers, most=MAX_LAYERS)
        self.embedding_size = check_count("embedding_size", embedding_size)
        self.cell, self.attention = Cell.of(cell), attention
        self.readout = self._check_readout(readout)
        self.tags = None if tags is None else check_count("tags", tags)
        self.memory_size = None

    def _check_readout(self, readout: str) -> str:
        check_choice("readout", readout, READOUTS)
        if readout != "dense" and self.features is not None:
            raise ValueError(f"readout={readout} says tokens; this decoder says real values")
        if readout == "tied" and not self.reads_tokens:
            raise ValueError(
                "readout=tied needs embeddings, and with "
                f"attention={type(self.attention).__name__} nothing is read; choose readout=dense"
            )
        if readout == "pointer" and (self.attention is None or self.attention.weightless):
            raise ValueError(
                "readout=pointer copies what attention points at, and there is none; choose one, "
                "for example attention=additive"
            )
        return readout

    @property
    def state_sizes(self) -> States:
        """The structure of the layers' state, with sizes in place of tensors."""
        return tuple(self.cell.sizes(self.units) for _ in range(self.num_layers))

    def connect(self, memory_size: int, reader: InputEmbedding | None = None) -> None:
        """Create the weights, once it is known what the encoder's memory looks like.

        `Seq2Seq` does this, and so does the first `start` where nobody did.

        Args:
            memory_size: features of `Memory.values`.
            reader: the encoder's, to read tokens with its embeddings; None: embeddings of its own.

        Raises:
            ValueError: it is connected to an encoder of another size or with another reader
                already, or the reader is of other sizes.
        """
        if self.attention is None:
            memory_size = 0  # the values are not looked at
        if self.memory_size is not None:
            if self.memory_size != memory_size or reader not in (None, self.reader):
                raise ValueError(
                    f"this decoder is connected to an encoder of {self.memory_size} values a step "
                    f"already, and can't be to one of {memory_size}"
                    f"{' with its embeddings' if reader else ''}; make a new one"
                )
            return
        self.reader = self._choose_input_embedding(reader)  # None: it reads no tokens
        self.memory_size = memory_size
        with keras.name_scope(self.name):
            self._make_parts(memory_size)
        self.built = True
        self.freeze_weights()

    @property
    def reads_tokens(self) -> bool:
        """Whether it reads what was said before."""
        return self.attention is None or not self.attention.alone

    @property
    def attended_size(self) -> int:
        """Features of what attention adds to what a step reads."""
        if self.attention is None:
            return 0
        if self.attention.before:
            return self.memory_size
        return self.units if self.attention.input_feeding else 0

    def _choose_input_embedding(self, reader: InputEmbedding | None) -> InputEmbedding | None:
        sizes = (self.vocabulary_size, self.embedding_size)
        if not self.reads_tokens:
            if reader is not None:
                raise ValueError(
                    f"a decoder with attention={type(self.attention).__name__} reads no tokens, "
                    "so it shares no embeddings"
                )
            return None
        if reader is None:
            return InputEmbedding(sizes[0], self.features, sizes[1], dtype=self.dtype_policy)
        if reader.embedding is None or (reader.vocabulary_size, reader.output_size) != sizes:
            raise ValueError(
                f"a decoder of {sizes[0]} tokens with embeddings of {sizes[1]} can't read with a "
                f"reader of {reader.vocabulary_size} tokens and {reader.output_size}; embeddings "
                "are shared where both sides read tokens of one vocabulary, with one size"
            )
        return reader

    def _make_parts(self, memory_size: int) -> None:
        input_size = self.reader.output_size if self.reader else 0
        input_size += self.embedding_size if self.tags else 0
        input_size += self.attended_size
        output_size = self.units + (memory_size if self.reads_tokens else 0)
        dtype = self.dtype_policy
        if self.attention is not None:
            self.attention.connect(self.units, memory_size)
            if not self.attention.before:
                self.combine = projection(
                    self.units, output_size, "combine", dtype, activation="tanh"
                )
                output_size = self.units
        self.stack = Stack(input_size, self.units, self.num_layers, self.cell, dtype=dtype)
        self.stack.build()
        if self.reader:
            self.reader.build()
        self.say = READOUTS[self.readout](self.vocabulary_size or self.features, dtype=dtype)
        table = self.reader.embedding if self.reader else None
        self.say.connect(output_size, input_size, memory_size, table)
        if self.tags:
            size = self.embedding_size
            self.tag_vectors = projection(size, self.tags, "tags", dtype, use_bias=False)

    def start(self, state: States, memory: Memory) -> tuple[DecoderState, Memory]:
        """The state before the first step, and the memory with what is computed once a source.

        Args:
            state: one a layer, from the bridge.
            memory: what the encoder knows.
        """
        for name, needed in (("tags", self.tags), ("copies", self.readout == "pointer")):
            if needed and getattr(memory, name) is None:
                raise ValueError(f"this decoder needs {name}: there are none in the inputs")
        if self.tags:
            memory = memory._replace(tags=self.tag_vectors(memory.tags))
        self.connect(memory.values.shape[-1])
        attention = self.attention
        if attention is None:
            return DecoderState(state), memory
        if memory.mask is None:
            memory = memory._replace(mask=ops.ones(ops.shape(memory.values)[:2], "bool"))
        memory = memory._replace(
            keys=attention.keys(memory.values, memory.state),
            copies=self.say.prepare(memory.copies),
        )
        attentional, coverage = (), ()
        if attention.input_feeding:
            attentional = ops.zeros((ops.shape(memory.values)[0], self.units), self.compute_dtype)
        if attention.coverage:
            coverage = ops.zeros(ops.shape(memory.mask), "float32")
        return DecoderState(state, attentional, coverage), memory

    def step(
        self,
        tokens: Tensor,
        state: DecoderState,
        memory: Memory,
        dropout_masks: DropoutMasks | None = None,
    ) -> StepOutput:
        """One step.

        Args:
            tokens: what was said before: tokens (batch,), or values (batch, features).
            state: from `start` or the step before.
            memory: from `start`.
            dropout_masks: of this step, for a training that goes step by step; None: no dropout.
        """
        inputs, context, weights = self._step_inputs(ops.expand_dims(tokens, 1), state, memory)
        hidden, layers = self.stack.step(inputs[:, 0], state.layers, dropout_masks)
        output, context, weights = self._step_outputs(
            hidden[:, None], context, weights, state, memory
        )
        logits = self.say(output, inputs, context, weights, memory.copies)
        attentional = () if isinstance(state.fed, tuple) else output[:, 0]
        coverage = state.coverage
        if not isinstance(coverage, tuple):
            coverage = coverage + weights[:, 0]
        weights = None if weights is None else weights[:, 0]
        return StepOutput(logits[:, 0], DecoderState(layers, attentional, coverage), weights)

    def _step_inputs(self, tokens: Tensor, state: DecoderState, memory: Memory):
        """What the stack reads at each of `tokens` (batch, queries), and what was attended for it.

        There is one query, unless no step's reading depends on what another did.
        """
        inputs = [self.reader(self.say.readable(tokens))] if self.reader else []
        context = weights = None
        if self.tags:
            inputs.append(_repeat(memory.tags[:, None], tokens))
        if self.attention is not None and self.attention.before:
            query = _repeat(state.layers[-1].hidden[:, None], tokens)
            context, weights = self._attend(query, state, memory)
            inputs.append(context)
        elif not isinstance(state.fed, tuple):
            inputs.append(state.fed[:, None])
        return (ops.concatenate(inputs, axis=-1) if inputs[1:] else inputs[0]), context, weights

    def _step_outputs(self, hidden: Tensor, context, weights, state: DecoderState, memory: Memory):
        """What is said of the top layer's `hidden` (batch, queries, units); attention after a step.

        Returns:
            Hidden state and context, made one vector; the context; the attention weights.
        """
        if self.attention is None:
            return hidden, None, None
        if self.attention.alone:
            return hidden, context, weights
        if self.attention.before:
            return ops.concatenate([hidden, context], axis=-1), context, weights
        context, weights = self._attend(hidden, state, memory)
        return self.combine(ops.concatenate([context, hidden], axis=-1)), context, weights

    def _attend(self, query: Tensor, state: DecoderState, memory: Memory):
        coverage = None if isinstance(state.coverage, tuple) else state.coverage
        return self.attention(query, memory.keys, memory.values, memory.mask, coverage)

    def call(
        self,
        tokens: Tensor,
        state: DecoderState,
        memory: Memory,
        mask: Tensor | None = None,
        teacher_forcing_mask: Tensor | None = None,
        training: bool = False,
    ) -> StepOutput:
        """A whole known target, equal to its steps one after the other.

        Args:
            tokens: tokens (batch, time) or values (batch, time, features), padded on the right.
            state: from `start`.
            memory: from `start`.
            mask: (batch, time), True for real steps. Only the final state and the coverage loss
                depend on it: no step reads what comes after it.
            teacher_forcing_mask: (batch, time), True where a step reads `tokens`, False where it
                reads the previous prediction (the likeliest token, or the values; no gradient flows
                through it). The first step always reads `tokens`. None: all do, which is teacher
                forcing.
            training: whether dropout is applied.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        attention = self.attention
        dropout_masks = self.stack.draw(*ops.shape(tokens)[:2], training, self.attended_size)
        if attention is not None and attention.stepwise:
            output = self._unroll(tokens, state, memory, mask, teacher_forcing_mask, dropout_masks)
        else:
            if teacher_forcing_mask is not None:
                tokens = self._sample_inputs(
                    tokens, state, memory, teacher_forcing_mask, dropout_masks
                )
            inputs, context, _ = self._step_inputs(tokens, state, memory)
            hidden, layers = self.stack(
                inputs, state.layers, mask=mask, dropout_masks=dropout_masks
            )
            attentional, context, weights = self._step_outputs(hidden, context, None, state, memory)
            logits = self.say(attentional, inputs, context, weights, memory.copies)
            output = StepOutput(logits, DecoderState(layers), weights)
        if attention is not None and attention.coverage and training:
            self.add_loss(attention.overlap(output.attention, mask))
        return output

    def _sample_inputs(self, tokens, state, memory, teacher_forcing_mask, dropout_masks) -> Tensor:
        """What each step reads, `tokens` or what was said: no gradient flows through the choice.

        So it can be found first, and the sequence then go the fast way.
        """

        def advance(carry, step_inputs):
            state, predicted = carry
            inputs = self._select_inputs(
                step_inputs["teacher_forcing_mask"], step_inputs["tokens"], predicted
            )
            output = self.step(
                inputs, state, memory, dropout_masks.select(step_inputs["dropout_masks"])
            )
            return (output.state, self._next_inputs(output, inputs)), inputs

        sequences = {
            "tokens": tokens,
            "teacher_forcing_mask": ops.cast(teacher_forcing_mask, "bool"),
            "dropout_masks": dropout_masks.per_step(),
        }
        _, inputs = scan(advance, (state, tokens[:, 0]), sequences)
        return ops.stop_gradient(inputs) if self.features else inputs

    @staticmethod
    def _select_inputs(teacher_forcing_mask: Tensor, tokens: Tensor, predicted: Tensor) -> Tensor:
        return ops.where(_align(teacher_forcing_mask, tokens), tokens, predicted)

    def _next_inputs(self, output: StepOutput, inputs: Tensor) -> Tensor:
        """What the next step may read, of the kind of `inputs`."""
        predicted = output.logits if self.features else ops.argmax(output.logits, axis=-1)
        return ops.cast(predicted, inputs.dtype)

    def _unroll(
        self, tokens, state, memory, mask, teacher_forcing_mask, dropout_masks
    ) -> StepOutput:
        sequences = {"tokens": tokens, "dropout_masks": dropout_masks.per_step()}
        if mask is not None:
            sequences["mask"] = mask
        if teacher_forcing_mask is not None:
            sequences["teacher_forcing_mask"] = ops.cast(teacher_forcing_mask, "bool")

        def advance(carry, step_inputs):
            state, predicted = carry
            inputs = step_inputs["tokens"]
            if teacher_forcing_mask is not None:
                inputs = self._select_inputs(step_inputs["teacher_forcing_mask"], inputs, predicted)
                inputs = ops.stop_gradient(inputs) if self.features else inputs
            output = self.step(
                inputs, state, memory, dropout_masks.select(step_inputs["dropout_masks"])
            )
            next_state = output.state
            if mask is not None:
                next_state = tree.map_structure(
                    lambda new, old: ops.where(_align(step_inputs["mask"], new), new, old),
                    next_state,
                    state,
                )
            weights = () if output.attention is None else output.attention
            return (next_state, self._next_inputs(output, inputs)), (output.logits, weights)

        first = ops.zeros_like(tokens[:, 0]) if teacher_forcing_mask is None else tokens[:, 0]
        (state, _), (logits, weights) = scan(advance, (state, first), sequences)
        return StepOutput(logits, state, None if isinstance(weights, tuple) else weights)

    def trace(
        self, tokens: Tensor, state: DecoderState, memory: Memory
    ) -> tuple[StepOutput, list[LayerTrace]]:
        """Every step of a known target, as `step` makes it.

        Args:
            tokens, state, memory: see `call`.

        Returns:
            What was said at each step, and the states and gates of each layer.
        """

        def advance(state, tokens):
            inputs, _, _ = self._step_inputs(ops.expand_dims(tokens, 1), state, memory)
            output = self.step(tokens, state, memory)
            weights = () if output.attention is None else output.attention
            return output.state, (inputs[:, 0], output.logits, output.state.layers, weights)

        final_state, (inputs, logits, layers, weights) = scan(advance, state, tokens)
        weights = None if isinstance(weights, tuple) else weights
        gates = [layer_trace.gates for layer_trace in self.stack.trace(inputs, state.layers)]
        traces = [LayerTrace(*pair) for pair in zip(layers, gates, strict=True)]
        return StepOutput(logits, final_state, weights), traces

    def get_config(self) -> dict:
        """The constructor's arguments."""
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
            "readout": self.readout,
            "tags": self.tags,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Decoder":
        """The decoder with the structure of `config` and fresh weights."""
        attention = config["attention"]
        if isinstance(attention, dict):
            attention = keras.saving.deserialize_keras_object(attention)
        return cls(**{**config, "attention": attention})

    def get_build_config(self) -> None:
        """Nothing: `connect`, not `build`, creates the weights."""
        return None


def _repeat(vector: Tensor, sequence: Tensor) -> Tensor:
    """`vector` (batch, 1, size) once for each step of `sequence` (batch, time, ...)."""
    return ops.broadcast_to(
        vector, (ops.shape(sequence)[0], ops.shape(sequence)[1], vector.shape[-1])
    )


def _align(mask: Tensor, tensor: Tensor) -> Tensor:
    """`mask` (batch,) with axes of size 1 until it broadcasts with `tensor` (batch, ...)."""
    return ops.reshape(mask, (-1,) + (1,) * (len(tensor.shape) - 1))
