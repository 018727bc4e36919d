"""Standard output that is not UTF-8 fails no command."""

import os
import sys

import pytest

from tests.conftest import ROOT, run_on_terminal, slow_except

ENCODINGS = ["ascii", "latin-1", "cp1252"]


@pytest.mark.parametrize("encoding", slow_except(["latin-1"], ENCODINGS))
@pytest.mark.parametrize("arguments", [["report", "--help"], ["examples", "task=pairs"]])
def test_what_is_printed_is_utf8(arguments, encoding, python, tmp_path):
    rows = "".join(f"नदी{n}\tनदी\n" for n in range(40))
    (tmp_path / "rows.tsv").write_text(rows, "utf-8")
    more = ["task.train=rows.tsv"] if arguments[0] == "examples" else []
    process = python("-m", "seq2seq", *arguments, *more, PYTHONIOENCODING=encoding)
    # The test decodes what came as UTF-8.
    assert process.returncode == 0, process.stderr
    assert ("नदी" if more else "±") in process.stdout


def test_errors_are_utf8(python):
    process = python("-m", "seq2seq", "report", "नदी", PYTHONIOENCODING="latin-1")
    assert process.returncode == 2 and "नदी" in process.stderr


@pytest.mark.parametrize("stream", [1, 2])
def test_a_terminal_that_lacks_a_character_shows_a_question_mark(stream):
    words = ["report", "--help"] if stream == 1 else ["report", "é€नदी"]
    command = [sys.executable, "-m", "seq2seq", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"}
    status, shown = run_on_terminal(command, stream, env=env)
    assert status == (0 if stream == 1 else 2)
    assert "±".encode("latin-1") in shown if stream == 1 else "é????".encode("latin-1") in shown


@pytest.mark.slow
def test_output_for_a_run_is_utf8(trained, python):
    for arguments in (["evaluate", trained], ["report", trained], ["predict", trained, "abc"]):
        process = python("-m", "seq2seq", *arguments, PYTHONIOENCODING="ascii")
        assert process.returncode == 0 and process.stdout, process.stderr


@pytest.mark.slow
def test_a_grid_ends_well(python, tmp_path):
    rows = "".join(f"नदी{n}\tनदी\n" for n in range(100))
    (tmp_path / "rows.tsv").write_text(rows, "utf-8")
    few = ["-m", "task=pairs", "task.train=rows.tsv", "training=quick", "seed=0,1", "run_dir=é"]
    few += ["model=lstm", "--jobs", "2"]
    process = python(ROOT / "train.py", *few, PYTHONIOENCODING="cp1252", timeout=600)
    assert process.returncode == 0, process.stderr
    assert "failed" not in process.stderr and "नदी" in process.stdout
    assert "±" in process.stdout  # the table of both


@pytest.mark.slow
def test_a_finished_training_ends_well(python):
    few = ["training=quick", "task.test_examples=50", "task.validation_examples=50"]
    process = python(ROOT / "train.py", *few, PYTHONIOENCODING="ascii", timeout=600)
    assert process.returncode == 0, process.stderr
    assert "saved to runs/" in process.stdout
