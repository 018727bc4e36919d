"""Escaping: text for people is made harmless, text for programs remains exact."""

import csv
import io
import os
import subprocess
import sys

import pytest

from seq2seq.cli.report import make_page
from seq2seq.runs.compare import Run, group_runs
from seq2seq.runs.tables import make_csv, make_table
from seq2seq.runtime.escaping import in_markdown, in_one_cell, in_spreadsheet, printable
from tests.conftest import ROOT, run_on_terminal

EVIL = "\x1b]0;title\x07 a|b\n<script>x</script> \u202e\x9b31m"


def test_nothing_acts_on_a_terminal():
    assert printable(EVIL) == r"\x1b]0;title\x07 a|b" + "\n" + r"<script>x</script> \u202e\x9b31m"
    plain = "tab\tline\nनदी שָׁלוֹם \u200f👩\u200d👧 é"
    assert printable(plain) == plain


def test_a_cell_is_one_cell_and_a_page_has_no_html():
    assert "\n" not in in_one_cell(EVIL) and r"a\|b\n" in in_one_cell(EVIL)
    assert "<" not in in_markdown(EVIL)


@pytest.mark.parametrize("text", ["=cmd|'/C calc'!A0", "@SUM(1)", "+x", "-a", "\t=1"])
def test_a_spreadsheet_computes_nothing(text):
    assert in_spreadsheet(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-1.5", "+2", "1e-3", -1, 0.5, None, "plain", "a=b", ""])
def test_what_is_no_formula_stays(value):
    assert in_spreadsheet(value) == value


def test_reports_of_a_strangers_runs_are_harmless():
    row = {"exact_match": 0.5, "count": 2}
    summary = {"parameters": 1, "test": {**row, "by_length": {"1": row}}, "validation": {}}
    summary["train"] = {"seconds": 1.0, "steps": 1, "stopped": "steps"}
    runs = [
        Run(
            {"task": {"path": path}, "names": {"task": "a", "model": "b"}, "seed": 0}, summary, None
        )
        for path in (EVIL, "=1+1")
    ]
    groups = group_runs(runs)
    table, page = make_table(groups), make_page("seq2seq report", make_table(groups), [EVIL])
    assert printable(table) == table and table.count("\n") == 3
    assert "<script" not in page and "\x1b" not in page
    rows = [*csv.reader(io.StringIO(make_csv(groups)))]
    assert len(rows) == 3 and not any(cell.startswith("=") for row in rows for cell in row)


@pytest.mark.slow
@pytest.mark.parametrize("is_terminal", [True, False])
def test_examples_are_exact_in_a_pipe_and_harmless_on_a_terminal(is_terminal, tmp_path):
    rows = "".join(f"\x1b[3{n}mword{n}\tW{n}\n" for n in range(40))
    (tmp_path / "my.tsv").write_text(rows)
    command = [sys.executable, "-m", "seq2seq", "examples", "task=pairs", "task.train=my.tsv"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if not is_terminal:
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0 and "\x1b[31mword1\tW1\n" in done.stdout
        return
    status, shown = run_on_terminal(command, cwd=tmp_path, env=env)
    assert status == 0
    assert b"\x1b" not in shown and rb"\x1b[31mword1" in shown
