"""Decoders of every kind: the step is the definition, a whole sequence equals its steps."""

import numpy as np
import pytest

from seq2seq.layers import (
    Additive,
    Cell,
    Dot,
    FixedContext,
    General,
    LSTMState,
    RepeatVector,
)
from seq2seq.layers.input_embedding import InputEmbedding
from seq2seq.layers.structure import map_tensors
from seq2seq.models import Decoder, DecoderState
from tests.models.decoders import KINDS, MASK, SOURCE_MASK, TOKENS, assert_same, make


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_sequence_equals_its_steps(kind):
    decoder, state, memory, target = make(**kind)
    full = decoder(target, state, memory)
    for time in range(4):
        output = decoder.step(target[:, time], state, memory)
        assert [type(layer) for layer in output.state.layers] == [type(s) for s in state.layers]
        state = output.state
        np.testing.assert_allclose(output.logits, full.logits[:, time], atol=1e-5)
        if decoder.attention and not isinstance(decoder.attention, FixedContext):
            np.testing.assert_allclose(output.attention, full.attention[:, time], atol=1e-6)
    assert_same(state.layers, full.state.layers)


@pytest.mark.parametrize("name", ["two layers", "general, fed", "coverage"])
def test_the_mask_keeps_the_final_state_from_padding(name):
    decoder, start, memory, target = make(**KINDS[name])
    masked = decoder(target, start, memory, mask=MASK).state
    alone = decoder(target[:, :2], start, memory).state
    assert_same(*(map_tensors(lambda part: part[1], state) for state in (masked, alone)))


@pytest.mark.parametrize("variational", [True, False])
def test_a_stepwise_pass_has_the_masks_of_its_steps(variational, monkeypatch):
    decoder, start, memory, target = make(
        cell=Cell(dropout=0.5, recurrent_dropout=0.3, variational=variational),
        attention=lambda: General(input_feeding=True),
    )
    plain = decoder(target, start, memory).logits
    masks = decoder.stack.draw_dropout_masks(*target.shape, training=True)
    monkeypatch.setattr(decoder.stack, "draw_dropout_masks", lambda *_: masks)
    full = decoder(target, start, memory, training=True)
    state = start
    for time in range(4):
        step_masks = masks.select(map_tensors(lambda mask, t=time: mask[:, t], masks.per_step()))
        output = decoder.step(target[:, time], state, memory, step_masks)
        state = output.state
        np.testing.assert_allclose(output.logits, full.logits[:, time], atol=1e-5)
    assert not np.allclose(full.logits, plain)


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("output_dropout", [0.0, None])
@pytest.mark.parametrize("attention", [Additive, lambda: Dot(input_feeding=True)])
def test_the_attention_context_has_the_dropout_of_top_layer_outputs(
    attention, output_dropout, variational
):
    cell = Cell(dropout=0.9999, output_dropout=output_dropout, variational=variational)
    decoder, start, memory, target = make(cell=cell, attention=attention)
    reversed_memory = memory._replace(values=memory.values[::-1], keys=memory.keys[::-1])
    hidden = [
        decoder(tokens, start, attended, training=True).state.layers[0].hidden
        for tokens, attended in (
            (target, memory),
            (target[::-1], memory),
            (target, reversed_memory),
        )
    ]
    np.testing.assert_allclose(hidden[0], hidden[1], atol=1e-6)  # no token is left
    assert np.allclose(hidden[0], hidden[2], atol=1e-6) == (output_dropout is None)


def test_coverage_is_a_loss_of_training_alone():
    decoder, start, memory, target = make(**KINDS["coverage"])
    decoder(target, start, memory)
    assert decoder.losses == []
    weights = decoder(target, start, memory, mask=MASK, training=True).attention
    expected = decoder.attention.coverage_loss(weights, MASK)
    np.testing.assert_allclose(decoder.losses, [expected], rtol=1e-5)


@pytest.mark.parametrize("name", ["coverage", "coverage after"])
def test_coverage_is_the_sum_of_all_weights_so_far(name):
    decoder, state, memory, target = make(**KINDS[name])
    total = np.zeros(SOURCE_MASK.shape, "float32")
    for time in range(target.shape[1]):
        output = decoder.step(target[:, time], state, memory)
        state, total = output.state, total + np.array(output.attention)
        np.testing.assert_allclose(state.coverage, total, atol=1e-5)


def test_tied_logits_compare_with_the_embeddings():
    decoder, start, memory, target = make(readout="tied")
    hidden, _ = decoder.stack(decoder.input_embedding(target), start.layers)
    table = np.array(decoder.input_embedding.embedding.embeddings)
    expected = np.array(decoder.readout.projection(hidden)) @ table.T + np.array(
        decoder.readout.bias
    )
    np.testing.assert_allclose(decoder(target, start, memory).logits, expected, atol=1e-5)


def test_a_decoder_with_repeat_vector_reads_no_tokens():
    decoder, state, memory, target = make(attention=RepeatVector)
    logits = decoder(target, state, memory).logits
    np.testing.assert_array_equal(logits, decoder(target[::-1], state, memory).logits)
    assert not np.allclose(logits[:, 0], logits[:, 1])  # its state still depends on the step
    assert not any("embedding" in weight.path for weight in decoder.weights)
    sizes = [tuple(weight.shape) for weight in decoder.weights]
    assert sizes[0] == (memory.values.shape[-1], 4 * decoder.units)
    assert sizes[-2:] == [(decoder.units, 10), (10,)]  # nor has the readout any other input
    with pytest.raises(ValueError, match="attention=RepeatVector reads no tokens"):
        Decoder(4, vocabulary_size=10, attention=RepeatVector()).connect(
            4, InputEmbedding(10, None, 32)
        )


def test_structure_of_the_state_is_kept():
    decoder, start, memory, _ = make(layers=2)
    output = decoder.step(TOKENS[:, 0], start, memory)
    assert isinstance(output.state, DecoderState)
    assert [type(layer) for layer in output.state.layers] == [LSTMState, LSTMState]


@pytest.mark.parametrize("kind, name", [({"tags": 3}, "tags"), (KINDS["scaled"], "copies")])
def test_missing_inputs_are_named(kind, name):
    decoder, start, memory, _ = make(**kind)
    with pytest.raises(ValueError, match=f"this decoder needs {name}"):
        decoder.start(start.layers, memory._replace(**{name: None}))
