"""Decoders of every kind: the step is the definition, a whole sequence equals its steps."""

import keras
import numpy as np
import pytest

from seq2seq.layers import (
    Additive,
    Cell,
    Concat,
    Dot,
    FixedContext,
    General,
    Local,
    LSTMState,
    RepeatVector,
    RNNState,
    Scaled,
)
from seq2seq.layers.structure import flatten_tensors, map_tensors
from seq2seq.models import Decoder, DecoderState, Encoder, Memory
from seq2seq.models.encoder import InputEmbedding

RNG = np.random.default_rng(3)
TOKENS = np.array([[1, 5, 6, 7], [1, 8, 0, 0]], "int32")
VALUES = RNG.normal(size=(2, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "bool")
SOURCE_MASK = np.arange(5) < np.array([[5], [3]])
TOKENS_KIND = {"vocabulary_size": 10}
KINDS = {
    "plain": {},
    "two layers": {"layers": 2},
    "gru": {"cell": "gru", "layers": 2},
    "normalised": {"cell": Cell(layer_norm=True, residual=True), "layers": 2},
    "values": {"vocabulary_size": None, "features": 2},
    "values, attending": {"vocabulary_size": None, "features": 2, "attention": Additive},
    "tags": {"tags": 3},
    "peek": {"attention": FixedContext, "cell": "gru"},
    "repeat": {"attention": RepeatVector, "layers": 2},
    "peek, tied": {"attention": FixedContext, "readout": "tied", "layers": 2},
    "additive": {"attention": Additive},
    "additive, tags, pointer": {"attention": Additive, "tags": 3, "readout": "pointer"},
    "coverage": {"attention": lambda: Additive(coverage=True), "readout": "pointer"},
    "coverage after": {"attention": lambda: Concat(input_feeding=True, coverage=True)},
    "concat": {"attention": Concat, "readout": "tied"},
    "dot": {"attention": Dot, "layers": 2},
    "dot before": {"attention": lambda: Dot(before=True), "cell": "rnn"},
    "scaled": {"attention": Scaled, "readout": "pointer"},
    "general, fed": {"attention": lambda: General(input_feeding=True), "layers": 2},
    "general, fed, pointer": {
        "attention": lambda: General(input_feeding=True), "readout": "pointer", "tags": 3,
    },
    "local": {"attention": lambda: Local(width=1)},
    "local, fed": {"attention": lambda: Local(width=2, input_feeding=True), "cell": "gru"},
}  # fmt: skip


def make(layers=1, attention=None, **kind):
    """A decoder of a kind, its start, its memory, and a target to read."""
    kind = {**TOKENS_KIND, **kind}
    decoder = Decoder(8, layers, attention=attention and attention(), **kind)
    decoder.connect(8)
    lstm = "cell" in decoder.state_sizes[0]._fields
    parts = RNG.normal(size=(layers, 2, 2, 8)).astype("float32")
    state = tuple(LSTMState(*both) if lstm else RNNState(both[0]) for both in parts)
    memory = Memory(
        RNG.normal(size=(2, 5, 8)).astype("float32"),
        SOURCE_MASK,
        state,
        tags=np.array([[1, 0, 1], [0, 0, 0]], "float32") if decoder.tags else None,
        copies=np.array([[5, 11, 6, 11, 2], [7, 8, 2, 0, 0]], "int32"),
    )
    start, memory = decoder.start(state, memory)
    return decoder, start, memory, VALUES if decoder.features else TOKENS


def assert_same(one, other):
    one, other = flatten_tensors(one)[0], flatten_tensors(other)[0]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_sequence_equals_its_steps(kind):
    decoder, state, memory, target = make(**kind)
    whole = decoder(target, state, memory)
    for time in range(4):
        output = decoder.step(target[:, time], state, memory)
        assert [type(layer) for layer in output.state.layers] == [type(s) for s in state.layers]
        state = output.state
        np.testing.assert_allclose(output.logits, whole.logits[:, time], atol=1e-5)
        if decoder.attention and not isinstance(decoder.attention, FixedContext):
            np.testing.assert_allclose(output.attention, whole.attention[:, time], atol=1e-6)
    assert_same(state.layers, whole.state.layers)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_read_as_it_was_forced(kind):
    """Forced throughout it is teacher forcing; never forced, it reads what it said itself."""
    decoder, start, memory, target = make(**kind)
    forced = decoder(target, start, memory, teacher_forcing_mask=np.ones((2, 4), "bool"))
    np.testing.assert_allclose(forced.logits, decoder(target, start, memory).logits, atol=1e-5)
    free = decoder(target, start, memory, teacher_forcing_mask=np.zeros((2, 4), "bool"))
    state, read = start, target[:, 0]
    for time in range(4):
        output = decoder.step(read, state, memory)
        np.testing.assert_allclose(output.logits, free.logits[:, time], atol=1e-5)
        state, read = output.state, output.logits
        if decoder.features is None:
            read = np.argmax(read, axis=-1).astype("int32")


def test_each_place_is_forced_by_itself():
    decoder, start, memory, target = make(attention=Additive)
    forced = np.array([[True, False, True, True], [True, True, True, False]])
    mixed = decoder(target, start, memory, teacher_forcing_mask=forced)
    said = np.argmax(mixed.logits, axis=-1)
    read = np.where(forced, target, np.pad(said, ((0, 0), (1, 0)))[:, :-1]).astype("int32")
    assert (read != target).any()
    np.testing.assert_allclose(decoder(read, start, memory).logits, mixed.logits, atol=1e-5)


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
    whole = decoder(target, start, memory, training=True)
    state = start
    for time in range(4):
        now = masks.select(map_tensors(lambda mask, t=time: mask[:, t], masks.per_step()))
        output = decoder.step(target[:, time], state, memory, now)
        state = output.state
        np.testing.assert_allclose(output.logits, whole.logits[:, time], atol=1e-5)
    assert not np.allclose(whole.logits, plain)


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("output_dropout", [0.0, None])
@pytest.mark.parametrize("attention", [Additive, lambda: Dot(input_feeding=True)])
def test_what_attention_found_is_dropped_as_what_top_layers_say(
    attention, output_dropout, variational
):
    cell = Cell(dropout=0.9999, output_dropout=output_dropout, variational=variational)
    decoder, start, memory, target = make(cell=cell, attention=attention)
    other = memory._replace(values=memory.values[::-1], keys=memory.keys[::-1])
    after = [
        decoder(tokens, start, seen, training=True).state.layers[0].hidden
        for tokens, seen in ((target, memory), (target[::-1], memory), (target, other))
    ]
    np.testing.assert_allclose(after[0], after[1], atol=1e-6)  # no token is left
    assert np.allclose(after[0], after[2], atol=1e-6) == (output_dropout is None)


@pytest.mark.parametrize("variational", [True, False])
def test_what_is_heard_is_what_was_said_under_the_same_masks(variational, monkeypatch):
    decoder, start, memory, target = make(cell=Cell(dropout=0.5, variational=variational))
    masks = decoder.stack.draw_dropout_masks(*target.shape, training=True)
    monkeypatch.setattr(decoder.stack, "draw_dropout_masks", lambda *_: masks)
    forced = np.zeros(target.shape, bool)
    free = decoder(target, start, memory, teacher_forcing_mask=forced, training=True)
    said = np.argmax(free.logits, axis=-1)
    read = np.concatenate([target[:, :1], said[:, :-1]], axis=1).astype("int32")
    again = decoder(read, start, memory, training=True)
    np.testing.assert_allclose(free.logits, again.logits, atol=1e-5)


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


def test_a_decoder_that_repeats_reads_no_tokens():
    decoder, state, memory, target = make(attention=RepeatVector)
    said = decoder(target, state, memory).logits
    np.testing.assert_array_equal(said, decoder(target[::-1], state, memory).logits)
    assert not np.allclose(said[:, 0], said[:, 1])  # it knows where it is all the same
    assert not any("embedding" in weight.path for weight in decoder.weights)
    sizes = [tuple(weight.shape) for weight in decoder.weights]
    assert sizes[0] == (memory.values.shape[-1], 4 * decoder.units)
    assert sizes[-2:] == [(decoder.units, 10), (10,)]  # nor does the readout see anything else
    with pytest.raises(ValueError, match="attention=RepeatVector reads no tokens"):
        Decoder(4, vocabulary_size=10, attention=RepeatVector()).connect(
            4, InputEmbedding(10, None, 32)
        )


def test_structure_of_the_state_is_kept():
    decoder, start, memory, _ = make(layers=2)
    output = decoder.step(TOKENS[:, 0], start, memory)
    assert isinstance(output.state, DecoderState)
    assert [type(layer) for layer in output.state.layers] == [LSTMState, LSTMState]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"readout": "pointer"}, "readout=pointer copies by attention weights"),
        (
            {"readout": "pointer", "attention": FixedContext()},
            "this decoder has none; choose an attention",
        ),
        ({"readout": "tied", "attention": RepeatVector()}, "has none; choose readout=dense"),
        ({"readout": "pionter"}, "unknown readout 'pionter'; did you mean 'pointer'"),
        ({"vocabulary_size": None, "features": 2, "readout": "tied"}, "readout=tied is for tokens"),
        ({"attention": "dot"}, "attention must be an Attention, as Dot"),
        ({"tags": 0}, "tags must be a whole number of at least 1, got 0"),
        ({"embedding_size": 0}, "embedding_size must be a whole number of at least 1, got 0"),
    ],
)
def test_senseless_combinations_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Decoder(8, **{**TOKENS_KIND, **arguments})


def test_a_decoder_belongs_to_one_size_of_memory():
    decoder = Decoder(8, attention=Additive(), **TOKENS_KIND)
    decoder.connect(6)
    decoder.connect(6)
    with pytest.raises(ValueError, match="encoder of 6 values a step already"):
        decoder.connect(7)
    with pytest.raises(ValueError, match="encoder of 6 values .* 6 with its embeddings; make a"):
        decoder.connect(6, Encoder(6, vocabulary_size=decoder.vocabulary_size).input_embedding)


@pytest.mark.parametrize(
    "encoder, message",
    [
        ({"vocabulary_size": 7}, "an embedding of 7 tokens and 32"),
        ({"features": 2}, "can't share an embedding of None tokens"),
    ],
)
def test_embeddings_of_other_sizes_are_refused(encoder, message):
    with pytest.raises(ValueError, match=message):
        Decoder(8, **TOKENS_KIND).connect(8, Encoder(4, **encoder).input_embedding)


@pytest.mark.parametrize("name", ["gru", "additive, tags, pointer", "local, fed"])
def test_survives_serialisation(name):
    decoder, *_ = make(**KINDS[name])
    again = keras.layers.deserialize(keras.layers.serialize(decoder))
    assert again.get_config() == decoder.get_config()


@pytest.mark.parametrize("kind, name", [({"tags": 3}, "tags"), (KINDS["scaled"], "copies")])
def test_missing_inputs_are_named(kind, name):
    decoder, start, memory, _ = make(**kind)
    with pytest.raises(ValueError, match=f"this decoder needs {name}"):
        decoder.start(start.layers, memory._replace(**{name: None}))
