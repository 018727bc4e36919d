"""The verb `score`: scores on the lines of their pairs, and bad pairs by line."""

import pytest

from seq2seq.cli import score
from seq2seq.inference.predictor import Predictor
from tests.cli.calls import call, load_once, pipe

PAIRS = "abc\tabc\nab\tba\n"
pytestmark = pytest.mark.usefixtures("eager")


def test_scores_of_pairs_are_those_of_answers(capsys, cached_run, monkeypatch):
    _, out, _ = call(capsys, "predict", cached_run, "ab", "c", "--scores")
    rows = [line.split("\t") for line in out.splitlines()]
    pairs = "".join(f"{source}\t{row[0]}\n" for source, row in zip(["ab", "c"], rows, strict=True))
    (path := cached_run.parent / "scored.tsv").write_text(pairs)
    status, scores, _ = call(capsys, "score", cached_run, "--pairs", path)
    assert status == 0
    assert [float(line) for line in scores.splitlines()] == pytest.approx(
        [float(row[1]) for row in rows], abs=2e-4
    )
    _, tokens, _ = call(capsys, "score", cached_run, "--pairs", path, "--per-token")
    for line, row in zip(tokens.splitlines(), rows, strict=True):
        assert sum(map(float, line.split("\t"))) == pytest.approx(float(row[1]), abs=1e-3)


def test_a_bad_text_is_named_by_its_line_after_the_pairs_before(capsys, cached_run, monkeypatch):
    monkeypatch.setattr(score, "CHUNK", 2)
    for third, message in (
        ("ab\tbaX\n", "line 3: target: symbol 'X' at position 3 was never seen"),
        ("aYb\tba\n", "line 3: source: symbol 'Y' at position 2 was never seen"),
    ):
        pipe(monkeypatch, PAIRS + third + PAIRS)
        status, out, err = call(capsys, "score", cached_run)
        assert status == 2 and out.count("\n") == 2
        assert f"error: standard input, {message}" in err and err.count("\n") == 1
        assert "--unknown token" in err
        pipe(monkeypatch, PAIRS + third + PAIRS)
        status, out, err = call(capsys, "score", cached_run, "--unknown", "token")
        assert (status, err) == (0, "") and out.count("\n") == 5


UNTIDY = "\nabc\tabc\n\nbad\nab\tbaX\nab\tba\n   \n"


def test_scores_stand_on_the_lines_of_their_pairs(capsys, cached_run, monkeypatch):
    pipe(monkeypatch, PAIRS)
    scores = call(capsys, "score", cached_run)[1].splitlines()
    for size in (2, 2048):
        monkeypatch.setattr(score, "CHUNK", size)
        pipe(monkeypatch, UNTIDY)
        status, out, err = call(capsys, "score", cached_run, "--on-bad-row", "skip")
        assert status == 0 and out.split("\n") == ["", scores[0], "", "", "", scores[1], "", ""]
        assert "standard input, line 4: skipped: expected source<TAB>target, found 1" in err
        assert "standard input, line 5: skipped: target: symbol 'X' at position 3" in err
        assert "note: 3 blank lines were skipped\n" in err
        assert "note: 2 bad rows were skipped; the first: standard input, line 4" in err
    pipe(monkeypatch, UNTIDY)
    status, out, err = call(capsys, "score", cached_run)
    assert status == 2 and out == f"\n{scores[0]}\n\n"
    assert "standard input, line 4: expected" in err and "--on-bad-row skip" in err


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


def test_pairs_may_be_comma_separated(capsys, cached_run, tmp_path):
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "pairs.csv").write_text('source,target\n"abc",abc\nab,"ba"\n')
    outputs = [call(capsys, "score", cached_run, "--pairs", path)[1] for path in tmp_path.iterdir()]
    assert outputs[0] == outputs[1] and len(outputs[0].split()) == 2
