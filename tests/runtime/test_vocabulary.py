"""Text to numbers and back, and errors that name the symbol and its place."""

import itertools
import json
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.vocabulary import END, PAD, TOKENIZERS, UNKNOWN, Vocabulary


@given(st.lists(st.text(min_size=1), min_size=1))
def test_characters_survive_a_round_trip(texts):
    vocabulary = Vocabulary.build(texts, "characters")
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == text


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SPLIT = pytest.mark.parametrize("tokenizer", TOKENIZERS)


@SPLIT
@given(text=TEXTS)
def test_symbols_put_together_split_into_the_same_symbols(tokenizer, text):
    side = Vocabulary("", tokenizer)
    tokens = side.tokens(text)
    assert side.tokens(side.join(tokens)) == tokens and all(tokens)
    assert set("".join(tokens)) <= set(text)
    lost = set(text) - set("".join(tokens))
    assert all(character.isspace() for character in lost)  # nothing else falls out


@SPLIT
@given(known=TEXTS, text=TEXTS)
def test_any_text_becomes_numbers_and_text_again(tokenizer, known, text):
    vocabulary = Vocabulary.build([known, text], tokenizer)
    tokens = vocabulary.tokens(text)
    ids = vocabulary.encode(text)
    assert vocabulary.decode_tokens([*ids, END, 4]) == tokens
    assert vocabulary.decode(ids) == vocabulary.join(tokens)
    assert make_codec(json.loads(json.dumps(vocabulary.to_config()))).encode(text) == ids


@SPLIT
@given(known=TEXTS, text=TEXTS)
def test_any_text_can_be_read_by_any_vocabulary(tokenizer, known, text):
    vocabulary = Vocabulary.build([known], tokenizer)
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
    with pytest.raises(ValueError, match="unknown tokenizer 'letters'"):
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
    again = make_codec(json.loads(json.dumps(side.to_config())))
    assert type(again) is type(side)
    assert again.to_config() == side.to_config()


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="unknown kind of codec 'pickle'"):
        make_codec({"kind": "pickle"})


@pytest.mark.parametrize(
    "word",
    [
        "हिन्दी", "தமிழ்", "שָׁלוֹם", "cafe\u0301", "می\u200cخواهم", "မြန်မာ", "ខ្មែរ", "ภาษาไทย",
        "क\u094d\u200dष", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f",
    ],
)  # fmt: skip
def test_marks_and_joiners_belong_to_the_word_that_they_follow(word):
    vocabulary = Vocabulary("", "words")
    assert vocabulary.tokens(word) == [word]
    text = f"a {word} 3"
    assert vocabulary.tokens(text) == ["a", word, "3"]
    assert vocabulary.join(vocabulary.tokens(text)) == text


# Of UAX 29, and of its test file: what is one grapheme, and what two are.
GRAPHEMES = [
    ["क्षि"], ["ए", "क"], ["e\u0301"], ["क़"], ["न्त्या"], ["க்", "ஷ"], ["นี้"], ["เ", "ก"],
    ["👩\u200d👩\u200d👧"], ["👍🏽"], ["❤️"], ["🇫🇷", "🇩🇪", "🇮"], ["👩", "👧"], ["a\u200d", "👧"],
    ["\uac00\u11a8"], ["\u1100\u1161\u11a8"], ["\uac01", "\u1161"], ["\uac01\u11a8"],
    ["\u11a8", "\u1100"], ["\r\n"], ["\n", "\r"], ["\u0600a"], ["\u0600", "\n"], ["\n", "\u0301"],
    ["a", "\u00ad", "\u0301"], ["a\u094d", "क"], ["क\u094d\u200dष"], ["क\u094d\u200c", "ष"],
    ["क\u093c\u094dष"], ["\u1000\u1039\u1000"], ["a\u200c", "b"], ["\u102b", "\u1038"],
]  # fmt: skip


@pytest.mark.parametrize("graphemes", GRAPHEMES, ids=ascii)
def test_graphemes_are_what_a_reader_takes_for_one(graphemes):
    vocabulary = Vocabulary("", "graphemes")
    text = "".join(graphemes)
    assert vocabulary.tokens(text) == graphemes
    again = make_codec(json.loads(json.dumps(Vocabulary.build([text], "graphemes").to_config())))
    assert again.decode(again.encode(text)) == text


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_graphemes_lose_nothing_and_begin_with_no_mark(text):
    tokens = Vocabulary("", "graphemes").tokens(text)
    assert "".join(tokens) == text and all(tokens)
    for before, token in itertools.pairwise(tokens):
        if unicodedata.category(token[0]) == "Mn":
            assert unicodedata.category(before[-1])[0] in "CZ"
    if text.isascii() and "\r\n" not in text:
        assert tokens == [*text]


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_words_lose_no_character_and_hold_no_space(text):
    tokens = Vocabulary("", "words").tokens(text)
    assert "".join(tokens) == re.sub(r"\s", "", text)
    if not any(unicodedata.category(c)[0] == "M" or c in "\u200c\u200d" for c in text):
        assert tokens == re.findall(r"\w+|[^\w\s]", text)


@pytest.mark.parametrize("form", ["nfc", "nfd", "nfkc"])
def test_spellings_of_one_text_are_one_text(form):
    spellings = ["caf\u00e9", "cafe\u0301"]
    vocabulary = Vocabulary.build(spellings[:1], "characters", form)
    assert vocabulary.encode(spellings[0]) == vocabulary.encode(spellings[1])
    assert vocabulary.canonical(spellings[0]) == vocabulary.canonical(spellings[1])
    again = make_codec(json.loads(json.dumps(vocabulary.to_config())))
    assert again.encode(spellings[1]) == vocabulary.encode(spellings[0])


def test_a_mark_is_named_by_its_code_point():
    with pytest.raises(ValueError, match=r"symbol U\+0301 COMBINING ACUTE ACCENT at position 2"):
        Vocabulary("e").encode("e\u0301")


def test_each_feature_has_statistics_of_its_own():
    rows = [f"{1000 + n},{n / 100} {1000 - n},{-n / 100}" for n in range(100)]
    numbers = Numbers.build(rows)
    encoded = np.concatenate([numbers.encode(row) for row in rows])
    np.testing.assert_allclose(encoded.mean(0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(encoded.std(0), [1, 1], atol=1e-6)
    again = make_codec(json.loads(json.dumps(numbers.to_config())))
    np.testing.assert_array_equal(again.encode(rows[7]), numbers.encode(rows[7]))


@pytest.mark.parametrize("offset", [0, 1e6, 1e9, 1e12])
def test_statistics_survive_an_offset(offset):
    values = np.random.default_rng(0).normal(size=2000)
    numbers = Numbers.build([f"{value + offset!r}" for value in values.tolist()])
    assert numbers.mean[0] - offset == pytest.approx(values.mean(), abs=1e-3)
    assert numbers.scale[0] == pytest.approx(values.std(), rel=1e-3)


@pytest.mark.parametrize("text", ["14.62 14.62", "0.1", "1013.25 1013.25", "0 0"])
def test_a_constant_has_scale_1(text):
    numbers = Numbers.build([text] * 37)
    assert numbers.scale.tolist() == [1.0] and numbers.encode(text)[0, 0] == pytest.approx(0)


def test_large_values_have_a_scale():
    assert Numbers.build(["1e20 -1e20"]).scale.tolist() == [1e20]


@pytest.mark.parametrize(
    "mean, scale, value, text",
    [
        (1234658.04, 51.97, 1234595.62599, "1234595.626"),
        (1.76e9, 28.9, 1760000012.34567, "1760000012.346"),
        (0.0, 1.0, 0.123456789, "0.123457"),
        (0.0, 1.0, -12.5, "-12.5"),
        (0.0, 1e-7, 1.2345e-7, "1.2345e-07"),
        (0.0, 1e20, 1.25e20, "1.25e+20"),
        (0.0, 1.0, 0.0, "0"),
    ],
)
def test_numbers_are_written_with_the_digits_of_their_spread(mean, scale, value, text):
    assert Numbers(1, mean, scale).join([(value,)]) == text


def test_what_is_written_reads_as_what_was_meant():
    numbers = Numbers(2, [1.76e9, 0.5], [28.9, 0.001])
    values = np.random.default_rng(0).normal(size=(50, 2))
    restored = numbers.encode(numbers.decode(values))
    np.testing.assert_allclose(restored, values, atol=1e-3)
