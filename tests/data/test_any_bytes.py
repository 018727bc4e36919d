"""Whatever a data file holds, it can be trained on, or the error names the line."""

import gzip
import json
import re
from io import BufferedReader, BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data import Pairs, Pronunciation, Tagged, make_batch
from seq2seq.data.files import PairReader, decode_lines, escape, unescape
from seq2seq.data.task import SPLITS
from tests.corruption import TEXT_DAMAGES

# What lines are made of: letters, and all that has ever ended, split or hidden one.
PIECES = [b"a", b"b c", "é".encode(), b"\t", b"\t", b"\n", b"\n", b"\r", b"\r\n", b"\0", b"\x1a"]
PIECES += [b"\x0b", b"\x0c", b"\x1c", b"\x1e", b"\x85", "\x85\u2028\u2029\ufeff".encode()]
PIECES += [
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    "e\u0301\u200d👩🏽‍🚀".encode(),
    b"\x1f\x8b",
]
PIECES += [b"x" * 5000, b"1", b"-1e5,2", b"nan", b"#", b";", b" ", b"(2)", b'"', b"\\", b"{}", b""]
CONTENTS = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
PACKED = b"\x1f\x8b"  # how a gzip file begins
PLAIN = CONTENTS.filter(lambda content: not content.startswith(PACKED))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
GOOD = "".join(f"s{n}\tt{n}\n" for n in range(12)).encode()  # enough rows to divide


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "pairs.tsv"


def lines_of(content):
    """Lines as a person counts them, by another way than the reader's."""
    parts = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [part.removesuffix(b"\r") for part in (parts if parts[-1] else parts[:-1])]


def is_text(line):
    try:
        return line.decode() is not None
    except UnicodeDecodeError:
        return False


def is_blank(line):
    return is_text(line) and b"\t" not in line and not line.decode().strip()


def bad_lines(content):
    """Numbers of the lines that are neither blank nor two columns of text."""
    return [
        number
        for number, line in enumerate(lines_of(content), 1)
        if not is_blank(line) and (not is_text(line) or line.count(b"\t") != 1)
    ]


def records_of(content, name):
    lines = decode_lines(BufferedReader(BytesIO(content)), name)
    return list(PairReader().records(lines, name))


def read(make, path):
    """The result of `make` for the file, or the line that its error names."""
    try:
        return make(str(path)), None
    except ValueError as error:
        named = re.search(r"pairs\.\w+, line (\d+): .", str(error))
        assert named, error
        return None, int(named[1])


def check_batches(task):
    """Everything that a training and its test make of the examples can be made."""
    for split in SPLITS:
        examples = task.examples(split)
        assert examples
        batch = make_batch(examples, task.source, task.target, "token")
        assert batch.source_mask[:, 0].all() and batch.target_mask[:, 0].all()
        assert np.isfinite(batch.source).all() and len(batch.source) == len(examples)
    for side in (task.source, task.target):
        json.dumps(side.to_config()).encode()


@given(CONTENTS)
def test_pairs_are_read_or_the_first_bad_line_is_named(path, content):
    path.write_bytes(content + b"\n" + GOOD)
    bad = bad_lines(content + b"\n" + GOOD)
    if content.startswith(PACKED):
        with pytest.raises(ValueError, match="pairs.tsv is a damaged gzip file after line 0"):
            Pairs(str(path))
        return
    task, named = read(Pairs, path)
    assert named == (bad[0] if bad else None)
    if task:
        check_batches(task)
        read_rows = sorted(tuple(row) for _, *row in PairReader().read(str(path)))
        lines = [line for line in lines_of(content + b"\n" + GOOD) if not is_blank(line)]
        assert read_rows == sorted(tuple(line.decode().split("\t")) for line in lines)


@given(PLAIN)
def test_bad_rows_can_be_skipped(path, content):
    path.write_bytes(content + b"\n" + GOOD)
    lines = lines_of(content + b"\n" + GOOD)
    reader = PairReader(on_bad_row="skip")
    if all(map(is_text, lines)):
        good = [line.decode() for line in lines if line.count(b"\t") == 1]
        assert ["\t".join(row) for _, *row in reader.read(str(path))] == good
        assert reader.blank == sum(map(is_blank, lines))
        assert reader.skipped == len(lines) - len(good) - reader.blank


@given(PLAIN, st.sampled_from(["words", "symbols", "numbers"]))
def test_every_tokenizer_takes_any_file(path, content, tokens):
    content += b"\n" + b"1\t2\n" * 3 + b"2\t1\n3\t3\n" * 4
    path.write_bytes(content)
    try:
        task, named = read(lambda p: Pairs(p, source_tokens=tokens, target_tokens=tokens), path)
    except AssertionError as error:  # of the whole file, no line is to blame
        assert tokens == "numbers" and "targets of real values" in str(error)
        return
    bad = bad_lines(content)
    if tokens != "numbers":  # whose fields may be bad, too
        assert named == (bad[0] if bad else None)
    if task:
        check_batches(task)


@given(PLAIN, st.sampled_from([";", " ", "\u2028", "ab"]))
def test_inflections_are_read_or_the_bad_line_is_named(path, content, separator):
    rows = "".join(f"s{n}\tt{n}\tV{separator}N\n" for n in range(12)).encode()
    path.write_bytes(content + b"\n" + rows)
    task, named = read(lambda p: Pairs(p, columns=[1, 2, 3], tag_separator=separator), path)
    lines = lines_of(content + b"\n" + rows)
    bad = [
        n
        for n, line in enumerate(lines, 1)
        if not is_text(line) or (line.count(b"\t") < 2 and not is_blank(line))
    ]
    assert named == (bad[0] if bad else None)
    if task:
        assert isinstance(task.source, Tagged) and {"V", "N"} <= {*task.source.tags}
        check_batches(task)
        for example in task.examples("train"):
            task.source.encode_tags(example.source)


@given(PLAIN)
def test_a_pronouncing_dictionary_is_read_or_the_bad_line_is_named(path, content):
    path.write_bytes(content + b"\n" + b"".join(b"w%d W N%d\n" % (n, n) for n in range(12)))
    task, named = read(Pronunciation, path)
    if task:
        check_batches(task)
        targets = [example.target for example in task.examples("train")]
        assert all(targets)  # what stands in a dictionary is pronounced
    else:
        line = lines_of(path.read_bytes())[named - 1]
        columns = line.decode().split("\t") if is_text(line) else [""]
        if len(columns) == 1:
            assert not re.split(r"\s#", columns[0])[0].split()[1:]
        else:
            word, *columns = (column.strip() for column in columns)
            columns = [column for column in columns if column]
            assert not word or "#" in line.decode() or len(columns) != 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["source", "target", "x"]), inner)
    ),
)
ROWS = st.fixed_dictionaries({"source": st.text(), "target": st.text()})
NASTY = ["", "[" * 100_000, '{"a":' * 50_000, "9" * 5000, '{"source":"\\ud800","target":""}', "nan"]


@pytest.mark.slow
@given(st.lists(ROWS | JSON | st.sampled_from(NASTY), max_size=8))
def test_json_lines_are_read_or_the_first_bad_line_is_named(rows):
    content = "".join((row if row in NASTY else json.dumps(row)) + "\n" for row in rows).encode()
    records, named = read(lambda name: records_of(content, name), "pairs.jsonl")
    bad = [number for number, row in enumerate(rows, 1) if row != "" and not is_row(row)]
    assert named == (bad[0] if bad else None)
    if not bad:
        expected = [(row["source"], row["target"]) for row in rows if row != ""]
        assert [record.pair for record in records if record.pair] == expected


def is_row(row):
    texts = [row.get(key) for key in ("source", "target")] if isinstance(row, dict) else [None]
    return all(isinstance(text, str) for text in texts)


def test_a_damaged_packed_file_is_named():
    packed, rng, refused = gzip.compress(GOOD * 20, mtime=0), np.random.default_rng(0), 0
    for turn in range(400):
        damaged = TEXT_DAMAGES[turn % len(TEXT_DAMAGES)](packed, rng)
        if not damaged.startswith(PACKED):
            continue
        try:
            for _ in decode_lines(BufferedReader(BytesIO(damaged)), "pairs.tsv.gz"):
                pass
        except ValueError as error:
            assert "pairs.tsv.gz" in str(error)
            refused += 1
    assert refused == 387


@given(TEXTS)
def test_any_text_survives_as_one_field_of_one_line(text):
    field = escape(text)
    assert unescape(field) == text
    assert not {"\t", "\n", "\r"} & {*field}


@given(st.lists(TEXTS.map(lambda text: text.replace("\n", "")), min_size=1))
def test_lines_come_out_as_they_went_in(path, texts):
    path.write_bytes(b"".join(f"{text}\n".encode() for text in ["", *texts]))
    with open(path, "rb") as file:
        lines = [line for _, line in decode_lines(file, "here")]
    assert lines == ["", *(text.removesuffix("\r") for text in texts)]


@settings(max_examples=10)
@given(st.integers(1, 4))
def test_a_very_long_line_is_a_line(path, count):
    long = "x" * 10**6
    path.write_text(f"{long}\ty\n" * count + "a\n")
    _, named = read(Pairs, path)
    assert named == count + 1
