"""Standard output that is not UTF-8 fails no command."""

import pytest

from tests.conftest import ROOT

ENCODINGS = ["ascii", "latin-1", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("arguments", [["report", "--help"], ["examples", "task=pairs"]])
def test_what_is_printed_is_utf8(arguments, encoding, python, tmp_path):
    rows = "".join(f"नदी{n}\tनदी\n" for n in range(40))
    (tmp_path / "rows.tsv").write_text(rows, "utf-8")
    more = ["task.train=rows.tsv"] if arguments[0] == "examples" else []
    process = python("-m", "seq2seq", *arguments, *more, PYTHONIOENCODING=encoding)
    # The test decodes what came as UTF-8.
    assert process.returncode == 0, process.stderr
    assert ("नदी" if more else "±") in process.stdout


@pytest.mark.slow
def test_a_finished_training_ends_well(python):
    few = ["training=quick", "task.test_examples=50", "task.validation_examples=50"]
    process = python(ROOT / "train.py", *few, PYTHONIOENCODING="ascii", timeout=600)
    assert process.returncode == 0, process.stderr
    assert "kept in runs/" in process.stdout
