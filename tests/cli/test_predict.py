"""The verb `predict`: lines in and out, formats, strategies, and unread lines."""

import io
import json
import random
from argparse import Namespace

import pytest

from seq2seq.cli import main as cli
from seq2seq.cli import predict
from seq2seq.cli.predict import PredictionWriter
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.hypotheses import Hypothesis
from tests.cli.calls import call, pipe


def test_predict_arguments_files_and_standard_input(capsys, cached_run, tmp_path, monkeypatch):
    _, by_arguments, _ = call(capsys, "predict", cached_run, "abc", "a", "ca")
    assert len(by_arguments.splitlines()) == 3
    (tmp_path / "lines").write_text("abc\na\nca\n")
    _, by_file, _ = call(capsys, "predict", cached_run, "--input", tmp_path / "lines")
    pipe(monkeypatch, "abc\na\nca")
    _, by_pipe, _ = call(capsys, "predict", cached_run)
    assert by_arguments == by_file == by_pipe


def test_as_many_lines_out_as_in(capsys, cached_run, monkeypatch):
    monkeypatch.setattr(predict, "CHUNK", 4)
    lines = ["a", "", "ab", "", "", "b" * 9, "c"] * 3
    pipe(monkeypatch, "\n".join(lines) + "\n")
    status, out, _ = call(capsys, "predict", cached_run)
    assert status == 0 and out.count("\n") == len(lines)


def test_any_text_is_answered_a_line_for_a_line(capsys, cached_run, monkeypatch):
    rng = random.Random(0)
    kinds = [range(0x20), range(0x20, 0x7F), range(0x80, 0x3000), range(0xE000, 0x110000)]
    lines = ["\r", "\0", "\u2028a\x85", "\ufeff\ufeff", "e\u0301\u200d", "\x1c\x1d\x1e"]
    for _ in range(1000):
        text = "".join(chr(rng.choice(rng.choice(kinds))) for _ in range(rng.randint(0, 7)))
        lines.append(text.replace("\n", "\r"))
    pipe(monkeypatch, "".join(f"{line}\n" for line in lines))
    status, out, _ = call(capsys, "predict", cached_run, "--unknown", "token")
    assert status == 0 and out.count("\n") == len(lines)


def test_sources_that_are_no_text_are_refused(capsys, cached_run):
    for arguments in (["a\udcff"], ["a", "--prefix", "\udcff"]):
        status, out, err = call(capsys, "predict", cached_run, *arguments)
        assert (status, out) == (2, "") and err.count("\n") == 1
        assert "sources hold '\\udcff', half a surrogate pair: no character" in err


def test_an_unknown_symbol_names_its_line(capsys, cached_run, monkeypatch):
    monkeypatch.setattr(predict, "CHUNK", 2)
    pipe(monkeypatch, "a\nb\nc\naXb\n")
    status, out, err = call(capsys, "predict", cached_run)
    assert status == 2 and out.count("\n") == 4
    assert "error: line 4: symbol 'X' at position 2 was never seen in training" in err
    pipe(monkeypatch, "a\naXb\n")
    status, out, _ = call(capsys, "predict", cached_run, "--unknown", "token")
    assert status == 0 and out.count("\n") == 2


def test_standard_input_is_read_by_its_line_feeds(capsys, cached_run, monkeypatch):
    pipe(monkeypatch, b"\xef\xbb\xbfab\r\nb\x0cc\n")
    assert call(capsys, "predict", cached_run, "--unknown", "token")[1].count("\n") == 2
    pipe(monkeypatch, b"a\nb\n\xe9\n")
    status, out, err = call(capsys, "predict", cached_run)
    assert status == 2 and out.count("\n") == 2
    assert "error: standard input, line 3: not UTF-8" in err


def test_lines_that_cannot_be_read_are_named_and_the_others_answered(
    capsys, cached_run, monkeypatch
):
    right = call(capsys, "predict", cached_run, "abc", "cab")[1].splitlines()
    lines = ["abc", "a\u0301b", "cab", "12"]
    pipe(monkeypatch, "\n".join(lines) + "\n")
    status, out, err = call(capsys, "predict", cached_run)
    assert (status, out.splitlines()) == (2, [right[0], "", right[1], ""])
    assert err.splitlines()[0].startswith("line 2: symbol U+0301 COMBINING ACUTE ACCENT at pos")
    assert "error: 2 of 4 lines have no answer (--unknown skip: no error; --unknown" in err
    status, out, err = call(capsys, "predict", cached_run, "--unknown", "skip", *lines)
    assert (status, out.splitlines()) == (0, [right[0], "", right[1], ""])
    assert err.splitlines()[1].startswith("line 4: symbol '1'") and "note: 2 of 4 lines" in err
    status, out, err = call(capsys, "predict", cached_run, *lines[:3])
    assert status == 2 and out.splitlines() == [right[0], "", right[1]]
    assert err.startswith("error: line 2: symbol") and err.count("\n") == 1
    status, out, _ = call(
        capsys, "predict", cached_run, "--unknown=skip", "--format=tsv", *lines[1:3]
    )
    assert out.splitlines()[1:] == ["a\u0301b\t\t", f"cab\t1\t{right[1]}"]
    _, out, _ = call(capsys, "predict", cached_run, "--unknown=skip", "--format=jsonl", *lines[1:3])
    assert [len(json.loads(line)["hypotheses"]) for line in out.splitlines()] == [0, 1]


def test_many_unread_lines_are_counted(capsys, cached_run, monkeypatch):
    pipe(monkeypatch, "1\n" * 5000)
    status, out, err = call(capsys, "predict", cached_run)
    assert status == 2 and out == "\n" * 5000 and len(err.splitlines()) == 11


class Echo:
    """A predictor that answers with its sources."""

    def predict(self, sources, n_best, prefix, decoding):
        return [[Hypothesis(source, [*source], -1.0)] for source in sources]


@pytest.mark.parametrize("shape", ["text", "tsv", "jsonl"])
def test_a_line_end_inside_an_answer_does_not_end_the_line(capsys, shape):
    options = cli.make_parsers()[1]["predict"].parse_args(["run", "--format", shape])
    predict.PredictionWriter(options, Echo(), Decoding()).answer(["a\nb\rc", ""])
    out = capsys.readouterr().out
    assert out.count("\n") == (3 if shape == "tsv" else 2) and "\r" not in out


@pytest.mark.slow
def test_several_answers_with_scores(capsys, cached_run):
    beam = ("--strategy", "beam", "--width", 4, "--n-best", 3)
    status, out, _ = call(capsys, "predict", cached_run, "ab", "c", *beam, "--scores")
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == 0 and [len(row) for row in rows] == [6, 6]
    for row in rows:
        scores = list(map(float, row[1::2]))
        assert scores == sorted(scores, reverse=True) and len(set(row[::2])) == 3
    assert (
        out
        == call(capsys, "predict", cached_run, "ab", "c", "--n-best", 3, "--scores", "--width", 4)[
            1
        ]
    )
    _, table, _ = call(
        capsys, "predict", cached_run, "ab", "c", *beam, "--scores", "--format", "tsv"
    )
    lines = [line.split("\t") for line in table.splitlines()]
    assert lines[0] == ["source", "rank", "score", "answer"] and len(lines) == 7
    assert [line[3] for line in lines[1:4]] == rows[0][::2]
    _, objects, _ = call(capsys, "predict", cached_run, "ab", "c", *beam, "--format", "jsonl")
    first = json.loads(objects.splitlines()[0])
    assert first["source"] == "ab"
    assert [hypothesis["text"] for hypothesis in first["hypotheses"]] == rows[0][::2]
    for hypothesis in first["hypotheses"]:
        assert sum(hypothesis["token_scores"]) == pytest.approx(hypothesis["score"], abs=1e-3)


def test_samples_repeat_with_their_seed(capsys, cached_run):
    def draw(seed, *sources):
        flags = ("--strategy", "sample", "--num-samples", 4, "--temperature", 3, "--seed", seed)
        return call(capsys, "predict", cached_run, *sources, *flags)[1].splitlines()

    assert draw(1, "ab", "c") == [*draw(1, "ab"), *draw(1, "c")]
    assert draw(1, "ab", "c") != draw(2, "ab", "c")


def test_runs_are_combined_as_an_ensemble(capsys, trained):
    _, alone, _ = call(capsys, "predict", trained, "ab", "c", "--scores")
    _, twice, _ = call(capsys, "predict", trained, "ab", "c", "--scores", "--with", trained)
    assert alone == twice


def test_a_terminal_gets_a_prompt(capsys, cached_run, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("abc\n?\nab\n"))
    status, out, err = call(capsys, "predict", cached_run)
    assert status == 0 and out.count("\n") == 2
    assert err.count("> ") == 4 and "error: source 1: symbol '?'" in err


def test_predict_of_closed_standard_input(capsys, cached_run, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    for more in ([], ["--input", "-"]):
        status, out, err = call(capsys, "predict", cached_run, *more)
        assert (status, out) == (2, "") and "error: standard input is closed" in err


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
