"""Examples of a task: streams are read anywhere, held-out ones evenly."""

import pytest

from seq2seq.data import (
    Copy,
)
from seq2seq.data.task import Stream, evenly_spaced, part_of


def test_a_stream_keeps_one_block_and_can_be_read_anywhere():
    stream = Copy().examples("train")
    assert isinstance(stream, Stream)
    far = stream[100_000]
    assert stream[0] == Copy().examples("train")[0]
    assert stream[100_000] == far
    assert len(stream._examples) == stream._block


@pytest.mark.parametrize(
    "maximum, expected",
    [(None, range(10)), (10, range(10)), (3, [0, 3, 6]), (4, [0, 2, 5, 7]), (1, [0])],
)
def test_fewer_held_out_examples_are_spread_evenly(maximum, expected):
    assert [*evenly_spaced(range(10), maximum)] == [*expected]


def test_each_seed_divides_the_space_in_its_own_way():
    """Another seed holds out the same proportion of one seed's held-out keys as of all keys."""
    keys = [str(number) for number in range(4000)]
    held_out = [{key for key in keys if part_of(key, seed) != "train"} for seed in (0, 1)]
    proportion = len(held_out[1]) / len(keys)
    assert len(held_out[0] & held_out[1]) / len(held_out[0]) == pytest.approx(proportion, abs=0.08)
    assert 0 < proportion < 0.5
