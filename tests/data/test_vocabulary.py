"""Text to numbers and back, and errors that name the symbol and its place."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.tags import from_config
from seq2seq.data.vocabulary import END, PAD, TOKENISERS, UNKNOWN, Numbers, Vocabulary


@given(st.lists(st.text(min_size=1), min_size=1))
def test_characters_survive_a_round_trip(texts):
    vocabulary = Vocabulary.build(texts, "characters")
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == text


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SPLIT = pytest.mark.parametrize("tokeniser", TOKENISERS)


@SPLIT
@given(text=TEXTS)
def test_symbols_put_together_split_into_the_same_symbols(tokeniser, text):
    side = Vocabulary("", tokeniser)
    tokens = side.tokens(text)
    assert side.tokens(side.join(tokens)) == tokens and all(tokens)
    assert set("".join(tokens)) <= set(text)
    lost = set(text) - set("".join(tokens))
    assert all(character.isspace() for character in lost)  # nothing else falls out


@SPLIT
@given(known=TEXTS, text=TEXTS)
def test_any_text_becomes_numbers_and_text_again(tokeniser, known, text):
    vocabulary = Vocabulary.build([known, text], tokeniser)
    tokens = vocabulary.tokens(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode_tokens([*ids, END, 4]) == tokens
    assert vocabulary.decode(ids) == vocabulary.join(tokens)
    assert from_config(json.loads(json.dumps(vocabulary.to_config()))).encode(text) == ids


@SPLIT
@given(known=TEXTS, text=TEXTS)
def test_any_text_can_be_read_by_any_vocabulary(tokeniser, known, text):
    vocabulary = Vocabulary.build([known], tokeniser)
    tokens, seen = vocabulary.tokens(text), set(vocabulary.tokens(known))
    ids = vocabulary.encode(text, unknown="token")
    assert [n == UNKNOWN for n in ids] == [token not in seen for token in tokens]
    copied = vocabulary.encode_copies(tokens, tokens)  # a pointer can say all of it
    assert vocabulary.decode_tokens([*copied, END], tokens) == tokens
    if UNKNOWN in ids:
        with pytest.raises(ValueError, match="was never seen in training"):
            vocabulary.encode(text)


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
    with pytest.raises(ValueError, match="symbols of a vocabulary must be texts, got 5"):
        Vocabulary(["a", 5])
    with pytest.raises(ValueError, match=r"hold '\\ud800', half a surrogate pair"):
        Vocabulary(["a", "\ud800"])


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
        ("1_000", "'1_000' at position 1 is not a number"),
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
