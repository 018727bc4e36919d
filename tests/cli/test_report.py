"""The verb `report`: the table, the files, and what does not count."""

import csv
import importlib.util

import pytest

from seq2seq.cli.report import list_remarks
from seq2seq.runs.compare import group_runs
from tests.cli.calls import call
from tests.runs.fake_runs import config, history, lengths, summary, write_run


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two configurations of three seeds in runs/, of which one failed and one has not ended."""
    monkeypatch.chdir(tmp_path)
    for units in (8, 16):
        for seed in range(3):
            test = lengths(1.0, seed / 4, 0.0)
            end = summary(0.5, test, "nan" if (units, seed) == (8, 1) else "finished")
            path = tmp_path / f"runs/{units}/{seed}"
            write_run(path, config(seed, units=units), end, history(0.25, seed / 3))
    (tmp_path / "runs/16/2/summary.json").unlink()
    (tmp_path / "runs/latest").symlink_to("16/0")
    return tmp_path


def test_a_table_and_what_does_not_count(capsys, runs):
    status, out, err = call(capsys, "report", "runs", "--lengths", "1-2,3")
    assert status == 0 and "| model.decoder.units | runs | failed |" in out
    assert out.count("| 1 of 3 |") == 2 and "length 1-2 %" in out
    assert err.splitlines() == [
        "not counted: runs/8/1 (its loss was no number)",
        "not counted: runs/16/2 (not finished)",
    ]
    assert not (runs / "report.csv").exists()
    _, out, err = call(capsys, "report", "runs/16/0", "--metric", "count,exact_match")
    assert err == "" and "| count" in out and "failed" not in out


def test_validation_stands_beside_the_test_and_selects(capsys, runs):
    # the summaries are of an older version: validation is found in the histories
    status, out, err = call(capsys, "report", "runs", "--select", "val_exact_match")
    assert status == 0 and "| val exact match % | exact match %" in out
    assert out.partition("\n\n")[2].splitlines() == [
        "best by val_exact_match, the mean of 2 seeds: units 8",
        "- validation exact match 45.83 ± 29.46 %",
        "- test exact match 50.00 ± 0.00 % (95 % interval 50.00 to 50.00 %)",
        "- its best run by validation: runs/8/2",
    ]
    _, out, err = call(capsys, "report", "runs/16/1", "--metric", "val_exact_match")
    assert err == "" and "| val exact match % |" in out and "| 33.33 " in out
    command = ["report", "runs", "--select", "val_exact_match", "-o", "made", "--no-figure"]
    assert call(capsys, *command)[0] == 0
    page = (runs / "made/report.md").read_text("utf-8")
    assert page.splitlines()[0].endswith("--select val_exact_match --no-figure")
    assert "\n\nbest by val_exact_match, the mean of 2 seeds: units 8\n- " in page
    with open("made/report.csv", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["val_exact_match"] == "0.25"


def test_files_and_charts(capsys, runs):
    pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")
    command = ["report", "runs", "-o", "made/here"]
    status, out, err = call(capsys, *command)
    names = ["report.csv", "by-length.png", "by-length.svg", "curves.png", "curves.svg"]
    written = [f"written: made/here/{name}" for name in [*names, "report.md"]]
    assert status == 0 and [line for line in err.splitlines() if "written" in line] == written
    with open("made/here/report.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows if row["exact_match"] == ""] == ["runs/8/1", "runs/16/2"]
    assert len(rows) == 6
    page = (runs / "made/here/report.md").read_text("utf-8")
    assert out.strip() in page and "- not counted: runs/16/2 (not finished)" in page
    assert page.startswith("    seq2seq report runs --output made/here\n")
    for name in ("by-length", "curves"):
        assert f"]({name}.png)" in page
        svg = (runs / f"made/here/{name}.svg").read_text("utf-8")
        assert "units 8" in svg and "units 16" in svg
    previous_files = {path: path.read_bytes() for path in (runs / "made/here").iterdir()}
    assert call(capsys, *command)[0] == 0
    assert previous_files == {path: path.read_bytes() for path in (runs / "made/here").iterdir()}


def test_the_table_as_latex_has_the_same_cells(capsys, runs):
    _, markdown, _ = call(capsys, "report", "runs", "--metric", "exact_match,val_exact_match")
    status, latex, _ = call(
        capsys, "report", "runs", "--metric", "exact_match,val_exact_match", "--latex"
    )
    lines = latex.splitlines()
    assert status == 0 and lines[0] == rf"\begin{{tabular}}{{{'l' * lines[2].count('&')}l}}"
    assert (lines[1], lines[3], lines[-1]) == (r"\toprule", r"\midrule", r"\end{tabular}")
    plain = latex.replace(r"$\pm$", "±").replace("\\", "")
    cells = {cell.strip() for line in markdown.splitlines() for cell in line.split("|")}
    cells = {cell for cell in cells if cell and set(cell) != {"-"}}
    assert {part.strip() for line in plain.splitlines() for part in line.split("&")} >= cells


def test_tables_alone_need_no_matplotlib(capsys, runs, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status, out, err = call(capsys, "report", "runs", "-o", "made")
    assert status == 2 and out == "" and "or --no-figure" in err and err.count("\n") == 1
    status, _, err = call(capsys, "report", "runs", "-o", "made", "--no-figure")
    assert status == 0 and {path.name for path in (runs / "made").iterdir()} == {
        "report.csv",
        "report.md",
    }
    assert "![" not in (runs / "made/report.md").read_text("utf-8")


def test_charts_that_there_can_not_be_are_named(capsys, runs):
    pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")
    write_run(runs / "values/0", config(0), summary(0, {"2": {"mae": 0.5, "count": 1}}))
    status, _, err = call(capsys, "report", "values", "-o", "made")
    assert status == 0 and "no chart by length: " in err and "no learning curves: " in err
    page = (runs / "made/report.md").read_text("utf-8")
    assert "- no chart by length" in page and "![" not in page
    for units in range(10):
        write_run(runs / f"many/{units}", config(0, units=units), summary(0.5, lengths(1.0)))
    _, _, err = call(capsys, "report", "many", "-o", "made")
    left_out = [line for line in err.splitlines() if "not in the charts" in line]
    assert left_out == [
        f"not in the charts (more configurations than colours): units {n}" for n in (8, 9)
    ]


def test_seeds_that_count_twice_are_named(tmp_path):
    seeds_and_names = [(0, "a"), (1, "b"), (0, "c")]
    runs = [
        write_run(tmp_path / name, config(seed), summary(0.5)) for seed, name in seeds_and_names
    ]
    (remark,) = list_remarks(group_runs(runs))
    assert remark == f"one seed, but counted as 2 runs: {tmp_path / 'a'}, {tmp_path / 'c'}"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "no such directory: nowhere"),
        (["runs", "--lengths", "3-1"], "lengths must be like"),
        (["runs", "--lengths", "7"], "no test example has a length of 7 to 7"),
        (["runs", "--metric", "bleu"], "metric 'bleu'; all have: exact_match, count"),
        (["runs", "--select", "exact_match"], "select by validation: --select val_exact_match"),
        (["runs", "--select", "val_bleu"], "metric 'val_bleu'; all have: exact_match, count, val_"),
        (["runs", "--curve", "loss"], "--curve loss is for the charts, which need --output"),
        (["runs", "--curve", "bleu", "-o", "made"], "no history has 'bleu'; there are: epoch,"),
        (["runs", "-o", "runs/8/0/config.yaml"], "is a file, a directory was expected"),
    ],
)
def test_bad_requests_are_one_line(capsys, runs, arguments, message):
    if "made" in arguments:
        pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")
    status, out, err = call(capsys, "report", *arguments)
    assert status == 2 and message in err and out == "" and err.count("\n") == 1
    assert not (runs / "made").exists()


def test_the_engine_is_not_loaded(python, runs):
    code = (
        "import sys; from seq2seq.cli.main import main; "
        "main(['report', 'runs', '-o', 'made']); print('keras' in sys.modules)"
    )
    done = python("-c", code)
    assert done.stdout.endswith("\nFalse\n"), done.stderr
