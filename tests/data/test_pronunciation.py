"""Pronouncing dictionaries in the forms that they are published in."""

import pytest

from seq2seq.data import Pronunciation
from seq2seq.data.pronunciation import CMUDICT_SHA256, fetch_dictionary, read_dictionary
from seq2seq.data.task import SPLITS

DICTIONARY = """;;; a comment
hello HH AH0 L OW1
hello(2) HH EH0 L OW1
read R EH1 D # past
read(2) R IY1 D
record R AH0 K AO1 R D
record(2) R AH1 K AO0 R D
""" + "".join(f"word{n} W ER1 D N{n % 10}\n" for n in range(100))


def rows(text, stress=False):
    return read_dictionary(enumerate(text.splitlines(), 1), "d", stress)[0]


def test_a_pronouncing_dictionary(tmp_path):
    (tmp_path / "d").write_text(DICTIONARY)
    task = Pronunciation(str(tmp_path / "d"))
    everything = {e for s in ("validation", "test") for e in task.examples(s)}
    rows = {(e.source, e.target) for e in task.examples("train")}
    answers = {e.source: set(e.references) for e in everything}
    for source, target in rows:
        answers.setdefault(source, set()).add(target)
    assert answers["hello"] == {"HH AH L OW", "HH EH L OW"}
    assert answers["read"] == {"R EH D", "R IY D"}
    assert answers["record"] == {"R AH K AO R D"}  # the variants differ in stress alone
    assert len(answers) == 103


def test_stress_can_be_kept(tmp_path):
    (tmp_path / "d").write_text(DICTIONARY)
    assert "ER1" in Pronunciation(str(tmp_path / "d"), stress=True).target.symbols


def test_a_word_without_phones_is_named(tmp_path):
    (tmp_path / "d").write_text("a AH0\nb\n")
    with pytest.raises(ValueError, match="line 2: 'b' has no pronunciation"):
        Pronunciation(str(tmp_path / "d"))


def test_without_a_network_the_option_is_named(monkeypatch):
    import keras

    def refuse(name, address, file_hash):
        assert "74790861f652b15e4ac49015a90074ad62a27690" in address
        assert file_hash == CMUDICT_SHA256
        raise OSError("no network")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    with pytest.raises(ValueError, match="could not be fetched.*no network.*task.path="):
        fetch_dictionary()


KALDI = """world 1 W ER1 L D
hello 0.8 HH AH0 L OW1
hello 0.2 HH EH0 L OW1
"""
MFA = (
    "hello\t0.99\t0.14\t1.0\t1.02\th \u0259 l o\u028a\n"
    "hello\t0.01\t0.2\t0.9\t1.0\th \u025b l o\u028a\n"
    "cat\tk \u00e6 t\n"
)


def test_tabs_separate_a_word_from_its_numbers_and_phones(tmp_path):
    assert rows(MFA) == [
        ("hello", "h \u0259 l o\u028a"),
        ("hello", "h \u025b l o\u028a"),
        ("cat", "k \u00e6 t"),
    ]
    assert rows("ice cream\tAY1 S K R IY1 M\nNew York(2) \tN UW1\n2\tT UW1\neux\t2\n") == [
        ("ice cream", "AY S K R IY M"),
        ("New York", "N UW"),
        ("2", "T UW"),
        ("eux", "2"),
    ]
    (tmp_path / "d").write_text(MFA + "".join(f"w{n}\tw {n}\n" for n in range(9)), "utf-8")
    task = Pronunciation(str(tmp_path / "d"))
    assert task.notes == ("2 lines have probabilities, which were left out",)
    assert not {"0.99", "0.14", "1.0", "1."} & {*task.target.symbols}


@pytest.mark.parametrize(
    "text",
    [
        KALDI,
        KALDI.replace(" 1 ", " 1.0\t").replace(" 0.8 ", " 0.8\t").replace(" 0.2 ", " 2e-1\t"),
        KALDI.replace(" 0.", " 0.1 2.1 1 0.").replace("d 1 ", "d 1 0.5 1.2 1 "),
        KALDI.replace(" 1 ", " ").replace(" 0.8 ", " ").replace(" 0.2 ", " "),
        KALDI.replace(" 1 ", "\t1\t").replace(" 0.8 ", "\t").replace(" 0.2 ", "\t0.2\t"),
    ],
    ids=["lexiconp", "lexiconp-as-written-by-kaldi", "silprob", "lexicon", "columns"],
)
def test_probabilities_are_no_phones(text):
    spoken = [("world", "W ER L D"), ("hello", "HH AH L OW"), ("hello", "HH EH L OW")]
    assert rows(text) == spoken


@pytest.mark.parametrize("stress", [False, True])
def test_digits_that_are_phones_or_tones_stay(stress):
    pinyin = [("\u5988", "m a1"), ("\u9ebb", "m a2"), ("\u9a6c", "m a3"), ("\u9a82", "m a4")]
    capitals = [(word, f"M AO{phones[-1]}") for word, phones in pinyin]
    others = [("one", "AB1 AN2"), ("two", "A1 AOX2 ao1")]
    sampa = [("peu", "p 2"), ("eux", "2"), ("v\u00f6lker", "f 9 l k 6"), ("units", "1 0 2")]
    units = [("units", "1 0"), ("more", "0 1 1")]
    for expected in (pinyin, capitals, others, sampa, units):
        assert rows("".join(f"{word} {phones}\n" for word, phones in expected), stress) == expected


def test_a_comment_begins_after_white_space_alone():
    text = (
        "# made by hand\n#\n;;; C\n \n\t\n#HASH-MARK HH AE1 SH\n#TAG\tT AE1 G\t# a tab\n"
        "C# S IY1 # a note\nAARHUS AA2 R # place, danish\nno #1\tN AH1 # \u2116\n"
    )
    assert rows(text) == [
        ("#HASH-MARK", "HH AE SH"),
        ("#TAG", "T AE G"),
        ("C#", "S IY"),
        ("AARHUS", "AA R"),
        ("no #1", "N AH"),
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("a AH0\nb 0.5 B\n", "line 2: '0.5' is a number and no phone; probabilities follow"),
        ("a\tAH0\nb\tB\t0.5 B\n", "line 2: column 'B' is neither a number nor the last"),
        ("a\tAH0\nb\t1.5 B\n", "line 2: '1.5' is a number and no phone"),
        ("a\tAH0\nb\t\n", "line 2: 'b' has no pronunciation"),
        ("a\tAH0\n\tB\n", "line 2: '' has no pronunciation"),
    ],
)
def test_what_is_no_pronunciation_is_named(text, message):
    with pytest.raises(ValueError, match=f"d, {message}"):
        rows(text)


def test_the_published_file_is_read_in_utf_8_and_refused_in_latin_1(tmp_path):
    text = ";;; # CMUdict\r\nD\u00c9J\u00c0  D EY2 ZH AA1\r\nDOG  D AO1 G\r\nDOG(1)  D AA1 G\r\n"
    text += "".join(f"W{n}  W AH{n % 3} N\r\n" for n in range(9))
    (tmp_path / "d").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="d, line 2: not UTF-8 .byte 0xc9.*iconv"):
        Pronunciation(str(tmp_path / "d"))
    (tmp_path / "d").write_bytes(text.encode())
    task = Pronunciation(str(tmp_path / "d"))
    assert set(task.target.symbols[4:]) <= {*"D EY ZH AA AO AH G W N".split()}
    spoken = {e.source: e.references for split in SPLITS for e in task.examples(split)}
    assert "DOG" in spoken and "DOG(1)" not in spoken


def test_a_dictionary_without_a_word_is_refused(tmp_path):
    (tmp_path / "d").write_text(";;; nothing\n")
    with pytest.raises(ValueError, match="d holds no word with its pronunciation"):
        Pronunciation(str(tmp_path / "d"))
