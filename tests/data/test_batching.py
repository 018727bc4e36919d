"""Batches: what is real and what is padding, and an order that can be computed."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data import Batches, Example, Numbers, Reverse, Tagged, Vocabulary, make_batch
from seq2seq.data.batching import (
    MAX_STEPS,
    WINDOW,
    bucket,
    divide,
    encode_source,
    pad,
    stack_sources,
)

LETTERS = Vocabulary("abcd")


def finite(count, size=4, seed=0, curriculum_fraction=None, replacement=False):
    words = ["".join(w) for w in np.random.default_rng(0).choice(list("abcd"), (count, 6))]
    examples = [Example(f"{w}"[: 1 + n % 6], f"{w}"[: 1 + n % 6]) for n, w in enumerate(words)]
    options = {"curriculum_fraction": curriculum_fraction, "replacement": replacement}
    return Batches(examples, LETTERS, LETTERS, size, seed, **options)


@given(st.integers(0, 10_000))
def test_buckets_fit_and_waste_little(length):
    assert length <= bucket(length) <= max(4, length + 3, 1.25 * length)
    assert bucket(bucket(length)) == bucket(length)


def test_buckets_are_few():
    assert len({bucket(length) for length in range(1000)}) <= 32


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=20), min_size=1, max_size=9))
def test_padding_holds_every_row(rows):
    padded, mask = pad(rows)
    assert [row[row_mask].tolist() for row, row_mask in zip(padded, mask, strict=True)] == rows
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


def test_tags_are_a_row_of_the_batch():
    side = Tagged(LETTERS, ["N", "PL", "V"])
    batch = make_batch([Example("ab\tV", "c"), Example("a\tPL;N", "d")], side, LETTERS)
    assert batch.source.tolist() == [[4, 5, 2, 0], [4, 2, 0, 0]]
    assert batch.tags.tolist() == [[0, 0, 1], [1, 1, 0]]
    assert batch.inputs["tags"] is batch.tags
    assert "copies" not in batch.inputs and batch.copies is None
    with pytest.raises(ValueError, match="tag 'ADJ' was never seen"):
        make_batch([Example("ab\tADJ", "c")], side, LETTERS)


def test_copies_number_what_the_vocabulary_lacks_by_its_place():
    examples = [Example("axbx", "xbq"), Example("y", "y")]  # 8 symbols: x is 8 + 1, y is 8 + 0
    batch = make_batch(examples, LETTERS, LETTERS, copying=True)
    tail = [0, 0, 0]
    assert batch.source.tolist() == [[4, 3, 5, 3, 2, *tail], [3, 2, 0, 0, 0, *tail]]
    assert batch.copies.tolist() == [[4, 9, 5, 9, 2, *tail], [8, 2, 0, 0, 0, *tail]]
    assert batch.target_out.tolist() == [[9, 5, 3, 2], [8, 2, 0, 0]]
    assert batch.target_in.tolist() == [[1, 9, 5, 3], [1, 8, 0, 0]]
    assert batch.copies.dtype == batch.target_out.dtype == "int32"
    assert batch.tags is None and "tags" not in batch.inputs
    with pytest.raises(ValueError, match="'x' at position 2"):
        make_batch(examples, LETTERS, LETTERS)


def test_copies_are_numbers_of_the_target_side():
    side = Tagged(Vocabulary("xy"), ["V"])
    arrays = stack_sources([encode_source("xa\tV", side, LETTERS, copying=True)])
    assert arrays["source"].tolist() == [[4, 3, 2, 0]]
    assert arrays["copies"].tolist() == [[8, 4, 2, 0]]
    assert arrays["tags"].tolist() == [[1]]


@pytest.mark.parametrize("count, size", [(37, 4), (64, 4), (3, 8), (500, 7)])
def test_every_example_comes_once_an_epoch(count, size):
    batches = finite(count, size)
    assert batches.steps_per_epoch == -(-count // size)
    for epoch in range(2):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        counts = Counter(LETTERS.decode(row) for step in steps for row in batches[step].target_out)
        assert counts == Counter(example.target for example in batches.examples)


def test_any_step_can_be_computed_by_itself():
    straight = [batch.source.tolist() for batch in islice(finite(300).iterate(), 160)]
    for step in (159, 3, 80):
        assert finite(300)[step].source.tolist() == straight[step]
    resumed = finite(300).iterate(start=100)
    assert [next(resumed).source.tolist() for _ in range(60)] == straight[100:]


def seen_in(batches, epoch):
    size = batches.steps_per_epoch
    steps = range(epoch * size, (epoch + 1) * size)
    return Counter(LETTERS.decode(row) for step in steps for row in batches[step].target_out)


def test_with_replacement_examples_come_again_and_others_not_at_all():
    batches = finite(500, replacement=True)
    words = Counter(example.target for example in batches.examples)
    assert seen_in(finite(500), 0) == words
    epochs = [seen_in(batches, epoch) for epoch in range(2)]
    for counts in epochs:  # a share of 1/e of the examples is expected not to come
        assert counts.total() == 500 and set(counts) <= set(words)
        assert 0.6 < (counts & words).total() / 500 < 0.85  # short words are there several times
    assert epochs[0] != epochs[1] != seen_in(finite(500, seed=1, replacement=True), 1)


def test_with_replacement_any_step_can_be_computed_by_itself():
    straight = [
        batch.source.tolist() for batch in islice(finite(150, replacement=True).iterate(), 90)
    ]
    for step in (89, 3, 50):
        assert finite(150, replacement=True)[step].source.tolist() == straight[step]


def test_a_stream_is_not_drawn_from_again():
    task = Reverse()
    with pytest.raises(ValueError, match="training.replacement=true draws"):
        Batches(task.examples("train"), task.source, task.target, 4, 0, replacement=True)


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


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("side", [LETTERS, Numbers()], ids=["symbols", "numbers"])
def test_a_row_that_is_far_longer_has_fewer_beside_it(side, position):
    text, joint = ("abcd", "") if side is LETTERS else ("1234", " ")
    examples = [Example(joint.join(text[: 1 + n % 4]), text[n % 4]) for n in range(3000)]
    long = joint.join(text * 5000)
    examples[700] = Example(long, text[0]) if position == 0 else Example(text[0], long)
    batches = Batches(examples, side, side, 256, 0)
    epoch = [batches[step] for step in range(batches.steps_per_epoch)]
    assert len(epoch) == 12
    assert sum(len(batch.source) for batch in epoch) == 3000  # each comes once
    assert max(max(batch.source_mask.size, batch.target_mask.size) for batch in epoch) <= MAX_STEPS
    assert min(len(batch.source) for batch in epoch) == 3  # of 20,480 steps
    again = Batches(examples, side, side, 256, 0)[5]
    assert again.source.tolist() == epoch[5].source.tolist()


def test_long_words_are_no_long_rows():
    side = Vocabulary(["word" * 100], "words")
    batches = Batches([Example("word" * 100, "a")] * 512, side, LETTERS, 256, 0)
    assert [len(batches[step].source) for step in range(2)] == [256, 256]


def test_rows_that_are_all_long_stay_together():
    batches = Batches([Example("abcd" * 100, "a")] * 1024, LETTERS, LETTERS, 256, 0)
    assert [len(batches[step].source) for step in range(4)] == [256] * 4  # of 448 steps


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 12), st.data())
def test_each_row_is_in_one_batch(lengths, size, data):
    count, limit = -(-len(lengths) // size), data.draw(st.integers(4, 2000))
    batches = divide(lengths, count, limit)
    assert len(batches) == count and all(batches)
    assert sorted(row for rows in batches for row in rows) == [*range(len(lengths))]


@pytest.mark.parametrize("fraction", [0.001, 0.25, 0.6])
def test_a_curriculum_draws_the_shortest_of_each_window(fraction):
    everything, short = finite(300), finite(300, curriculum_fraction=lambda step: fraction)
    for steps in (range(WINDOW), range(WINDOW, 2 * WINDOW), range(64, 75)):  # the last is cut off
        lengths = sorted(n for step in steps for n in everything[step].target_mask.sum(1))
        drawn = [n for step in steps for n in short[step].target_mask.sum(1)]
        part = lengths[: max(1, round(fraction * len(lengths)))]
        assert len(drawn) == len(lengths)
        assert set(drawn) == set(part)


def test_a_whole_share_is_no_curriculum():
    plain, full = finite(70), finite(70, curriculum_fraction=lambda step: 1.0)
    for step in range(2 * plain.steps_per_epoch):
        assert plain[step].source.tolist() == full[step].source.tolist()


def test_a_curriculum_is_evaluated_at_the_first_step_of_each_window():
    requested = []
    batches = finite(
        150, curriculum_fraction=lambda step: requested.append(step) or 0.5
    )  # 38 steps an epoch
    for step in range(80):
        batches[step]
    assert requested == [0, 16, 32, 38, 54, 70, 76]


def test_a_curriculum_can_be_computed_at_any_step():
    def grow(step):
        return min(1.0, 0.1 + step / 100)

    def stream():
        task = Reverse()
        return Batches(
            task.examples("train"), task.source, task.target, 4, 0, curriculum_fraction=grow
        )

    for make in (lambda: finite(150, curriculum_fraction=grow), stream):
        first, second = make(), make()
        straight = [first[step].source.tolist() for step in range(100)]
        assert all(second[step].source.tolist() == straight[step] for step in range(99, -1, -3))
        means = [np.mean([first[s].target_mask.sum() for s in range(n, n + 16)]) for n in (0, 80)]
        assert means[0] < means[1]  # longer ones come later


@pytest.mark.parametrize("copying", [False, True])
def test_what_is_no_text_is_named_by_side_and_number(copying):
    letters = Vocabulary("ab")
    for examples, message in (
        ([Example("a", "b"), Example(float("nan"), "b")], "source 2: expected a text, got nan"),
        ([Example("a", "b"), Example("a", None)], "target 2: expected a text, got None"),
    ):
        with pytest.raises(ValueError, match=message):
            make_batch(examples, letters, letters, copying=copying)
