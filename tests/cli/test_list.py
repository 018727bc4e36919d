"""The verb `list`: a table for each group, and the same as tsv and jsonl."""

import json

import pytest

from seq2seq.cli.list import format_columns
from seq2seq.runs import catalogue
from tests.cli.calls import call


def test_all_groups_are_listed(capsys):
    status, out, err = call(capsys, "list")
    assert (status, err) == (0, "")
    heads = [line.split("=")[0] for line in out.splitlines() if line and line[0] != " "]
    assert heads == catalogue.list_groups()
    assert "\n  addition        The sum of two numbers: 12+345 -> 357.\n" in out


@pytest.mark.parametrize("words", [["tasks", "bridges"], ["task", "bridge", "tasks"]])
def test_groups_are_chosen_in_the_singular_or_plural(capsys, words):
    _, out, _ = call(capsys, "list", *words)
    assert [line for line in out.splitlines() if line and line[0] != " "] == ["task=", "bridge="]


def test_experiments_have_their_size_and_results(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = call(capsys, "list", "experiments")
    (line,) = [line for line in out.splitlines() if line.startswith("  joeynmt_reverse ")]
    assert line.split()[1:3] == ["2", "5"] and line.endswith("JoeyNMT's tutorial, the reverse task")
    _, out, _ = call(capsys, "list", "experiments", "--format", "tsv")
    head, *rows = [line.split("\t") for line in out.splitlines()]
    assert head == "group name description rows seeds planned existing minutes".split()
    assert all(len(row) == len(head) for row in rows)
    _, out, _ = call(capsys, "list", "experiments", "cells", "--format", "jsonl")
    entries = {
        (entry["group"], entry["name"]): entry for entry in map(json.loads, out.splitlines())
    }
    assert entries["experiment", "joeynmt_reverse"]["planned"] == 10
    assert [*entries["cell", "gru"]] == ["group", "name", "description"]


def test_a_table_of_groups_without_experiments_has_three_columns(capsys):
    _, out, _ = call(capsys, "list", "cells", "--format", "tsv")
    assert [line.count("\t") for line in out.splitlines()] == [2] * 4


def test_an_unknown_group_is_one_line(capsys):
    status, out, err = call(capsys, "list", "modells")
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("error: unknown group 'modells'; did you mean 'models'? There are: tasks")


def test_long_descriptions_are_wrapped_in_their_column():
    text = format_columns(["a=", ""], [["b", "some words " * 8]], 50)
    assert max(map(len, text.splitlines())) <= 50 and len(text.splitlines()) > 2
    assert all(line.startswith("     some") for line in text.splitlines()[2:])


def test_no_engine_is_loaded(python):
    done = python("-X", "importtime", "-m", "seq2seq", "list")
    assert done.returncode == 0 and "experiment=" in done.stdout
    assert not [
        line for line in done.stderr.splitlines() if line.endswith((" tensorflow", " keras"))
    ]
