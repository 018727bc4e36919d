"""Text to numbers and back, and errors that name the symbol and its place."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.tags import from_config
from seq2seq.data.vocabulary import END, PAD, UNKNOWN, Numbers, Vocabulary


@given(st.lists(st.text(min_size=1), min_size=1))
def test_characters_survive_a_round_trip(texts):
    vocabulary = Vocabulary.build(texts, "characters")
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == text


@given(st.lists(st.sampled_from(["AE1", "K", "<end>", "T", "é"]), min_size=1))
def test_symbols_survive_a_round_trip(symbols):
    text = " ".join(symbols)
    vocabulary = Vocabulary.build([text], "symbols")
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert min(ids) >= 4  # a symbol that spells "<end>" is not the end


def test_words_part_from_punctuation():
    vocabulary = Vocabulary.build(["Go, now!"], "words")
    assert vocabulary.tokens("Go, now!") == ["Go", ",", "now", "!"]


def test_decoding_stops_at_the_end_and_leaves_padding_out():
    assert Vocabulary("ab").decode([1, 5, PAD, 4, END, 4]) == "ba"


def test_unknown_symbols_follow_the_policy():
    vocabulary = Vocabulary("abc")
    assert vocabulary.encode("axb", unknown="token") == [4, UNKNOWN, 5]
    with pytest.raises(ValueError, match="'x' at position 2 was never seen in training"):
        vocabulary.encode("axb")


@given(st.data(), st.lists(st.sampled_from("abcxyz")))
def test_a_copied_target_survives_a_round_trip(data, source):
    vocabulary = Vocabulary("abc")
    target = data.draw(st.lists(st.sampled_from(["a", "b", "c", *source])))
    ids = vocabulary.encode_copies(target, source)
    assert vocabulary.decode_tokens([*ids, END, 4], source) == target
    assert UNKNOWN not in ids
    known = [number for number in ids if number < len(vocabulary)]
    assert len(known) == sum(symbol in "abc" for symbol in target)  # the vocabulary goes first


def test_what_stands_in_neither_source_nor_vocabulary_is_unknown():
    vocabulary = Vocabulary("abc")
    assert vocabulary.encode_copies("axyx", source="bxyx") == [4, 8, 9, 8]  # at its first place
    assert vocabulary.encode_copies("axz", source="bx") == [4, 8, UNKNOWN]


def test_bad_vocabularies_are_refused():
    with pytest.raises(ValueError, match="unknown tokeniser 'letters'"):
        Vocabulary("abc", "letters")
    with pytest.raises(ValueError, match=r"twice in the vocabulary: \['a'\]"):
        Vocabulary("aba")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_numbers_survive_a_round_trip_to_six_digits(values):
    side = Numbers.build([" ".join(map(str, values))])
    text = side.decode(side.encode(" ".join(map(str, values))))
    got = [value for (value,) in side.tokens(text)]
    np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-4 * max(map(abs, values)) + 1e-9)


def test_numbers_are_standardised():
    side = Numbers.build(["10 20", "30 40"])
    values = np.concatenate([side.encode("10 20"), side.encode("30 40")])
    np.testing.assert_allclose([values.mean(), values.std()], [0, 1], atol=1e-6)
    assert side.decode(side.encode("30 40")) == "30 40"


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 two 3", "'two' at position 2 is not a number"),
        ("1 2,3", "'2,3' at position 2 must hold 1 finite value"),
        ("1 nan", "'nan' at position 2 must hold 1 finite"),
        ("inf", "'inf' at position 1"),
        ("1 1e39", "'1e39' at position 2 must hold 1 finite value.s. of at most 1e.30"),
    ],
)
def test_bad_numbers_name_their_place(text, message):
    with pytest.raises(ValueError, match=message):
        Numbers().encode(text)


@pytest.mark.parametrize("side", [Vocabulary("ab", "symbols"), Numbers(2, 0.5, 3.0)])
def test_configuration_survives_json(side):
    again = from_config(json.loads(json.dumps(side.to_config())))
    assert type(again) is type(side)
    assert vars(again) == vars(side)


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="got 'pickle'"):
        from_config({"kind": "pickle"})
