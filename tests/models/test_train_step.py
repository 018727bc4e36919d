"""A sharded train step on all cores: the same as Keras's own, but for the order of additions."""

import collections

import keras
import numpy as np
import pytest
from keras import tree

from seq2seq import Decoder, Dot, Encoder, Seq2Seq, cross_entropy
from seq2seq.layers import Additive
from seq2seq.models import train_step
from seq2seq.training.losses import PerExample

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other engines compile the step themselves"
)
SIZES = {"vocabulary_size": 12, "embedding_size": 5}


def batch(rows=16, time=6, seed=0):
    rng = np.random.default_rng(seed)
    source, target = rng.integers(4, 12, (2, rows, time)).astype("int32")
    source_mask, target_mask = (np.arange(time) < rng.integers(1, time + 1, (2, rows, 1)))[:]
    inputs = {
        "source": source * source_mask,
        "source_mask": source_mask,
        "target": target,
        "target_mask": target_mask,
    }
    inputs["teacher_forcing_mask"] = rng.random((rows, time)) < 0.5
    return inputs, target, target_mask.astype("float32")


class Batches:
    """An iterator as TensorFlow's datasets give it."""

    def __init__(self, batches):
        import tensorflow as tf

        self.batches = iter([tree.map_structure(tf.convert_to_tensor, batch) for batch in batches])
        self.element_spec = tree.map_structure(
            lambda array: tf.TensorSpec((None,) * array.ndim, array.dtype), batches[0]
        )

    def __next__(self):
        return next(self.batches)


def compiled(make, monkeypatch, hot, loss=cross_entropy, clip=1.0):
    monkeypatch.setattr(train_step, "COMPILE_AFTER", hot)
    monkeypatch.setattr(train_step, "cores", lambda: 2)
    keras.utils.set_random_seed(0)
    model, loss = make(), loss()
    optimizer = keras.optimizers.Adam(1e-2, epsilon=1e-2, global_clipnorm=clip)
    model.compile(optimizer, loss, jit_compile=False)
    return model, train_step.make_train_step(model, collections.Counter())


def train(make, batches, monkeypatch, hot, **settings):
    """The loss after each update, and the weights after the last."""
    model, update = compiled(make, monkeypatch, hot, **settings)
    batches = Batches(batches)
    losses = [float(update(batches)["loss"]) for _ in range(3)]
    return losses, model.get_weights(), update


def plain():
    return Seq2Seq(Encoder(7, **SIZES), Decoder(7, **SIZES))


MODELS = {
    "deep": lambda: Seq2Seq(
        Encoder(4, 2, bidirectional=True, **SIZES), Decoder(8, 2, attention=Dot(), **SIZES)
    ),
    "gru": lambda: Seq2Seq(Encoder(7, cell="gru", **SIZES), Decoder(7, cell="gru", **SIZES)),
    "coverage": lambda: Seq2Seq(
        Encoder(7, **SIZES), Decoder(7, attention=Additive(6, coverage=True), **SIZES)
    ),
}


def equals_keras(make, batches, monkeypatch, **settings):
    losses, weights, _ = train(make, batches, monkeypatch, 0, **settings)
    expected_losses, expected, _ = train(make, batches, monkeypatch, 10**9, **settings)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for weight, expected_weight in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, expected_weight, atol=1e-6)


def test_it_equals_keras_with_uneven_masks_and_forced_steps(monkeypatch):
    equals_keras(plain, [batch(seed=seed) for seed in range(3)], monkeypatch, clip=0.1)


@pytest.mark.slow
def test_it_equals_keras_where_no_norm_is_clipped(monkeypatch):
    equals_keras(plain, [batch()] * 3, monkeypatch, clip=None)


@pytest.mark.slow
def test_a_loss_by_examples_equals_keras_too(monkeypatch):
    equals_keras(plain, [batch()] * 3, monkeypatch, loss=lambda: PerExample(cross_entropy()))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_all_models_equal_keras(model, monkeypatch):
    batches = [batch(), batch(seed=1), batch(rows=15, seed=2)]
    equals_keras(MODELS[model], batches, monkeypatch)


@pytest.mark.slow
def test_the_same_run_computes_the_same_bits_and_parts_have_their_own_noise(monkeypatch):
    def noisy():
        encoder = Encoder(7, cell={"kind": "lstm", "dropout": 0.5}, **SIZES)
        return Seq2Seq(encoder, Decoder(7, **SIZES))

    inputs, target, weights = batch(8)
    twice = tree.map_structure(lambda array: np.concatenate([array] * 2), (inputs, target, weights))
    (losses, trained, update), (_, retrained, _) = (
        train(noisy, [twice] * 3, monkeypatch, hot=1) for _ in range(2)
    )
    assert all((a == b).all() for a, b in zip(trained, retrained, strict=True))
    assert update.shape_counts == {"16,6,6": 3}
    model = update.model
    first, second = (
        [train_step._fork_seed(v, number).numpy() for v in model.non_trainable_variables]
        for number in (0, 1)
    )
    assert any((a != b).any() for a, b in zip(first, second, strict=True))
    assert np.std(losses) > 0


def test_each_shard_has_a_seed_of_its_own_and_the_same_weights():
    seed, mean = keras.random.SeedGenerator(5).state, keras.Variable([1.0, 2.0], name="mean")
    seeds = [tuple(train_step._fork_seed(seed, number).numpy()) for number in range(3)]
    assert seeds[0] == tuple(np.array(seed)) and len(set(seeds)) == 3
    assert all(train_step._fork_seed(mean, n).numpy().tolist() == [1.0, 2.0] for n in range(3))


def test_a_batch_is_split_into_equal_parts_that_are_worth_a_core():
    assert [train_step.shard_count(n, 4) for n in (1, 8, 16, 24, 33, 34, 64)] == [
        1,
        1,
        2,
        3,
        3,
        2,
        4,
    ]


def fit_by_hand(monkeypatch, hot):
    monkeypatch.setattr(train_step, "COMPILE_AFTER", hot)
    monkeypatch.setattr(train_step, "cores", lambda: 2)
    keras.utils.set_random_seed(0)
    model = plain()
    model.compile("adam", cross_entropy(), weighted_metrics=["sparse_categorical_accuracy"])
    inputs, target, weights = batch(rows=32)
    history = model.fit(
        inputs, target, sample_weight=weights, batch_size=16, epochs=2, shuffle=False, verbose=0
    )
    return model, history.history


@pytest.mark.slow
def test_fit_by_hand_runs_the_sharded_step_with_the_numbers_of_keras(monkeypatch):
    model, history = fit_by_hand(monkeypatch, hot=1)
    assert isinstance(model.train_function, train_step.ShardedTrainStep)
    assert model.train_function.shape_counts == {"16,6,6": 4}
    keras_model, expected = fit_by_hand(monkeypatch, hot=10**9)
    assert history.keys() == expected.keys() == {"loss", "sparse_categorical_accuracy"}
    for name in history:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-4)
    for first, second in zip(model.get_weights(), keras_model.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_keras_steps_where_it_knows_better(monkeypatch):
    model, _ = compiled(plain, monkeypatch, 0)
    monkeypatch.setattr(train_step, "on_cpu", lambda: False)
    assert train_step.make_train_step(model, collections.Counter()) is None
