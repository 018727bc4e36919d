"""Batches: what is real and what is padding, and an order that can be computed."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data import Batches, Example, Numbers, Reverse, Vocabulary, make_batch
from seq2seq.data.batching import bucket, pad

LETTERS = Vocabulary("abcd")


def finite(count, size=4, seed=0):
    words = ["".join(w) for w in np.random.default_rng(0).choice(list("abcd"), (count, 6))]
    examples = [Example(f"{w}"[: 1 + n % 6], f"{w}"[: 1 + n % 6]) for n, w in enumerate(words)]
    return Batches(examples, LETTERS, LETTERS, size, seed)


@given(st.integers(0, 10_000))
def test_buckets_fit_and_waste_little(length):
    assert length <= bucket(length) <= max(4, length + 3, 1.25 * length)
    assert bucket(bucket(length)) == bucket(length)


def test_buckets_are_few():
    assert len({bucket(length) for length in range(1000)}) <= 32


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=20), min_size=1, max_size=9))
def test_padding_holds_every_row(rows):
    padded, mask = pad(rows)
    assert [row[real].tolist() for row, real in zip(padded, mask, strict=True)] == rows
    assert not padded[~mask].any()
    assert mask[:, 0].all()  # no row is all padding


def test_rows_without_a_step_are_refused():
    with pytest.raises(ValueError, match="lengths must be 1 to"):
        pad([[1], []])


def test_a_batch_is_one_step_apart():
    batch = make_batch([Example("ab", "cd"), Example("", "a")], LETTERS, LETTERS)
    assert batch.source.tolist() == [[4, 5, 2, 0], [2, 0, 0, 0]]
    assert batch.target_in.tolist() == [[1, 6, 7, 0], [1, 4, 0, 0]]
    assert batch.target_out.tolist() == [[6, 7, 2, 0], [4, 2, 0, 0]]
    assert batch.weights.tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]


def test_real_values_start_from_zeros():
    batch = make_batch([Example("1 2", "3 4 5"), Example("6", "7")], Numbers(), Numbers())
    assert batch.target_in[0, :, 0].tolist() == [0, 3, 4, 0]
    assert batch.target_out[0, :, 0].tolist() == [3, 4, 5, 0]
    assert batch.target_in[1, :, 0].tolist() == [0, 0, 0, 0]
    assert batch.target_mask.sum(1).tolist() == [3, 1]


@pytest.mark.parametrize("count, size", [(37, 4), (64, 4), (3, 8), (500, 7)])
def test_every_example_comes_once_an_epoch(count, size):
    batches = finite(count, size)
    assert batches.steps_per_epoch == -(-count // size)
    for epoch in range(2):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        seen = Counter(LETTERS.decode(row) for step in steps for row in batches[step].target_out)
        assert seen == Counter(example.target for example in batches.examples)


def test_any_step_can_be_computed_by_itself():
    straight = [batch.source.tolist() for batch in islice(finite(300).iterate(), 160)]
    for step in (159, 3, 80):
        assert finite(300)[step].source.tolist() == straight[step]
    resumed = finite(300).iterate(start=100)
    assert [next(resumed).source.tolist() for _ in range(60)] == straight[100:]


def test_the_order_depends_on_epoch_and_seed():
    def order(seed, epoch):
        batches = finite(40, seed=seed)
        return [batches[epoch * 10 + step].source.tolist() for step in range(10)]

    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert order(0, 0) == order(0, 0)


def test_a_stream_has_no_end_and_no_repetition():
    task = Reverse(min_length=8)
    batches = Batches(task.examples("train"), task.source, task.target, 16, 0)
    assert batches.steps_per_epoch is None
    rows = [task.source.decode(row) for step in range(40) for row in batches[step].source]
    assert len(set(rows)) == 640
    direct = task.examples("train")
    assert set(rows) <= {direct[n].source for n in range(1024)}


def test_like_lengths_come_together():
    task = Reverse()
    batches = Batches(task.examples("train"), task.source, task.target, 64, 0)
    masks = [batches[step].target_mask for step in range(64)]
    assert sum(m.sum() for m in masks) / sum(m.size for m in masks) > 0.7
