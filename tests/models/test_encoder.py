"""The encoder: padding changes nothing, a batch is its rows, sizes are checked."""

import numpy as np
import pytest

from seq2seq import Encoder

SOURCE = np.array([[5, 6, 7, 2], [8, 2, 0, 0]])


def flat(memory):
    return [np.array(part) for layer in memory.state for part in layer]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_extra_padding_changes_no_state(layers):
    encoder = Encoder(8, layers, vocabulary_size=10)
    padded = np.pad(SOURCE, ((0, 0), (0, 5)))
    short, long = encoder(SOURCE, mask=SOURCE > 0), encoder(padded, mask=padded > 0)
    for one, other in zip(flat(short), flat(long), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(short.values[0], long.values[0, :4], atol=1e-6)


def test_a_batch_is_its_rows_one_by_one():
    encoder = Encoder(8, 2, vocabulary_size=10)
    together = flat(encoder(SOURCE, mask=SOURCE > 0))
    for row, length in enumerate((4, 2)):
        alone = flat(encoder(SOURCE[row : row + 1, :length]))
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[row], other[0], atol=1e-6)


def test_reads_real_values():
    memory = Encoder(8, features=2)(np.ones((3, 4, 2), "float32"))
    assert memory.values.shape == (3, 4, 8)


@pytest.mark.parametrize("arguments", [{}, {"vocabulary_size": 5, "features": 1}])
def test_needs_either_tokens_or_values(arguments):
    with pytest.raises(ValueError, match="either vocabulary_size .* or features"):
        Encoder(8, **arguments)
