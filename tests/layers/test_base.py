"""Freezing: what is not trained stays so, however a model is copied, saved and loaded."""

import copy
import pickle

import keras
import numpy as np
import pytest

from seq2seq import Additive, Decoder, Dense, Encoder, Seq2Seq, cross_entropy
from seq2seq.inference.artifact import load_model, save_model
from seq2seq.layers.stack import Stack
from seq2seq.runtime.vocabulary import Vocabulary
from tests.conftest import slow_except

SOURCE = np.array([[5, 6, 7, 2], [8, 2, 0, 0]], "int32")
INPUTS = {"source": SOURCE, "source_mask": SOURCE > 0, "target": SOURCE}


def make_model():
    encoder = Encoder(4, 2, vocabulary_size=10, embedding_size=3)
    return Seq2Seq(encoder, Decoder(4, 2, vocabulary_size=10, attention=Additive()), Dense())


def through_keras(model, path):
    model.save(path / "model.keras")
    return keras.models.load_model(path / "model.keras")


def through_npz(model, path):
    side = Vocabulary.build(["abcdef"], "characters")
    save_model(path / "model.npz", model, side, side, {})
    return load_model(path / "model.npz")[0]


COPIES = {
    "from_config": lambda model, path: Seq2Seq.from_config(model.get_config()),
    "clone_model": lambda model, path: keras.models.clone_model(model),
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "keras": through_keras,
    "npz": through_npz,
}
FROZEN = {
    "encoder": lambda model: [model.encoder],
    "decoder": lambda model: [model.decoder],
    "bridge": lambda model: [model.bridge],
    "attention": lambda model: [model.decoder.attention],
    "readout": lambda model: [model.decoder.readout],
    "embeddings": lambda model: [model.encoder.input_embedding.embedding],
    "layer": lambda model: [model.encoder.stack.recurrent[0]],
    "encoder and attention": lambda model: [model.encoder, model.decoder.attention],
    "model": lambda model: [model],
}


def paths(weights):
    return [weight.path for weight in weights]


@pytest.mark.parametrize(
    "frozen, method",
    slow_except(
        [("encoder", "from_config"), ("encoder and attention", "npz")],
        [
            *((frozen, "from_config") for frozen in FROZEN),
            *(("encoder and attention", method) for method in COPIES if method != "from_config"),
        ],
    ),
)
def test_a_copy_is_frozen_where_the_model_is(frozen, method, tmp_path):
    model = make_model()
    for layer in FROZEN[frozen](model):
        layer.trainable = False
    again = COPIES[method](model, tmp_path)
    assert len(paths(model.trainable_variables)) < len(model.weights)
    assert paths(again.trainable_variables) == paths(model.trainable_variables)
    assert [layer.trainable for layer in FROZEN[frozen](again)] == [False] * len(
        FROZEN[frozen](again)
    )
    assert again.encoder.trainable == model.encoder.trainable
    assert again.decoder.trainable == model.decoder.trainable


@pytest.mark.slow
def test_training_of_a_loaded_model_continues_and_leaves_a_frozen_encoder(tmp_path):
    model = make_model()
    model.encoder.trainable = False
    model.compile("adam", cross_entropy(), jit_compile=False)
    model.train_on_batch(INPUTS, SOURCE)
    again = through_keras(model, tmp_path)
    assert len(again.optimizer.variables) == len(model.optimizer.variables)
    for mine in (model, again):
        original_weights = [np.array(weight) for weight in mine.encoder.weights]
        readout = np.array(mine.decoder.readout.weights[0])
        mine.train_on_batch(INPUTS, SOURCE)
        for weight, original in zip(mine.encoder.weights, original_weights, strict=True):
            np.testing.assert_array_equal(weight, original)
        assert not np.array_equal(mine.decoder.readout.weights[0], readout)
    for mine, theirs in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        Encoder(4, vocabulary_size=10, trainable=False),
        Decoder(4, vocabulary_size=10, trainable=False),
        Additive(trainable=False),
        Dense(trainable=False),
        Stack(3, 4, trainable=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_alone_keeps_what_keras_keeps_of_a_layer(layer):
    again = type(layer).from_config(layer.get_config())
    assert not again.trainable and again.get_config() == layer.get_config()
    assert keras.layers.Layer.get_config(layer).keys() <= layer.get_config().keys()


def test_weights_created_after_freezing_are_frozen():
    encoder = Encoder(4, vocabulary_size=10, trainable=False)
    assert encoder.weights and not any(weight.trainable for weight in encoder.weights)
    decoder = Decoder(4, vocabulary_size=10, attention=Additive(trainable=False))
    model = Seq2Seq(encoder, decoder, Dense(trainable=False))
    trained = paths(model.trainable_variables)
    assert trained and all(
        path.startswith("decoder/") and "attention" not in path for path in trained
    )
    shared = Seq2Seq(Encoder(4, vocabulary_size=10), Decoder(4, vocabulary_size=10))
    assert len(shared.trainable_variables) == len(shared.weights)


def test_a_frozen_weight_that_is_none_is_refused():
    config = {**make_model().get_config(), "frozen": ["encoder/nothing"]}
    with pytest.raises(ValueError, match=r"frozen names 'encoder/nothing', which is no weight"):
        Seq2Seq.from_config(config)


def test_an_older_configuration_has_nothing_frozen():
    model = make_model()
    model.trainable = False
    config = {k: v for k, v in model.get_config().items() if k not in ("trainable", "frozen")}
    for part in ("encoder", "decoder", "bridge"):
        del config[part]["config"]["trainable"]
    del config["decoder"]["config"]["attention"]["config"]["trainable"]
    again = Seq2Seq.from_config(config)
    assert len(again.trainable_variables) == len(again.weights)


def test_a_summary_shows_what_is_inside(capsys):
    make_model().summary(expand_nested=True)
    shown = capsys.readouterr().out
    assert "encoder (Encoder)" in shown and "unbuilt" not in shown
