"""First weights: PyTorch's distributions, and nothing else touched."""

import keras
import numpy as np
import pytest

from seq2seq import Decoder, Dot, Encoder, Seq2Seq
from seq2seq.training.initialization import initialize_as_pytorch

SIZES = {"vocabulary_size": 50, "embedding_size": 40}


def drawn(seed=0, cell="lstm"):
    keras.utils.set_random_seed(0)
    model = Seq2Seq(
        Encoder(64, 2, cell=cell, **SIZES), Decoder(64, 2, cell=cell, attention=Dot(), **SIZES)
    )
    initialize_as_pytorch(model, seed)
    return {variable.path: np.array(variable) for variable in model.trainable_variables}


@pytest.mark.parametrize("cell, biases", [("lstm", 2), ("gru", 1), ("rnn", 2)])
def test_the_distributions(cell, biases):
    weights = drawn(cell=cell)
    for path, array in weights.items():
        layer, name = path.rsplit("/", 1)
        if name == "embeddings":
            assert abs(array.std() - 1) < 0.05 and abs(array.mean()) < 0.1
            continue
        recurrent = f"{layer}/recurrent_kernel" in weights
        limit = 1 / np.sqrt(64 if recurrent else len(weights[f"{layer}/kernel"]))
        count = biases if recurrent and name == "bias" else 1  # PyTorch's, that one here stands for
        assert np.abs(array).max() < count * limit
        if array.size > 200:
            assert array.std() == pytest.approx(limit * np.sqrt(count / 3), rel=0.1)


def test_the_seed_decides():
    first, second, reseeded = drawn(0), drawn(0), drawn(1)
    for path, array in first.items():
        np.testing.assert_array_equal(array, second[path])
        assert (array != reseeded[path]).any()


def test_weights_without_a_pytorch_counterpart_are_unchanged():
    keras.utils.set_random_seed(0)
    encoder = Encoder(8, cell={"layer_norm": True}, **SIZES)
    original_weights = {
        v.path: np.array(v) for v in encoder.trainable_variables if "norm" in v.path
    }
    initialize_as_pytorch(Seq2Seq(encoder, Decoder(8, **SIZES)), 0)
    assert original_weights
    for variable in encoder.trainable_variables:
        if variable.path in original_weights:
            np.testing.assert_array_equal(variable, original_weights[variable.path])
