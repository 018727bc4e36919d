"""Input embedding: rows of the table for tokens, real values unchanged."""

import numpy as np
import pytest

from seq2seq.layers.input_embedding import InputEmbedding, require_tokens_or_features


def test_tokens_are_rows_of_the_table():
    layer = InputEmbedding(5, None, 3)
    layer.build()
    tokens = np.array([[1, 4, 1]])
    np.testing.assert_array_equal(layer(tokens), np.array(layer.embedding.embeddings)[tokens])
    assert layer.output_size == 3


def test_real_values_are_unchanged():
    layer = InputEmbedding(None, 2, 3)
    values = np.array([[[0.5, -1.0]]], "float32")
    np.testing.assert_array_equal(layer(values), values)
    assert layer.output_size == 2 and layer.weights == []


@pytest.mark.parametrize("sizes", [(None, None), (5, 1)])
def test_inputs_are_either_tokens_or_real_values(sizes):
    with pytest.raises(ValueError, match="the encoder needs either vocabulary_size"):
        require_tokens_or_features(*sizes, "the encoder")
