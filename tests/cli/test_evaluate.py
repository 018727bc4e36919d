"""The verb `evaluate`: the test of the run, and pairs of a file."""

import json

from tests.cli.calls import call


def test_evaluate_needs_nothing_but_the_run(capsys, trained, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, out, _ = call(capsys, "evaluate", trained, "--json")
    summary = json.loads((trained / "summary.json").read_text())
    assert status == 0 and json.loads(out) == summary["test"]
    _, out, _ = call(capsys, "evaluate", trained)
    assert f"exact match {summary['test']['exact_match']:.2%}".replace("%", " %") in out


def test_evaluate_on_pairs(capsys, cached_run, tmp_path):
    _, answer, _ = call(capsys, "predict", cached_run, "abc")
    (tmp_path / "pairs.tsv").write_text(f"abc\t{answer.strip()}\na\tzz\n")
    _, out, _ = call(capsys, "evaluate", cached_run, "--pairs", tmp_path / "pairs.tsv", "--json")
    assert json.loads(out)["exact_match"] == 0.5


PAIRS = "abc\tabc\nab\tba\n"


def test_evaluate_skips_bad_rows_and_names_the_first(capsys, cached_run, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    _, expected, _ = call(capsys, "evaluate", cached_run, "--pairs", path)
    path.write_text("bad\n" + PAIRS + "a\tb\tc\n")
    status, out, err = call(capsys, "evaluate", cached_run, "--pairs", path, "--on-bad-row", "skip")
    assert status == 0 and out == expected
    assert f"note: 2 bad rows were skipped; the first: {path}, line 1: expected" in err
    path.write_text("bad\n")
    status, _, err = call(capsys, "evaluate", cached_run, "--pairs", path, "--on-bad-row", "skip")
    assert status == 2 and f"error: {path} holds no usable pair" in err
