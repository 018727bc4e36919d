"""Tokenization: words and graphemes, with marks and joiners."""

import itertools
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.vocabulary import Vocabulary


def test_words_part_from_punctuation():
    vocabulary = Vocabulary.build(["Go, now!"], "words")
    assert vocabulary.tokens("Go, now!") == ["Go", ",", "now", "!"]


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
    for previous, token in itertools.pairwise(tokens):
        if unicodedata.category(token[0]) == "Mn":
            assert unicodedata.category(previous[-1])[0] in "CZ"
    if text.isascii() and "\r\n" not in text:
        assert tokens == [*text]


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_words_lose_no_character_and_hold_no_space(text):
    tokens = Vocabulary("", "words").tokens(text)
    assert "".join(tokens) == re.sub(r"\s", "", text)
    if not any(unicodedata.category(c)[0] == "M" or c in "\u200c\u200d" for c in text):
        assert tokens == re.findall(r"\w+|[^\w\s]", text)
