"""Tags beside a source: the source is tokens, the tags are a bag."""

import json

import pytest

from seq2seq.data import Tagged, Vocabulary
from seq2seq.runtime.codec import make_codec

SIDE = Tagged(Vocabulary("abc"), ["N", "PL", "V"])


@pytest.mark.parametrize(
    "text, source, tags",
    [
        ("ab\tV;PL", "ab", ["V", "PL"]),
        ("ab\t V ;; PL ;", "ab", ["V", "PL"]),
        ("ab\t", "ab", []),
        ("ab", "ab", []),
        ("a\tb\tV", "a\tb", ["V"]),
        ("\tV", "", ["V"]),
    ],
)
def test_the_last_tab_stands_between_source_and_tags(text, source, tags):
    assert SIDE.split(text) == (source, tags)


def test_only_the_source_becomes_tokens():
    assert SIDE.tokens("cab\tV;PL") == ["c", "a", "b"]
    assert SIDE.encode("cab\tV;PL") == SIDE.symbols.encode("cab") == SIDE.encode("cab")
    assert len(SIDE) == len(SIDE.symbols)


@pytest.mark.parametrize("tags", ["V;N", "N;V", " N ; V ;"])
def test_tags_have_no_order(tags):
    encoded = SIDE.encode_tags(f"ab\t{tags}")
    assert encoded.dtype == "float32"
    assert encoded.tolist() == [1, 0, 1]


@pytest.mark.parametrize("text", ["ab\t", "ab\t;"])
def test_a_source_without_tags_has_the_empty_set(text):
    assert SIDE.encode_tags(text).tolist() == [0, 0, 0]


def test_a_forgotten_tab_is_an_error():
    with pytest.raises(ValueError, match="'ab' has no tags: expected source<TAB>tags"):
        SIDE.encode_tags("ab")
    assert SIDE.encode_tags("ab", unknown="token").tolist() == [0, 0, 0]


def test_unknown_tags_and_symbols_follow_the_policy():
    with pytest.raises(ValueError, match="tag 'ADJ' was never seen in training .*: N, PL, V$"):
        SIDE.encode_tags("ab\tV;ADJ")
    assert SIDE.encode_tags("ab\tV;ADJ", unknown="token").tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="symbol 'x' at position 2"):
        SIDE.encode("ax\tV")
    assert SIDE.encode("ax\tV", unknown="token") == [4, 3]


@pytest.mark.parametrize("separator", [";", "+", " ", "::"])
def test_a_built_side_has_all_symbols_and_tags_in_order(separator):
    texts = [f"k ae t\tPL{separator}N", "t\tV", "m"]
    side = Tagged.build(texts, "symbols", separator)
    assert side.symbols.symbols[4:] == ("ae", "k", "m", "t")
    assert side.tags == ("N", "PL", "V")
    assert side.encode_tags(texts[0]).tolist() == [1, 1, 0]


@pytest.mark.parametrize("separator", ["", "\t", "a\t", None, 5])
def test_bad_separators_are_refused(separator):
    with pytest.raises(ValueError, match="separator of tags must be text without a tab, got "):
        Tagged(Vocabulary("ab"), ["V"], separator)


def test_bad_sides_are_refused():
    with pytest.raises(ValueError, match="tags must be texts, got None"):
        Tagged(Vocabulary("ab"), ["V", None])
    with pytest.raises(ValueError, match="tags need a Vocabulary of the source, got .*Tagged"):
        Tagged(Tagged(Vocabulary("ab"), ["V"]), ["V"])


def test_configuration_survives_json():
    side = Tagged.build(["k ae\tV+PST", "t\tN"], "symbols", "+")
    again = make_codec(json.loads(json.dumps(side.to_config())))
    assert type(again) is Tagged
    assert again.to_config() == side.to_config()
    for text in ("ae t\tPST+N", "k\t"):
        assert again.encode(text) == side.encode(text)
        assert again.encode_tags(text).tolist() == side.encode_tags(text).tolist()


TWICE = ["porej\tV;2;PL;PRF", "porej\tV;2;PL;PRF;PRF"]


def test_a_tag_that_stands_twice_is_another_source():
    side = Tagged.build(TWICE, "characters")
    assert side.tags == ("2", "PL", "PRF", "PRF\t2", "V")
    first, second = (side.encode_tags(text).tolist() for text in TWICE)
    assert first == [1, 1, 1, 0, 1] and second == [1, 1, 1, 1, 1]
    assert side.canonical(TWICE[0]) != side.canonical(TWICE[1])
    assert side.canonical("a\tPRF;V;PRF") == side.canonical("a\tV; PRF ;PRF") == "a\tPRF;PRF;V"
    with pytest.raises(ValueError, match="tag 'V' was never seen 2 times in one source in trai"):
        side.encode_tags("porej\tV;V")
    again = make_codec(json.loads(json.dumps(side.to_config())))
    assert again.encode_tags(TWICE[1]).tolist() == second


@pytest.mark.parametrize(
    "tags, split",
    [
        ("N;ABL(PL;PSS(2,PL))", ["N", "ABL(PL;PSS(2,PL))"]),
        ("ABL(PL;SG);N;(A;B)", ["ABL(PL;SG)", "N", "(A;B)"]),
        ("N;:);(", ["N", ":)", "("]),  # no brackets, but signs
        ("N;ABL(PL", ["N", "ABL(PL"]),
    ],
)
def test_a_separator_in_brackets_belongs_to_the_tag(tags, split):
    assert SIDE.split(f"a\t{tags}") == ("a", split)
