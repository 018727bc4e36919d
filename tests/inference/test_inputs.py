"""Inputs: sources of any length, batches by length."""

import pytest

from seq2seq.data.batching import count_steps
from seq2seq.inference.inputs import (
    BadSource,
    batches_by_length,
    encode_texts,
    list_texts,
    make_source,
    pad_batch,
)
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import Vocabulary
from tests.inference.small_predictor import LETTERS


@pytest.mark.parametrize(
    "side",
    [
        LETTERS,
        Vocabulary.build(["the cat", "a mat"], "words"),
        Vocabulary.build(["K AE T"], "symbols"),
        Tagged.build(["walk\tV;V;PST"], "characters"),
        Numbers(1),
        Numbers(3),
    ],
    ids=["characters", "words", "symbols", "tags", "values", "vectors"],
)
@pytest.mark.parametrize("length", [1, 2, 17])
def test_a_source_of_any_length_can_be_made(side, length):
    text = make_source(side, length)
    assert len(side.tokens(text)) == length
    assert count_steps(text, side) == length + (not isinstance(side, Numbers))


def test_long_sources_are_decoded_few_at_a_time(predictor, monkeypatch):
    monkeypatch.setattr("seq2seq.inference.inputs.MAX_STEPS", 64)
    sources = ["abc" * 30, "a", "ab", "abc" * 7, "b", "", "abc" * 6]
    groups = [len(group) for group in predictor._group(list(map(len, sources)))]
    assert groups == [1, 2, 3]
    assert predictor.predict(sources) == [predictor.predict([source])[0] for source in sources]


def test_batches_hold_every_row_once_and_the_longest_first():
    lengths = [3, 90, 0, 5, 3, 90, 7]
    batches = list(batches_by_length(lengths, 2))
    assert batches == [[1, 5], [6, 3], [0, 4]]  # no row without a step


def test_long_answers_and_pointers_make_batches_small(monkeypatch):
    monkeypatch.setattr("seq2seq.inference.inputs.MAX_ANSWER_STEPS", 100)
    monkeypatch.setattr("seq2seq.inference.inputs.MAX_PAIRS", 10_000)
    assert [len(rows) for rows in batches_by_length([4] * 6, 6, answer_steps=lambda _: 30)] == [
        3,
        3,
    ]
    assert [len(rows) for rows in batches_by_length([4] * 6, 6, symbols=996)] == [2, 2, 2]


@pytest.mark.parametrize("count, padded", [(1, 1), (3, 4), (5, 6), (6, 6)])
def test_a_batch_is_padded_with_its_first_row_to_a_power_of_2(count, padded):
    rows = [7, *range(1, count)]
    assert pad_batch(rows, 6) == rows + [7] * (padded - count)


def test_a_source_that_cannot_be_encoded_is_named_by_its_number():
    with pytest.raises(BadSource, match="source 2: symbol 'x' at position 2") as caught:
        encode_texts(["ab", "ax"], LETTERS, LETTERS, "error", copying=False)
    assert caught.value.number == 2
    assert len(encode_texts(["ab", "ax"], LETTERS, LETTERS, "copy", copying=False)) == 2


@pytest.mark.parametrize("texts", ["ab", b"ab", 3, None])
def test_texts_are_a_list(texts):
    assert list_texts("sources", iter(["a", "b"])) == ["a", "b"]
    with pytest.raises(ValueError, match="sources must be a list of texts, got the"):
        list_texts("sources", texts)
