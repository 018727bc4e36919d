"""Conveniences that a Keras user expects of a layer and a model, on both train steps."""

import keras
import numpy as np
import pytest
from keras import initializers, regularizers

from seq2seq import Additive, Decoder, Dense, Encoder, Seq2Seq, cross_entropy
from seq2seq.inference.artifact import load_model, save_model
from seq2seq.models import train_step
from seq2seq.runtime.vocabulary import Vocabulary
from tests.conftest import slow_except

SOURCE = np.random.default_rng(0).integers(4, 10, (8, 3)).astype("int32")
INPUTS = {"source": SOURCE, "source_mask": SOURCE > 0, "target": SOURCE}
SIZES = {"units": 4, "vocabulary_size": 10, "embedding_size": 3}
REGULARIZED = {
    "cell": {"kernel_regularizer": regularizers.L2(0.1), "recurrent_regularizer": "l1"},
    "embeddings_regularizer": regularizers.L2(0.2),
}


def make(encoder=None, bridge=None, **decoder):
    return Seq2Seq(Encoder(**SIZES, **(encoder or {})), Decoder(**SIZES, **decoder), bridge)


def compile(model, **options):
    model.compile(keras.optimizers.SGD(0.5), cross_entropy(), jit_compile=False, **options)
    return model


def fit(model, **options):
    options = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, **options}
    return model.fit(INPUTS, SOURCE, **options).history


@keras.saving.register_keras_serializable("tests")
class Penalized(Dense):
    """A bridge with a loss of its own."""

    def call(self, state):
        self.add_loss(keras.ops.mean(state[0].hidden ** 2))
        return super().call(state)


@keras.saving.register_keras_serializable("tests")
class Watched(Dense):
    """A bridge with a regularizer of its activity."""

    def __init__(self, **options):
        super().__init__(**options)
        self.activity_regularizer = regularizers.L2(0.1)


@pytest.fixture(params=["keras", "sharded"])
def step(request, monkeypatch, eagerly):
    monkeypatch.setattr(train_step, "COMPILE_AFTER", 0 if request.param == "sharded" else 10**9)
    monkeypatch.setattr(train_step, "cores", lambda: 1)


def penalty(model):
    """Sum of the penalties of `REGULARIZED` by their definitions."""
    layer, table = model.encoder.stack.recurrent[0].cell, model.encoder.input_embedding.embedding
    kernel, recurrent = np.array(layer.kernel), np.array(layer.recurrent_kernel)
    embeddings = np.array(table.embeddings)
    return 0.1 * (kernel**2).sum() + 0.01 * abs(recurrent).sum() + 0.2 * (embeddings**2).sum()


def test_regularizers_are_in_the_loss_of_either_step(step):
    model = compile(make(REGULARIZED))
    expected = compile(make())
    expected.set_weights(model.get_weights())
    added, before = penalty(model), model.get_weights()
    loss, plain = (fit(m, epochs=1)["loss"][0] for m in (model, expected))
    np.testing.assert_allclose(loss - plain, added, rtol=1e-4)
    steps = [b - a for a, b in zip(expected.get_weights(), model.get_weights(), strict=True)]
    names = [weight.path for weight in model.weights]
    table = names.index("encoder/input_embedding/embedding/embeddings")
    np.testing.assert_allclose(steps[table], -0.5 * 2 * 0.2 * before[table], atol=1e-5)


def test_either_step_leaves_frozen_weights_as_they_are(step):
    model = make(bridge=Dense())
    model.encoder.stack.trainable = model.bridge.trainable = False
    before = {weight.path: np.array(weight) for weight in model.weights}
    fit(compile(model))
    for weight in model.weights:
        is_frozen = weight.path.startswith(("encoder/stack", "bridge"))
        assert np.array_equal(weight, before[weight.path]) == is_frozen


@pytest.mark.parametrize("bridge", [Penalized, Watched])
def test_losses_of_layers_are_in_the_loss_of_either_step(bridge, step):
    model = compile(make(bridge=bridge()))
    expected = compile(make(bridge=Dense()))
    expected.set_weights(model.get_weights())
    with_loss, plain = (fit(m, epochs=1)["loss"][0] for m in (model, expected))
    assert with_loss > plain + 1e-5


def test_what_is_no_mean_over_shards_is_left_to_keras():
    assert train_step.make_train_step(compile(make(bridge=Watched())), {}) is None


def test_embeddings_have_an_initializer_on_each_side():
    twos = initializers.Constant(2)
    model = make({"embeddings_initializer": "ones"}, embeddings_initializer=twos)
    parts = (model.encoder, model.decoder)
    tables = [np.array(part.input_embedding.embedding.embeddings) for part in parts]
    assert (tables[0] == 1).all() and (tables[1] == 2).all()
    with pytest.raises(ValueError, match="the decoder has no embeddings of its own, and no embed"):
        Seq2Seq(
            Encoder(**SIZES), Decoder(**SIZES, embeddings_initializer="ones"), tied_embeddings=True
        )
    with pytest.raises(ValueError, match="real values have no embeddings, and no embeddings_init"):
        Encoder(4, features=1, embeddings_initializer="ones")


COPIES = {
    "clone": lambda model, path: keras.models.clone_model(model),
    "npz": lambda model, path: through_npz(model, path),
}


def through_npz(model, path):
    side = Vocabulary("abcdef")
    save_model(path / "model.npz", model, side, side, {})
    return load_model(path / "model.npz")[0]


@pytest.mark.parametrize("method", COPIES)
def test_copies_have_the_initializers_and_regularizers(method, tmp_path):
    model = make({**REGULARIZED, "embeddings_initializer": "he_normal"})
    again = COPIES[method](model, tmp_path)
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(sum(again.losses), penalty(model), rtol=1e-5)


def test_weights_of_examples_are_refused_in_words(step):
    with pytest.raises(ValueError, match=r"sample_weight \(or class_weight\) is a weight for each"):
        fit(compile(make()), sample_weight=np.arange(8.0))


@pytest.mark.slow
def test_weights_of_steps_count_as_such(step):
    weights = np.ones((8, 3), "float32")
    weights[4:] = 0
    model, half = compile(make()), compile(make())
    half.set_weights(model.get_weights())
    fit(model, sample_weight=weights)
    inputs = {name: array[:4] for name, array in INPUTS.items()}
    half.fit(inputs, SOURCE[:4], epochs=2, verbose=0, batch_size=4, shuffle=False)
    for mine, theirs in zip(model.get_weights(), half.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_a_summary_shows_shapes(capsys):
    make(attention=Additive()).summary(line_length=120)
    shown = capsys.readouterr().out
    assert "(None, None, 4)" in shown and "(None, None, 10)" in shown and "?" not in shown
    assert "((None, 4), (None, 4))" in shown


@pytest.mark.slow
def test_steps_per_execution_equals_single_steps():
    models = [compile(make()), compile(make(), steps_per_execution=2)]
    models[1].set_weights(models[0].get_weights())
    for model in models:
        fit(model, batch_size=2)
    for mine, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.slow
def test_kerass_own_callbacks_work(tmp_path):
    callbacks = keras.callbacks
    model, rates = compile(make()), []
    history = fit(
        model,
        epochs=9,
        validation_data=(INPUTS, SOURCE),
        callbacks=[
            callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=10, factor=0.5),
            callbacks.EarlyStopping("val_loss", patience=3, min_delta=10),
            callbacks.ModelCheckpoint(tmp_path / "model.keras"),
            callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_weights_only=True),
            callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(logs)),
        ],
    )
    assert len(history["loss"]) == 4 and history["learning_rate"][-1] < 0.5
    loaded = keras.models.load_model(tmp_path / "model.keras")
    weights = make()
    weights.load_weights(tmp_path / "best.weights.h5")
    for again in (loaded, weights):
        np.testing.assert_allclose(again(INPUTS), model(INPUTS), atol=1e-6)


@pytest.mark.slow
def test_a_fit_is_restored_from_a_backup(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    def run(*callbacks):
        keras.utils.set_random_seed(1)
        model = compile(make())
        try:
            fit(model, epochs=4, callbacks=[*callbacks])
        except InterruptedError:
            return None
        return model.get_weights()

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path)

    assert run(backup(), Stop()) is None
    for restored, expected in zip(run(backup()), run(), strict=True):
        np.testing.assert_allclose(restored, expected, atol=1e-6)


@pytest.mark.parametrize(
    "policy", slow_except(["float64"], ["float64", "mixed_float16", "mixed_bfloat16"])
)
def test_the_global_dtype_policy_is_respected(policy, tmp_path, eagerly):
    keras.config.set_dtype_policy(policy)
    try:
        model = compile(make(attention=Additive()))
    finally:
        keras.config.set_dtype_policy("float32")
    for again in (model, through_npz(model, tmp_path)):
        dtypes = {again.compute_dtype, again.encoder.compute_dtype, again.decoder.compute_dtype}
        assert dtypes == {policy.removeprefix("mixed_")}
        assert again.decode(SOURCE, max_length=2).tokens.shape == (8, 1, 2)
    assert np.isfinite(fit(model)["loss"]).all()


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_weights_of_16_bits_are_refused(policy):
    with pytest.raises(ValueError, match=f"choose 'mixed_{policy}'"):
        Encoder(**SIZES, dtype=policy)
