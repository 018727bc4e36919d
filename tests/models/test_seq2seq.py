"""Seq2Seq is a real Keras model, and padding changes neither loss, gradient nor states."""

import keras
import numpy as np
import pytest

from seq2seq import Copy, Decoder, Dense, Encoder, LSTMState, Seq2Seq, Zero, cross_entropy
from seq2seq.data.vocabulary import END, START

SOURCE = np.array([[5, 6, 7, 2], [8, 2, 0, 0], [4, 4, 2, 0]], "int32")
TARGET_OUT = np.array([[7, 6, 5, 2], [8, 2, 0, 0], [4, 4, 2, 0]], "int32")
TARGET_IN = np.array([[1, 7, 6, 5], [1, 8, 0, 0], [1, 4, 4, 0]], "int32")


def make_model(layers=1, bridge=None, decoder_units=8, decoder_layers=None):
    return Seq2Seq(
        Encoder(8, layers, vocabulary_size=10),
        Decoder(decoder_units, decoder_layers or layers, vocabulary_size=10),
        bridge,
    )


def inputs_of(source, target_in):
    return {"source": source, "source_mask": source > 0, "target": target_in}


def gradients(model, source, target_in, target_out):
    """Loss and gradients, by one step of plain gradient descent: works on every engine."""
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), cross_entropy(), jit_compile=False)
    weights = (target_out > 0).astype("float32")
    loss = model.train_on_batch(inputs_of(source, target_in), target_out, weights)
    after = model.get_weights()
    model.set_weights(before)
    return loss, [b - a for b, a in zip(before, after, strict=True)]


@pytest.mark.parametrize("layers", [1, 3])
def test_extra_padding_changes_neither_loss_nor_gradient(layers):
    model = make_model(layers)
    loss, gradient = gradients(model, SOURCE, TARGET_IN, TARGET_OUT)
    padded = [np.pad(a, ((0, 0), (0, 4))) for a in (SOURCE, TARGET_IN, TARGET_OUT)]
    padded_loss, padded_gradient = gradients(model, *padded)
    np.testing.assert_allclose(loss, padded_loss, rtol=1e-5)
    assert max(np.abs(g).max() for g in gradient) > 1e-3
    for one, other in zip(gradient, padded_gradient, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_loss_is_the_mean_over_real_tokens():
    model = make_model()
    logits = np.array(model(inputs_of(SOURCE, TARGET_IN)))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    real = TARGET_OUT > 0
    expected = -np.take_along_axis(log_p, TARGET_OUT[..., None], -1)[..., 0][real].mean()
    loss, _ = gradients(model, SOURCE, TARGET_IN, TARGET_OUT)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_decoding_a_batch_is_decoding_its_rows():
    model = make_model(2)
    together = model.decode(SOURCE, SOURCE > 0, max_length=9)
    padded = np.pad(SOURCE, ((0, 0), (0, 3)))
    for a, b in zip(together, model.decode(padded, padded > 0, max_length=9), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for row, length in enumerate((4, 2, 3)):
        alone = model.decode(SOURCE[row : row + 1, :length], max_length=9)
        np.testing.assert_array_equal(together.tokens[row], alone.tokens[0])
        np.testing.assert_allclose(together.scores[row], alone.scores[0], atol=1e-5)


def test_free_running_says_what_teacher_forcing_says_of_it():
    """The score of a greedy answer is the sum of its log-probabilities under the whole pass."""
    model = make_model(2)
    model.decoder.readout.bias.assign(np.linspace(-1, 1, 10))
    found = model.decode(SOURCE, SOURCE > 0, max_length=6)
    tokens, lengths = found.tokens[:, 0], found.lengths[:, 0]
    target_in = np.concatenate([np.full((3, 1), START), tokens[:, :-1]], axis=1)
    logits = np.array(model(inputs_of(SOURCE, target_in)))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for row in range(3):
        said = [*tokens[row, : lengths[row]], *([END] if found.ended[row, 0] else [])]
        expected = sum(log_p[row, time, token] for time, token in enumerate(said))
        np.testing.assert_allclose(found.scores[row, 0], expected, atol=1e-4)
        assert said == [int(np.argmax(log_p[row, time])) for time in range(len(said))]


def test_the_decoder_knows_its_source_by_the_state_alone():
    other = SOURCE[::-1].copy()
    for bridge, knows in [(Copy(), True), (Zero(), False)]:
        model = make_model(bridge=bridge)
        one = np.array(model(inputs_of(SOURCE, TARGET_IN)))
        two = np.array(model(inputs_of(other, TARGET_IN)))
        assert np.allclose(one, two) != knows


@pytest.mark.parametrize("bridge", [Copy, Dense, Zero])
def test_saves_and_loads(tmp_path, bridge):
    model = make_model(2, bridge())
    model(inputs_of(SOURCE, TARGET_IN))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = model(inputs_of(SOURCE, TARGET_IN))
    np.testing.assert_allclose(loaded(inputs_of(SOURCE, TARGET_IN)), expected, atol=1e-6)
    before, after = (m.decode(SOURCE, SOURCE > 0, max_length=5) for m in (model, loaded))
    np.testing.assert_array_equal(before.tokens, after.tokens)


def test_fits_and_evaluates():
    model = make_model()
    model.compile(keras.optimizers.Adam(0.01), cross_entropy())
    data = (inputs_of(SOURCE, TARGET_IN), TARGET_OUT, (TARGET_OUT > 0).astype("float32"))
    x, y, weights = data
    before = model.evaluate(x, y, sample_weight=weights, verbose=0)
    model.fit(x, y, sample_weight=weights, epochs=40, verbose=0)
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) < before / 2


def test_decoding_sees_weights_that_changed_after_the_first_call():
    model = make_model()
    model.decode(SOURCE, SOURCE > 0, max_length=4)
    bias = np.zeros(10)
    bias[7] = 100.0
    model.decoder.readout.bias.assign(bias)
    assert (model.decode(SOURCE, SOURCE > 0, max_length=4).tokens == 7).all()


@pytest.mark.parametrize("units, layers", [(16, 2), (8, 1)])
def test_unlike_sides_are_an_error_that_names_the_bridge(units, layers):
    with pytest.raises(ValueError, match="encoder has 2 layers of 8 units.*bridge=dense"):
        make_model(2, Copy(), units, layers)
    model = make_model(2, Dense(), units, layers)
    assert model(inputs_of(SOURCE, TARGET_IN)).shape == (3, 4, 10)


def test_the_start_is_what_the_encoder_ended_with():
    model = make_model(2)
    state, memory = model.start(SOURCE, SOURCE > 0)
    assert all(isinstance(layer, LSTMState) for layer in state)
    for handed, ended in zip(state, memory.state, strict=True):
        np.testing.assert_array_equal(handed.cell, ended.cell)


def test_ids_are_the_vocabularys():
    model = make_model()
    assert (model.start_id, model.end_id) == (START, END)


def test_real_values_in_and_out():
    model = Seq2Seq(Encoder(8, features=1), Decoder(8, features=1))
    source = np.random.default_rng(0).normal(size=(2, 5, 1)).astype("float32")
    found = model.decode(source, max_length=3)
    assert found.tokens.shape == (2, 1, 3, 1)
    target_in = np.concatenate([np.zeros((2, 1, 1)), found.tokens[:, 0, :-1]], axis=1)
    whole = model({"source": source, "target": target_in.astype("float32")})
    np.testing.assert_allclose(whole, found.tokens[:, 0], atol=1e-5)


@pytest.mark.parametrize("bridge", [Copy, Dense, Zero])
def test_parts_work_in_a_functional_model(bridge):
    model = make_model(2, bridge())
    shapes = {"source": "int32", "source_mask": "bool", "target": "int32"}
    inputs = {name: keras.Input((None,), dtype=dtype, name=name) for name, dtype in shapes.items()}
    functional = keras.Model(inputs, model(inputs))
    values = inputs_of(SOURCE, TARGET_IN)
    np.testing.assert_allclose(functional(values), model(values), atol=1e-6)
