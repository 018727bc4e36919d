"""The decoder: one step from a state, or a whole known target at once."""

from typing import NamedTuple

import keras
from keras import ops

from seq2seq.layers.backend import scan
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.stack import DropoutMasks, LayerTrace, States
from seq2seq.models.decoder_layers import DecoderLayers
from seq2seq.models.encoder import Memory
from seq2seq.models.scheduled_sampling import sample_inputs, unroll


class DecoderState(NamedTuple):
    """State of a decoder between two steps.

    Attributes:
        layers: one LSTMState (or RNNState) per layer.
        attentional: (batch, units), attentional vector that the next step reads (Luong et al.
            2015); None without input feeding.
        coverage: (batch, source time), sum of the attention weights of all steps before; None
            without coverage.
    """

    layers: States
    attentional: Tensor | None = None
    coverage: Tensor | None = None


class StepOutput(NamedTuple):
    """Output of a step; of a whole target, with a time axis.

    Attributes:
        logits: (batch, vocabulary) or (batch, time, vocabulary); of a pointer log-probabilities
            over vocabulary and source steps; of a real-valued decoder the predicted values,
            (batch, features) or (batch, time, features).
        state: after the step or target.
        attention: weights over the source, (batch, source time) or (batch, time, source time);
            None without attention.
    """

    logits: Tensor
    state: DecoderState
    attention: Tensor | None = None


@keras.saving.register_keras_serializable("seq2seq")
class Decoder(DecoderLayers):
    """Autoregressive decoder: each step reads the state and the previous token.

    `step` defines the decoder. `call` computes all steps of a known target (teacher forcing),
    vectorized over time unless a step depends on the attention of the steps before it.

    Args:
        units: size of the hidden state of every layer.
        layers: number of layers.
        vocabulary_size: number of target tokens; None for real values.
        features: real values per target step; None for tokens.
        embedding_size: size of a token's embedding.
        cell: a `Cell`, or its kind (`"lstm"`, `"gru"`, `"rnn"`); None: an LSTM.
        attention: attention over the source; None: the state is all it gets from the source.
        readout: `"dense"`, a dense layer; `"tied"`, the token embeddings (Press and Wolf 2017);
            `"pointer"`, a mixture of generating and copying from the source (See et al. 2017).
        tags: number of tags that a source may have; None: none. The sum of their embeddings is an
            input of every step.
        dtype, trainable: see `keras.layers.Layer`.
        embeddings_initializer, embeddings_regularizer: see `Encoder`.

    Raises:
        ValueError: a size below 1, neither (or both) of `vocabulary_size` and `features`, or a
            pointer without attention weights.

    Example:
        >>> from keras import ops
        >>> from seq2seq import LSTMState
        >>> decoder = Decoder(units=8, vocabulary_size=30)
        >>> state = (LSTMState(ops.zeros((2, 8)), ops.zeros((2, 8))),)
        >>> start, memory = decoder.start(state, Memory(ops.zeros((2, 3, 8)), None, state))
        >>> output = decoder.step(ops.array([1, 1]), start, memory)
        >>> print(output.logits.shape)
        (2, 30)
    """

    def start(self, state: States, memory: Memory) -> tuple[DecoderState, Memory]:
        """Initial state, and the memory with everything that is computed once per source.

        Args:
            state: one per layer, from the bridge.
            memory: from the encoder.

        Raises:
            ValueError: the memory lacks tags or source ids that this decoder needs.
        """
        needed = {"tags": self.tags, "copies": self.readout_type == "pointer"}
        for name in (name for name, is_needed in needed.items() if is_needed):
            if getattr(memory, name) is None:
                raise ValueError(f"this decoder needs {name}: there are none in the inputs")
        if self.tags:
            memory = memory._replace(tags=self.tag_embedding(memory.tags))
        self.connect(memory.values.shape[-1])
        attention = self.attention
        if attention is None:
            return DecoderState(state), memory
        if memory.mask is None:
            memory = memory._replace(mask=ops.ones(ops.shape(memory.values)[:2], "bool"))
        memory = memory._replace(
            keys=attention.keys(memory.values, memory.state),
            copies=self.readout.precompute(memory.copies),
        )
        attentional = coverage = None
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
        """Compute one step.

        Args:
            tokens: previous tokens (batch,), or values (batch, features).
            state: from `start` or the step before.
            memory: from `start`.
            dropout_masks: masks of this step; None: no dropout.
        """
        # Everything below has a query axis of size 1: (batch, 1, ...).
        inputs, context, weights = self._step_inputs(ops.expand_dims(tokens, 1), state, memory)
        hidden, layers = self.stack.step(inputs[:, 0], state.layers, dropout_masks)
        output, context, weights = self._step_outputs(
            hidden[:, None], context, weights, state, memory
        )
        logits = self.readout(output, inputs, context, weights, memory.copies)
        attentional = None if state.attentional is None else output[:, 0]
        coverage = None if state.coverage is None else state.coverage + weights[:, 0]
        weights = None if weights is None else weights[:, 0]
        return StepOutput(logits[:, 0], DecoderState(layers, attentional, coverage), weights)

    def _step_inputs(self, tokens: Tensor, state: DecoderState, memory: Memory):
        """Inputs of the stack for `tokens` (batch, queries), with the context attended for them.

        There is one query, unless no step depends on the attention of another.

        Returns:
            Inputs (batch, queries, size), context and attention weights; None for the latter two
            where the decoder does not attend before the step.
        """
        inputs = []
        if self.input_embedding:
            inputs.append(self.input_embedding(self.readout.to_readable_ids(tokens)))
        context = weights = None
        if self.tags:
            inputs.append(_repeat(memory.tags[:, None], tokens))
        if self.attention is not None and self.attention.before:
            query = _repeat(state.layers[-1].hidden[:, None], tokens)
            context, weights = self._attend(query, state, memory)
            inputs.append(context)
        elif state.attentional is not None:
            inputs.append(state.attentional[:, None])
        return (ops.concatenate(inputs, axis=-1) if inputs[1:] else inputs[0]), context, weights

    def _step_outputs(self, hidden: Tensor, context, weights, state: DecoderState, memory: Memory):
        """Output vector of `hidden` (batch, queries, units), attending after the step if set so.

        Returns:
            The vector for the readout, hidden state and context combined; the context; the
            attention weights.
        """
        if self.attention is None:
            return hidden, None, None
        if self.attention.replaces_inputs:
            return hidden, context, weights
        if self.attention.before:
            return ops.concatenate([hidden, context], axis=-1), context, weights
        context, weights = self._attend(hidden, state, memory)
        return self.combine(ops.concatenate([context, hidden], axis=-1)), context, weights

    def _attend(self, query: Tensor, state: DecoderState, memory: Memory):
        return self.attention(query, memory.keys, memory.values, memory.mask, state.coverage)

    def call(
        self,
        tokens: Tensor,
        state: DecoderState,
        memory: Memory,
        mask: Tensor | None = None,
        teacher_forcing_mask: Tensor | None = None,
        training: bool = False,
    ) -> StepOutput:
        """Compute all steps of a known target, equal to `step` one after the other.

        Args:
            tokens: tokens (batch, time) or values (batch, time, features), padded on the right.
            state: from `start`.
            memory: from `start`.
            mask: (batch, time), True for real steps. Only the final state and the coverage loss
                depend on it: no step reads a later one.
            teacher_forcing_mask: (batch, time), True where a step reads `tokens`, False where it
                reads the previous prediction (the likeliest token, or the values; no gradient flows
                through it). The first step always reads `tokens`. None: all do, which is teacher
                forcing.
            training: whether dropout is applied.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        if teacher_forcing_mask is not None:
            teacher_forcing_mask = ops.cast(teacher_forcing_mask, "bool")
        attention = self.attention
        masks = self.stack.draw_dropout_masks(*ops.shape(tokens)[:2], training, self.attention_size)
        if attention is not None and attention.is_recurrent:
            output = self._call_step_by_step(
                tokens, state, memory, mask, teacher_forcing_mask, masks
            )
        else:
            if teacher_forcing_mask is not None:
                # No gradient flows through the choice, so it can be made first.
                tokens = sample_inputs(self, tokens, state, memory, teacher_forcing_mask, masks)
            inputs, context, _ = self._step_inputs(tokens, state, memory)
            hidden, layers = self.stack(inputs, state.layers, mask=mask, dropout_masks=masks)
            vectors, context, weights = self._step_outputs(hidden, context, None, state, memory)
            logits = self.readout(vectors, inputs, context, weights, memory.copies)
            output = StepOutput(logits, DecoderState(layers), weights)
        if attention is not None and attention.coverage and training:
            self.add_loss(attention.coverage_loss(output.attention, mask))
        return output

    def _call_step_by_step(
        self, tokens, state, memory, mask, teacher_forcing_mask, dropout_masks
    ) -> StepOutput:
        state, (logits, weights) = unroll(
            self,
            tokens,
            state,
            memory,
            lambda inputs, output: (output.logits, output.attention),
            mask,
            teacher_forcing_mask,
            dropout_masks,
        )
        return StepOutput(logits, state, weights)

    def trace(
        self, tokens: Tensor, state: DecoderState, memory: Memory
    ) -> tuple[StepOutput, list[LayerTrace]]:
        """Record the states and gates of every step of a known target.

        Args:
            tokens, state, memory: see `call`.

        Returns:
            The outputs of all steps, and the states and gates of each layer.
        """

        def advance(state, tokens):
            inputs, _, _ = self._step_inputs(ops.expand_dims(tokens, 1), state, memory)
            output = self.step(tokens, state, memory)
            recorded = (inputs[:, 0], output.logits, output.state.layers, output.attention)
            return output.state, recorded

        final_state, (inputs, logits, layers, weights) = scan(advance, state, tokens)
        gates = [layer_trace.gates for layer_trace in self.stack.trace(inputs, state.layers)]
        traces = [LayerTrace(*pair) for pair in zip(layers, gates, strict=True)]
        return StepOutput(logits, final_state, weights), traces


def _repeat(vector: Tensor, sequence: Tensor) -> Tensor:
    """`vector` (batch, 1, size) for each step of `sequence` (batch, time, ...)."""
    return ops.broadcast_to(
        vector, (ops.shape(sequence)[0], ops.shape(sequence)[1], vector.shape[-1])
    )
