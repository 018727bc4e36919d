"""Pairs of `score` and `evaluate`: files, standard input, and what is wrong there."""

import os
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from seq2seq.cli.pair_input import read_pairs
from seq2seq.data import Numbers
from tests.cli.calls import call, pipe
from tests.conftest import ROOT

PAIRS = "abc\tabc\nab\tba\n"
PAIR_VERBS = pytest.mark.parametrize("verb", ["score", "evaluate"])


pytestmark = pytest.mark.usefixtures("eager")


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
def test_a_bad_file_of_pairs_is_named(capsys, cached_run, tmp_path, verb, content, message):
    path = tmp_path / "pairs.tsv"
    if content is not None:
        path.write_bytes(content)
    status, _, err = call(capsys, verb, cached_run, "--pairs", path)
    assert status == 2 and err.count("\n") == 1
    assert f"error: {message.format(path=path)}" in err


@PAIR_VERBS
def test_bad_standard_input_is_named(capsys, cached_run, monkeypatch, verb):
    for content, message in (
        ("", "standard input holds no usable pair"),
        ("abc\n", "standard input, line 1: expected source<TAB>target"),
    ):
        pipe(monkeypatch, content)
        status, out, err = call(capsys, verb, cached_run, "--pairs", "-")
        assert (status, out) == (2, "") and message in err
    monkeypatch.setattr("sys.stdin", None)  # as after `<&-`
    arguments = [verb, cached_run, "--pairs", "-"]
    status, out, err = call(capsys, *arguments)
    assert (status, out) == (2, "") and "error: standard input is closed" in err


def test_a_dash_is_standard_input(capsys, cached_run, monkeypatch, tmp_path):
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    for verb in ("score", "evaluate"):
        status, by_file, _ = call(capsys, verb, cached_run, "--pairs", tmp_path / "pairs.tsv")
        assert status == 0
        for more in (["--pairs", "-"], [] if verb == "score" else ["--pairs", "-", "--json"]):
            pipe(monkeypatch, PAIRS)
            status, out, _ = call(capsys, verb, cached_run, *more)
            assert status == 0 and ("--json" in more or out == by_file)
    pipe(monkeypatch, "abc\nab\n")
    _, out, _ = call(capsys, "predict", cached_run, "--input", "-")
    assert out == call(capsys, "predict", cached_run, "abc", "ab")[1]


READS = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from argparse import Namespace
from types import SimpleNamespace
from seq2seq.cli.pair_input import read_pairs
run = SimpleNamespace(settings={{}}, source=None, target=None)
print(list(read_pairs(Namespace(pairs=None, columns=None, on_bad_row="error"), run)))
"""


def test_standard_input_is_read_from_the_position_of_its_handle(tmp_path):
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


@PAIR_VERBS
def test_blank_lines_are_layout(capsys, cached_run, tmp_path, verb):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    _, expected, _ = call(capsys, verb, cached_run, "--pairs", path)
    path.write_text("\n" + PAIRS.replace("\n", "\n\n") + "  \n")
    status, out, err = call(capsys, verb, cached_run, "--pairs", path)
    assert status == 0 and "note: 4 blank lines were skipped" in err
    assert out.split() == expected.split()


def test_pairs_of_real_values_are_named_by_line(tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text("1 2\t3\n\n1 nan\t3\n\t3\n1\t2\n")
    run = SimpleNamespace(settings={}, source=Numbers(), target=Numbers())
    options = Namespace(pairs=str(tmp_path / "pairs.tsv"), columns=None, on_bad_row="error")
    with pytest.raises(ValueError, match="pairs.tsv, line 3: 'nan' at position 2 must hold 1"):
        list(read_pairs(options, run))
    options.on_bad_row = "skip"
    assert list(read_pairs(options, run)) == [("1 2", "3"), ("1", "2")]
    assert "note: 2 bad rows were skipped; the first: " in capsys.readouterr().err
