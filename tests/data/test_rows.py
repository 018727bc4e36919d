"""Rows of tables and JSON Lines: columns, records over several lines, tags."""

import re

import pytest

from seq2seq.data.files import PairReader
from seq2seq.data.rows import (
    BadRow,
    Table,
    UnendedRecord,
    divide_csv,
    divide_json,
    join_tags,
)


def test_a_quoted_record_spans_lines():
    lines = iter([(2, 'b"",c"'), (3, "d")])
    assert divide_csv('x,"a', lines) == ["x", 'a\nb",c']
    assert next(lines) == (3, "d")


def test_a_quoted_record_without_end_is_an_error():
    with pytest.raises(UnendedRecord, match="a quoted field begins here and does not end"):
        divide_csv('x,"a', iter([]))


@pytest.mark.parametrize(
    "line, columns, fields",
    [
        ('{"target": "1", "source": "a"}', None, ["a", "1"]),
        ('{"s": "a", "t": "1", "x": 5}', ["s", "t"], ["a", "1"]),
        ('{"s": "a", "t": "1", "g": "V"}', ["s", "t", "g"], ["a", "1", "V"]),
    ],
)
def test_columns_are_keys_of_json(line, columns, fields):
    assert divide_json(line, columns) == fields


def test_tags_follow_the_source_after_a_tab():
    assert join_tags(["sing", "sang"]) == ("sing", "sang")
    assert join_tags(["sing", "sang", "V;PST"]) == ("sing\tV;PST", "sang")
    with pytest.raises(BadRow, match="a source with tags can't hold a tab"):
        join_tags(["a\tb", "c", "V"])


def test_names_of_columns_are_those_of_the_first_line():
    table = Table("a.tsv", ["form", "lemma"])
    assert table.waits and table.read_header(["lemma", "form"]) and not table.waits
    assert table.choose(["sing", "sang"]) == ["sang", "sing"]
    with pytest.raises(BadRow):
        table.choose(["sing"])


def rows(path, **arguments):
    return [tuple(row) for _, *row in PairReader(**arguments).read(str(path))]


@pytest.mark.parametrize(
    "columns", [(0, 1), (1,), (1, 2, 3, 4), (1, "b"), (True, 2), (1.0, 2), (), "ab", 5]
)
def test_impossible_columns(columns):
    message = f"the numbers .counted from 1. or the names of .*; got {re.escape(repr(columns))}"
    with pytest.raises(ValueError, match=message):
        PairReader(columns=columns)


def test_a_source_with_tags_holds_no_tab(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"s": "a\\tb", "t": "c", "tags": "V"}\n')
    with pytest.raises(ValueError, match="line 1: a source with tags can't hold a tab"):
        rows(tmp_path / "a.jsonl", columns=["s", "t", "tags"])
    assert rows(tmp_path / "a.jsonl", columns=["s", "t"]) == [("a\tb", "c")]
    with pytest.raises(ValueError, match="line 1: no text under the key 'tag'"):
        rows(tmp_path / "a.jsonl", columns=["s", "t", "tag"])
