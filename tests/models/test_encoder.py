"""The encoder: padding changes nothing, a batch is its rows, sizes are checked."""

import numpy as np
import pytest

from seq2seq import Cell, Encoder
from tests.conftest import slow_except

SOURCE = np.array([[5, 6, 7, 2], [8, 2, 0, 0]])


def flat(memory):
    return [np.array(part) for layer in memory.state for part in layer]


KINDS = {
    "one layer": {},
    "three layers": {"layers": 3},
    "gru": {"layers": 2, "cell": "gru"},
    "rnn, both ways": {"layers": 2, "cell": "rnn", "bidirectional": True},
    "both ways": {"layers": 2, "bidirectional": True},
    "normalised": {"bidirectional": True, "cell": Cell(layer_norm=True)},
    "backwards": {"layers": 2, "backwards": True},
}


@pytest.mark.parametrize(
    "kind",
    slow_except([KINDS[kind] for kind in ("three layers", "gru", "both ways")], KINDS.values()),
    ids=KINDS,
)
def test_extra_padding_changes_nothing(kind):
    encoder = Encoder(8, vocabulary_size=10, **kind)
    padded = np.pad(SOURCE, ((0, 0), (0, 5)))
    short, long = encoder(SOURCE, mask=SOURCE > 0), encoder(padded, mask=padded > 0)
    for expected, actual in zip(flat(short), flat(long), strict=True):
        np.testing.assert_allclose(expected, actual, atol=1e-6)
    for row, length in enumerate((4, 2)):
        values = np.array(short.values)[row, :length]
        np.testing.assert_allclose(values, np.array(long.values)[row, :length], atol=1e-6)


@pytest.mark.parametrize(
    "kind",
    slow_except([KINDS[kind] for kind in ("three layers", "gru", "both ways")], KINDS.values()),
    ids=KINDS,
)
def test_a_batch_is_its_rows_one_by_one(kind):
    encoder = Encoder(8, vocabulary_size=10, **kind)
    together = encoder(SOURCE, mask=SOURCE > 0)
    for row, length in enumerate((4, 2)):
        alone = encoder(SOURCE[row : row + 1, :length])
        for batched, single in zip(flat(together), flat(alone), strict=True):
            np.testing.assert_allclose(batched[row], single[0], atol=1e-6)
        np.testing.assert_allclose(together.values[row, :length], alone.values[0], atol=1e-6)


def test_backwards_is_reading_the_reversed_source():
    reverse_encoder, encoder = (
        Encoder(8, vocabulary_size=10, backwards=True),
        Encoder(8, vocabulary_size=10),
    )
    encoder.set_weights(reverse_encoder.get_weights())
    backwards, reversed_source = reverse_encoder(SOURCE[:1]), encoder(SOURCE[:1, ::-1])
    for a, b in zip(flat(backwards), flat(reversed_source), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(backwards.values[0], reversed_source.values[0, ::-1], atol=1e-6)


def test_sizes_are_those_of_the_states_and_values():
    for kind in KINDS.values():
        encoder = Encoder(8, vocabulary_size=10, **kind)
        memory = encoder(SOURCE)
        sizes = [[part.shape[-1] for part in layer] for layer in memory.state]
        assert sizes == [list(layer) for layer in encoder.state_sizes]
        assert memory.values.shape[-1] == encoder.output_size


def test_reading_backwards_twice_is_refused():
    with pytest.raises(ValueError, match="bidirectional=true and backwards=true"):
        Encoder(8, vocabulary_size=10, bidirectional=True, backwards=True)


def test_reads_real_values():
    memory = Encoder(8, features=2)(np.ones((3, 4, 2), "float32"))
    assert memory.values.shape == (3, 4, 8)


@pytest.mark.parametrize("arguments", [{}, {"vocabulary_size": 5, "features": 1}])
def test_needs_either_tokens_or_values(arguments):
    with pytest.raises(ValueError, match="either vocabulary_size .* or features"):
        Encoder(8, **arguments)
