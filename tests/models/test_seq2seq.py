"""Seq2Seq is a real Keras model, and padding changes neither loss, gradient nor states."""

import keras
import numpy as np
import pytest

from seq2seq import (
    Additive,
    Copy,
    Decoder,
    Dense,
    Dot,
    Encoder,
    FixedContext,
    General,
    LayerwiseDense,
    LearnedInitialState,
    LSTMState,
    Seq2Seq,
    Zero,
    cross_entropy,
)
from seq2seq.runtime.vocabulary import END, START
from tests.conftest import slow_except

SOURCE = np.array([[5, 6, 7, 2], [8, 2, 0, 0], [4, 4, 2, 0]], "int32")
TARGET_OUT = np.array([[7, 6, 5, 2], [8, 2, 0, 0], [4, 4, 2, 0]], "int32")
TARGET_IN = np.array([[1, 7, 6, 5], [1, 8, 0, 0], [1, 4, 4, 0]], "int32")


def make_model(layers=1, bridge=None, decoder_units=8, decoder_layers=None):
    return Seq2Seq(
        Encoder(8, layers, vocabulary_size=10),
        Decoder(decoder_units, decoder_layers or layers, vocabulary_size=10),
        bridge,
        allow_uninformed=isinstance(bridge, Zero),
    )


def inputs_of(source, target_in):
    return {"source": source, "source_mask": source > 0, "target": target_in}


def gradients(model, source, target_in, target_out):
    """Loss and gradients, by one step of plain gradient descent: works on every engine."""
    original_weights = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), cross_entropy(), jit_compile=False)
    weights = (target_out > 0).astype("float32")
    loss = model.train_on_batch(inputs_of(source, target_in), target_out, weights)
    updated_weights = model.get_weights()
    model.set_weights(original_weights)
    return loss, [b - a for b, a in zip(original_weights, updated_weights, strict=True)]


@pytest.mark.parametrize("layers", slow_except([1], [1, 3]))
def test_extra_padding_changes_neither_loss_nor_gradient(layers):
    model = make_model(layers)
    loss, gradient = gradients(model, SOURCE, TARGET_IN, TARGET_OUT)
    padded = [np.pad(a, ((0, 0), (0, 4))) for a in (SOURCE, TARGET_IN, TARGET_OUT)]
    padded_loss, padded_gradient = gradients(model, *padded)
    np.testing.assert_allclose(loss, padded_loss, rtol=1e-5)
    assert max(np.abs(g).max() for g in gradient) > 1e-3
    for expected, actual in zip(gradient, padded_gradient, strict=True):
        np.testing.assert_allclose(expected, actual, atol=1e-6)


def test_the_loss_is_the_mean_over_real_tokens():
    model = make_model()
    logits = np.array(model(inputs_of(SOURCE, TARGET_IN)))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    mask = TARGET_OUT > 0
    expected = -np.take_along_axis(log_p, TARGET_OUT[..., None], -1)[..., 0][mask].mean()
    loss, _ = gradients(model, SOURCE, TARGET_IN, TARGET_OUT)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_decoding_a_batch_is_decoding_its_rows():
    model = make_model(2)
    together = model.decode(SOURCE, SOURCE > 0, max_length=9)
    padded = np.pad(SOURCE, ((0, 0), (0, 3)))
    hypotheses = model.decode(padded, padded > 0, max_length=9)
    for a, b in zip(together[:-1], hypotheses[:-1], strict=True):  # the last is attention
        np.testing.assert_allclose(a, b, atol=1e-5)
    for row, length in enumerate((4, 2, 3)):
        alone = model.decode(SOURCE[row : row + 1, :length], max_length=9)
        np.testing.assert_array_equal(together.tokens[row], alone.tokens[0])
        np.testing.assert_allclose(together.scores[row], alone.scores[0], atol=1e-5)


def test_free_running_scores_equal_those_of_teacher_forcing():
    """The score of a greedy answer is the sum of its log-probabilities under the whole pass."""
    model = make_model(2)
    model.decoder.readout.logits.bias.assign(np.linspace(-1, 1, 10))
    result = model.decode(SOURCE, SOURCE > 0, max_length=6)
    tokens, lengths = result.tokens[:, 0], result.lengths[:, 0]
    target_in = np.concatenate([np.full((3, 1), START), tokens[:, :-1]], axis=1)
    logits = np.array(model(inputs_of(SOURCE, target_in)))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for row in range(3):
        generated = [*tokens[row, : lengths[row]], *([END] if result.ended[row, 0] else [])]
        expected = sum(log_p[row, time, token] for time, token in enumerate(generated))
        np.testing.assert_allclose(result.scores[row, 0], expected, atol=1e-4)
        assert generated == [int(np.argmax(log_p[row, time])) for time in range(len(generated))]


def test_the_decoder_receives_its_source_through_the_state_alone():
    reversed_source = SOURCE[::-1].copy()
    for bridge, knows in [(Copy(), True), (Zero(), False)]:
        model = make_model(bridge=bridge)
        logits = np.array(model(inputs_of(SOURCE, TARGET_IN)))
        reversed_logits = np.array(model(inputs_of(reversed_source, TARGET_IN)))
        assert np.allclose(logits, reversed_logits) != knows


@pytest.mark.parametrize("bridge", slow_except([Dense], [Copy, Dense, Zero]))
def test_saves_and_loads(tmp_path, bridge):
    model = make_model(2, bridge())
    model(inputs_of(SOURCE, TARGET_IN))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = model(inputs_of(SOURCE, TARGET_IN))
    np.testing.assert_allclose(loaded(inputs_of(SOURCE, TARGET_IN)), expected, atol=1e-6)
    original, restored = (m.decode(SOURCE, SOURCE > 0, max_length=5) for m in (model, loaded))
    np.testing.assert_array_equal(original.tokens, restored.tokens)


@pytest.mark.slow
def test_fits_and_evaluates():
    model = make_model()
    model.compile(keras.optimizers.Adam(0.05), cross_entropy(), run_eagerly=True)
    data = (inputs_of(SOURCE, TARGET_IN), TARGET_OUT, (TARGET_OUT > 0).astype("float32"))
    x, y, weights = data
    untrained_loss = model.evaluate(x, y, sample_weight=weights, verbose=0)
    model.fit(x, y, sample_weight=weights, epochs=10, verbose=0)
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) < untrained_loss / 2


def test_decoding_sees_weights_that_changed_after_the_first_call():
    model = make_model()
    model.decode(SOURCE, SOURCE > 0, max_length=4)
    bias = np.zeros(10)
    bias[7] = 100.0
    model.decoder.readout.logits.bias.assign(bias)
    assert (model.decode(SOURCE, SOURCE > 0, max_length=4).tokens == 7).all()


@pytest.mark.parametrize("units, layers", [(16, 2), (8, 1)])
def test_unlike_sides_are_an_error_that_names_the_bridge(units, layers):
    with pytest.raises(ValueError, match="encoder has 2 layers of 8 units.*bridge=dense"):
        make_model(2, Copy(), units, layers)
    model = make_model(2, Dense(), units, layers)
    assert model(inputs_of(SOURCE, TARGET_IN)).shape == (3, 4, 10)


def test_the_start_is_what_the_encoder_ended_with():
    model = make_model(2)
    state, memory = model.start({"source": SOURCE, "source_mask": SOURCE > 0})
    assert all(isinstance(layer, LSTMState) for layer in state.layers)
    for handed, ended in zip(state.layers, memory.state, strict=True):
        np.testing.assert_array_equal(handed.cell, ended.cell)


def test_ids_equal_the_vocabularys():
    model = make_model()
    assert (model.start_id, model.end_id) == (START, END)


def test_real_values_in_and_out():
    model = Seq2Seq(Encoder(8, features=1), Decoder(8, features=1))
    source = np.random.default_rng(0).normal(size=(2, 5, 1)).astype("float32")
    result = model.decode(source, max_length=3)
    assert result.tokens.shape == (2, 1, 3, 1)
    target_in = np.concatenate([np.zeros((2, 1, 1)), result.tokens[:, 0, :-1]], axis=1)
    teacher_forced = model({"source": source, "target": target_in.astype("float32")})
    np.testing.assert_allclose(teacher_forced, result.tokens[:, 0], atol=1e-5)


@pytest.mark.parametrize("bridge", slow_except([Dense], [Copy, Dense, Zero]))
def test_parts_work_in_a_functional_model(bridge):
    model = make_model(2, bridge())
    shapes = {"source": "int32", "source_mask": "bool", "target": "int32"}
    inputs = {name: keras.Input((None,), dtype=dtype, name=name) for name, dtype in shapes.items()}
    functional = keras.Model(inputs, model(inputs))
    values = inputs_of(SOURCE, TARGET_IN)
    np.testing.assert_allclose(functional(values), model(values), atol=1e-6)


COPIES = np.array([[5, 11, 7, 2], [8, 2, 0, 0], [4, 4, 2, 0]], "int32")
TAGS = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], "float32")


def make_pointer(coverage=False, before=False, cell=None):
    return Seq2Seq(
        Encoder(8, vocabulary_size=10, bidirectional=True, cell=cell),
        Decoder(
            8,
            vocabulary_size=10,
            attention=Additive(before=before, coverage=coverage),
            readout="pointer",
            tags=3,
            cell=cell,
        ),
        LayerwiseDense(),
    )


def full_inputs(source=SOURCE, copies=COPIES, target_in=TARGET_IN):
    mask = {"target_mask": target_in > 0}
    return {**inputs_of(source, target_in), **mask, "tags": TAGS, "copies": copies}


@pytest.mark.parametrize("coverage, before", [(False, False), (True, True)])
def test_padding_changes_neither_loss_nor_gradient_of_a_pointer(coverage, before):
    model = make_pointer(coverage, before)
    weights = (TARGET_OUT > 0).astype("float32")
    results = []
    for extra in (0, 3):
        source, copies, target_in, target_out = (
            np.pad(a, ((0, 0), (0, extra))) for a in (SOURCE, COPIES, TARGET_IN, TARGET_OUT)
        )
        before_step = model.get_weights()
        model.compile(keras.optimizers.SGD(1.0), cross_entropy(), run_eagerly=True)
        inputs = full_inputs(source, copies, target_in)
        weight = np.pad(weights, ((0, 0), (0, extra)))
        loss = model.train_on_batch(inputs, target_out, weight)
        steps = [b - a for b, a in zip(before_step, model.get_weights(), strict=True)]
        model.set_weights(before_step)
        results.append((loss, steps))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for expected, actual in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(expected, actual, atol=1e-5)


@pytest.mark.slow
def test_a_pointer_decodes_each_row_as_it_would_alone():
    model = make_pointer(coverage=True)
    together = model.decode(SOURCE, SOURCE > 0, max_length=6, tags=TAGS, copies=COPIES)
    for row, length in enumerate((4, 2, 3)):
        part = slice(row, row + 1)
        alone = model.decode(
            SOURCE[part, :length], max_length=6, tags=TAGS[part], copies=COPIES[part, :length]
        )
        np.testing.assert_array_equal(together.tokens[row], alone.tokens[0])
        np.testing.assert_allclose(together.scores[row], alone.scores[0], atol=1e-4)


def test_an_unseen_symbol_can_be_generated_by_copying_alone():
    model = make_pointer()
    model.decoder.readout.p_gen.bias.assign([-60.0])  # never from the vocabulary
    result = model.decode(SOURCE, SOURCE > 0, max_length=6, tags=TAGS, copies=COPIES)
    for row, length in enumerate((4, 2, 3)):
        generated = result.tokens[row, 0, : result.lengths[row, 0]]
        assert set(generated) <= set(COPIES[row, :length])


@pytest.mark.parametrize("bridge", [Zero, LearnedInitialState])
def test_an_uninformed_decoder_is_refused(bridge):
    parts = Encoder(8, vocabulary_size=10), Decoder(8, vocabulary_size=10)
    with pytest.raises(
        ValueError, match="no information about the source; .* model.allow_uninformed=true"
    ):
        Seq2Seq(*parts, bridge())
    Seq2Seq(*parts, bridge(), allow_uninformed=True)
    for attention in (Dot(), FixedContext()):
        Seq2Seq(parts[0], Decoder(8, vocabulary_size=10, attention=attention), bridge())


def test_tied_embeddings_are_one_weight_also_after_loading(tmp_path):
    def parts(size=10):
        return Encoder(8, vocabulary_size=size), Decoder(8, vocabulary_size=10, readout="tied")

    loose, tied = Seq2Seq(*parts()), Seq2Seq(*parts(), tied_embeddings=True)
    assert loose.count_params() - tied.count_params() == 10 * 32
    assert tied.decoder.input_embedding is tied.encoder.input_embedding
    tied.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.decoder.input_embedding is loaded.encoder.input_embedding
    inputs = inputs_of(SOURCE, TARGET_IN)
    np.testing.assert_allclose(loaded(inputs), tied(inputs), atol=1e-6)
    with pytest.raises(ValueError, match="embeddings are shared where both sides"):
        Seq2Seq(*parts(11), tied_embeddings=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy, kind",
    [
        pytest.param("mixed_float16", "plain", marks=pytest.mark.slow),
        ("mixed_float16", "pointer"),
        ("mixed_bfloat16", "attending"),
        pytest.param("mixed_bfloat16", "pointer", marks=pytest.mark.slow),
    ],
)
def test_mixed_precision_trains_without_nan(policy, kind):
    keras.config.set_dtype_policy(policy)
    try:
        if kind == "pointer":
            model = make_pointer(coverage=True)
        else:
            attention = General(input_feeding=True) if kind == "attending" else None
            decoder = Decoder(8, 2, vocabulary_size=10, attention=attention)
            model = Seq2Seq(Encoder(8, 2, vocabulary_size=10), decoder)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.encoder.compute_dtype == policy.removeprefix("mixed_")
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    model.compile(keras.optimizers.Adam(0.05), cross_entropy(), run_eagerly=True)
    weights = (TARGET_OUT > 0).astype("float32")
    losses = [model.train_on_batch(full_inputs(), TARGET_OUT, weights) for _ in range(6)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it is a SavedModel")
@pytest.mark.parametrize("attention", [None, Additive()], ids=["plain", "attention"])
def test_keras_exports_it_whether_or_not_it_was_called(attention, tmp_path):
    import tensorflow as tf

    size = {"vocabulary_size": 10}
    model = Seq2Seq(Encoder(8, **size), Decoder(8, attention=attention, **size))
    model.export(tmp_path / "exported", verbose=False)
    inputs = inputs_of(SOURCE, TARGET_IN)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    outputs = exported.serve({name: tf.constant(array) for name, array in inputs.items()})
    np.testing.assert_allclose(outputs, model(inputs), atol=1e-5)
