"""Pairs of `score` and `evaluate`: files, standard input, and what is wrong there."""

import os
import subprocess
import sys

import pytest

from seq2seq import answers
from tests.conftest import ROOT
from tests.test_cli import call, load_once, pipe

PAIRS = "abc\tabc\nab\tba\n"
PAIR_VERBS = pytest.mark.parametrize("verb", ["score", "evaluate"])


@pytest.fixture
def kept(trained, monkeypatch, eager):
    """The run, loaded once for all tests that only answer."""
    monkeypatch.setattr(answers, "load_run", lambda run, others=(): load_once(run))
    return trained


@PAIR_VERBS
@pytest.mark.parametrize(
    "content, message",
    [
        (None, "no such file: {path}"),
        (b"", "{path} is empty"),
        (b"abc\n", "{path}, line 1: expected source<TAB>target, found 1 column"),
        (b"\xff\tabc\n", "{path}, line 1: not UTF-8 (byte 0xff at column 1)"),
        (b"abc\tabc\n\xff\tabc\n", "{path}, line 2: not UTF-8 (byte 0xff at column 1)"),
        (b"\x1f\x8b damaged", "{path} is a damaged gzip file after line 0"),
    ],
)
def test_a_bad_file_of_pairs_is_named(capsys, kept, tmp_path, verb, content, message):
    path = tmp_path / "pairs.tsv"
    if content is not None:
        path.write_bytes(content)
    status, _, err = call(capsys, verb, kept, "--pairs", path)
    assert status == 2 and err.count("\n") == 1
    assert f"error: {message.format(path=path)}" in err


@PAIR_VERBS
def test_bad_standard_input_is_named(capsys, kept, monkeypatch, verb):
    for content, message in (
        ("", "standard input holds no pair"),
        ("abc\n", "standard input, line 1: expected source<TAB>target"),
    ):
        pipe(monkeypatch, content)
        status, out, err = call(capsys, verb, kept, "--pairs", "-")
        assert (status, out) == (2, "") and message in err
    monkeypatch.setattr("sys.stdin", None)  # as after `<&-`
    arguments = [verb, kept, "--pairs", "-"]
    status, out, err = call(capsys, *arguments)
    assert (status, out) == (2, "") and "error: standard input is closed" in err


def test_predict_of_closed_standard_input(capsys, kept, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    for more in ([], ["--input", "-"]):
        status, out, err = call(capsys, "predict", kept, *more)
        assert (status, out) == (2, "") and "error: standard input is closed" in err


def test_a_dash_is_standard_input(capsys, kept, monkeypatch, tmp_path):
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    for verb in ("score", "evaluate"):
        status, by_file, _ = call(capsys, verb, kept, "--pairs", tmp_path / "pairs.tsv")
        assert status == 0
        for more in (["--pairs", "-"], [] if verb == "score" else ["--pairs", "-", "--json"]):
            pipe(monkeypatch, PAIRS)
            status, out, _ = call(capsys, verb, kept, *more)
            assert status == 0 and ("--json" in more or out == by_file)
    pipe(monkeypatch, "abc\nab\n")
    _, out, _ = call(capsys, "predict", kept, "--input", "-")
    assert out == call(capsys, "predict", kept, "abc", "ab")[1]


READS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from argparse import Namespace
from types import SimpleNamespace
from seq2seq.pair_input import read_pairs
run = SimpleNamespace(settings={{}}, source=None, target=None)
print(list(read_pairs(Namespace(pairs=None, columns=None), run)))
"""


def test_standard_input_goes_on_where_the_handle_stands(tmp_path):
    (tmp_path / "pairs.tsv").write_text("source\ttarget\n" + PAIRS)
    expected = "[('abc', 'abc'), ('ab', 'ba')]\n"
    with open(tmp_path / "pairs.tsv", "rb") as file:
        os.lseek(file.fileno(), len("source\ttarget\n"), os.SEEK_SET)  # as a shell's `read` does
        done = subprocess.run([sys.executable, "-c", READS], stdin=file, capture_output=True)
    assert done.stdout.decode() == expected, done.stderr


def test_standard_input_may_be_a_socket():
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(PAIRS.encode())
        ours.shutdown(socket.SHUT_WR)
        done = subprocess.run([sys.executable, "-c", READS], stdin=theirs, capture_output=True)
    assert done.stdout.decode() == "[('abc', 'abc'), ('ab', 'ba')]\n", done.stderr


def test_a_bad_text_is_named_by_its_line_after_the_pairs_before(capsys, kept, monkeypatch):
    monkeypatch.setattr(answers, "CHUNK", 2)
    for third, message in (
        ("ab\tbaX\n", "line 3: target: symbol 'X' at position 3 was never seen"),
        ("aYb\tba\n", "line 3: source: symbol 'Y' at position 2 was never seen"),
    ):
        pipe(monkeypatch, PAIRS + third + PAIRS)
        status, out, err = call(capsys, "score", kept)
        assert status == 2 and out.count("\n") == 2
        assert f"error: standard input, {message}" in err and err.count("\n") == 1
