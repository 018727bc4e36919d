"""Text to numbers and back, and errors that name the symbol and its place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.runtime.codec import make_codec
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
    tokens, known_tokens = vocabulary.tokens(text), set(vocabulary.tokens(known))
    ids = vocabulary.encode(text, unknown="token")
    assert [n == UNKNOWN for n in ids] == [token not in known_tokens for token in tokens]
    copied = vocabulary.encode_copies(tokens, tokens)  # a pointer can generate all of it
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
