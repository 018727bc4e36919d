"""Readouts: logits by their formulas, in float32 under mixed precision."""

import keras
import numpy as np
import pytest

from seq2seq.layers.readout import Readout, Tied

OUTPUT = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def make(kind, dtype="float32"):
    table = keras.layers.Embedding(7, 5)
    table.build()
    readout = kind(7, dtype=dtype)
    readout.connect(4, 2, 0, table)
    return readout, np.array(table.embeddings)


def test_logits_are_a_dense_layer_of_the_output():
    readout, _ = make(Readout)
    logits = readout(OUTPUT, None, None, None, None)
    expected = OUTPUT @ np.array(readout.logits.kernel) + np.array(readout.logits.bias)
    np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_tied_logits_are_products_with_the_embeddings():
    readout, table = make(Tied)
    readout.bias.assign(np.arange(7.0))
    logits = readout(OUTPUT, None, None, None, None)
    projected = OUTPUT @ np.array(readout.projection.kernel) + np.array(readout.projection.bias)
    np.testing.assert_allclose(logits, projected @ table.T + np.arange(7), atol=1e-5)


@pytest.mark.parametrize("kind", [Readout, Tied])
def test_logits_are_float32_under_mixed_precision(kind):
    readout, _ = make(kind, "mixed_bfloat16")
    logits = readout(keras.ops.cast(OUTPUT, "bfloat16"), None, None, None, None)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_generated_tokens_are_readable_as_they_are():
    readout, _ = make(Readout)
    assert readout.to_readable_ids(OUTPUT) is OUTPUT and readout.precompute(OUTPUT) is OUTPUT
    assert Readout.from_config(readout.get_config()).size == 7
