"""Pairs of `score` and `evaluate`: files, standard input, and what is wrong there."""

import os
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from seq2seq.cli import score
from seq2seq.cli.pair_input import read_pairs
from seq2seq.cli.predict import PredictionWriter
from seq2seq.data import Numbers
from seq2seq.inference.hypotheses import Hypothesis
from seq2seq.inference.predictor import Predictor
from tests.cli.test_main import call, load_once, pipe
from tests.conftest import ROOT

PAIRS = "abc\tabc\nab\tba\n"
PAIR_VERBS = pytest.mark.parametrize("verb", ["score", "evaluate"])


@pytest.fixture
def kept(trained, replace_load_run, eager):
    """The run, loaded once for all tests that only answer."""
    replace_load_run(load_once)
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
        ("", "standard input holds no usable pair"),
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
from seq2seq.cli.pair_input import read_pairs
run = SimpleNamespace(settings={{}}, source=None, target=None)
print(list(read_pairs(Namespace(pairs=None, columns=None, on_bad_row="error"), run)))
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
    monkeypatch.setattr(score, "CHUNK", 2)
    for third, message in (
        ("ab\tbaX\n", "line 3: target: symbol 'X' at position 3 was never seen"),
        ("aYb\tba\n", "line 3: source: symbol 'Y' at position 2 was never seen"),
    ):
        pipe(monkeypatch, PAIRS + third + PAIRS)
        status, out, err = call(capsys, "score", kept)
        assert status == 2 and out.count("\n") == 2
        assert f"error: standard input, {message}" in err and err.count("\n") == 1
        assert "--unknown token" in err
        pipe(monkeypatch, PAIRS + third + PAIRS)
        status, out, err = call(capsys, "score", kept, "--unknown", "token")
        assert (status, err) == (0, "") and out.count("\n") == 5


UNTIDY = "\nabc\tabc\n\nbad\nab\tbaX\nab\tba\n   \n"


def test_scores_stand_on_the_lines_of_their_pairs(capsys, kept, monkeypatch):
    pipe(monkeypatch, PAIRS)
    both = call(capsys, "score", kept)[1].splitlines()
    for size in (2, 2048):
        monkeypatch.setattr(score, "CHUNK", size)
        pipe(monkeypatch, UNTIDY)
        status, out, err = call(capsys, "score", kept, "--on-bad-row", "skip")
        assert status == 0 and out.split("\n") == ["", both[0], "", "", "", both[1], "", ""]
        assert "standard input, line 4: skipped: expected source<TAB>target, found 1" in err
        assert "standard input, line 5: skipped: target: symbol 'X' at position 3" in err
        assert "note: 3 blank lines were skipped\n" in err
        assert "note: 2 bad rows were skipped; the first: standard input, line 4" in err
    pipe(monkeypatch, UNTIDY)
    status, out, err = call(capsys, "score", kept)
    assert status == 2 and out == f"\n{both[0]}\n\n"
    assert "standard input, line 4: expected" in err and "--on-bad-row skip" in err


@PAIR_VERBS
def test_blank_lines_are_layout(capsys, kept, tmp_path, verb):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    _, expected, _ = call(capsys, verb, kept, "--pairs", path)
    path.write_text("\n" + PAIRS.replace("\n", "\n\n") + "  \n")
    status, out, err = call(capsys, verb, kept, "--pairs", path)
    assert status == 0 and "note: 4 blank lines were skipped" in err
    assert out.split() == expected.split()


def test_evaluate_skips_bad_rows_and_names_the_first(capsys, kept, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    _, expected, _ = call(capsys, "evaluate", kept, "--pairs", path)
    path.write_text("bad\n" + PAIRS + "a\tb\tc\n")
    status, out, err = call(capsys, "evaluate", kept, "--pairs", path, "--on-bad-row", "skip")
    assert status == 0 and out == expected
    assert f"note: 2 bad rows were skipped; the first: {path}, line 1: expected" in err
    path.write_text("bad\n")
    status, _, err = call(capsys, "evaluate", kept, "--pairs", path, "--on-bad-row", "skip")
    assert status == 2 and f"error: {path} holds no usable pair" in err


def test_comments_of_a_run_are_comments_of_its_pairs(
    capsys, trained, tmp_path, replace_load_run, eager
):
    run = load_once(trained)
    run = Predictor(
        run.model, run.source, run.target, run.decoding, {**run.settings, "comment": "#"}
    )
    replace_load_run(lambda path: run)
    (tmp_path / "pairs.tsv").write_text("# by hand\n" + PAIRS)
    status, out, err = call(capsys, "score", trained, "--pairs", tmp_path / "pairs.tsv")
    assert status == 0 and len(out.split()) == 2 and "note: 1 comment line was skipped" in err


def test_pairs_of_real_values_are_named_by_line(tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text("1 2\t3\n\n1 nan\t3\n\t3\n1\t2\n")
    run = SimpleNamespace(settings={}, source=Numbers(), target=Numbers())
    options = Namespace(pairs=str(tmp_path / "pairs.tsv"), columns=None, on_bad_row="error")
    with pytest.raises(ValueError, match="pairs.tsv, line 3: 'nan' at position 2 must hold 1"):
        list(read_pairs(options, run))
    options.on_bad_row = "skip"
    assert list(read_pairs(options, run)) == [("1 2", "3"), ("1", "2")]
    assert "note: 2 bad rows were skipped; the first: " in capsys.readouterr().err


def test_pairs_may_be_comma_separated(capsys, kept, tmp_path):
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "pairs.csv").write_text('source,target\n"abc",abc\nab,"ba"\n')
    outputs = [call(capsys, "score", kept, "--pairs", path)[1] for path in tmp_path.iterdir()]
    assert outputs[0] == outputs[1] and len(outputs[0].split()) == 2


@pytest.mark.parametrize("scores", [True, False])
def test_a_tab_in_an_answer_is_no_column(scores, capsys):
    options = Namespace(scores=scores, format="text", n_best=2)
    shown = PredictionWriter.__new__(PredictionWriter)
    shown.options = options
    shown._text("x", [Hypothesis("a\tb\n", [], -1.0), Hypothesis("c\\", [], -2.0)])
    columns = capsys.readouterr().out.removesuffix("\n").split("\t")
    assert columns == (
        [r"a\tb\n", "-1.0000", "c\\\\", "-2.0000"] if scores else [r"a\tb\n", "c\\\\"]
    )
