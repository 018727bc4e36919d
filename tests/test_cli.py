"""The verbs, in this process where they need no fresh one."""

import io
import json
import os

import pytest

from seq2seq import cli


def call(capsys, *arguments):
    status = cli.main([*map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def pipe(monkeypatch, content):
    """Let standard input hold `content` (text or bytes)."""
    data = content.encode() if isinstance(content, str) else content
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))
    monkeypatch.setattr("sys.stdin", stream)


def test_examples_of_a_stream(capsys):
    arguments = ["examples", "task=addition", "task.digits=3"]
    status, out, err = call(capsys, *arguments)
    assert status == 0 and len(out.splitlines()) == 10 and "no end" in err
    for line in out.splitlines():
        source, target = line.split("\t")
        left, right = source.split("+")
        assert int(target) == int(left) + int(right)
    assert call(capsys, *arguments, "-n", 3)[1] == "".join(out.splitlines(True)[:3])


def test_examples_of_a_finite_split(capsys):
    _, out, _ = call(capsys, "examples", "task=addition", "--split", "test")
    assert len(out.splitlines()) == 2000
    _, out, _ = call(capsys, "examples", "task=scan", "task.split=length", "--split", "test")
    assert len(out.splitlines()) == 3920
    assert call(capsys, "examples", "task=scan", "--split", "train", "-n", 0)[1] == ""


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["task=adition"], "unknown task 'adition'; did you mean 'addition'"),
        (["task=copy", "task.max_length=0", "task.min_length=2"], "max_length=0 is less than"),
        (["task=pairs", "task.train=nowhere.tsv"], "no such file: nowhere.tsv"),
        (["task=pairs"], "task=pairs needs a file: task.train=my.tsv"),
        (["task=copy", "="], "No match in the defaults list"),
    ],
)
def test_errors_are_one_line_without_a_traceback(capsys, arguments, message):
    status, out, err = call(capsys, "examples", *arguments)
    assert status == 2 and out == ""
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err


def test_predict_arguments_files_and_standard_input(capsys, trained, tmp_path, monkeypatch):
    _, by_arguments, _ = call(capsys, "predict", trained, "abc", "a", "ca")
    assert len(by_arguments.splitlines()) == 3
    (tmp_path / "lines").write_text("abc\na\nca\n")
    _, by_file, _ = call(capsys, "predict", trained, "--input", tmp_path / "lines")
    pipe(monkeypatch, "abc\na\nca")
    _, by_pipe, _ = call(capsys, "predict", trained)
    assert by_arguments == by_file == by_pipe


def test_as_many_lines_out_as_in(capsys, trained, monkeypatch):
    monkeypatch.setattr(cli, "CHUNK", 4)
    lines = ["a", "", "ab", "", "", "b" * 9, "c"] * 3
    pipe(monkeypatch, "\n".join(lines) + "\n")
    status, out, _ = call(capsys, "predict", trained)
    assert status == 0 and out.count("\n") == len(lines)


def test_an_unknown_symbol_names_its_line(capsys, trained, monkeypatch):
    monkeypatch.setattr(cli, "CHUNK", 2)
    pipe(monkeypatch, "a\nb\nc\naXb\n")
    status, out, err = call(capsys, "predict", trained)
    assert status == 2 and out.count("\n") == 3
    assert "error: line 4: symbol 'X' at position 2 was never seen in training" in err
    pipe(monkeypatch, "a\naXb\n")
    status, out, _ = call(capsys, "predict", trained, "--unknown", "token")
    assert status == 0 and out.count("\n") == 2


def test_standard_input_is_read_by_its_line_feeds(capsys, trained, monkeypatch):
    pipe(monkeypatch, b"\xef\xbb\xbfab\r\nb\x0cc\n")
    assert call(capsys, "predict", trained, "--unknown", "token")[1].count("\n") == 2
    pipe(monkeypatch, b"a\nb\n\xe9\n")
    status, out, err = call(capsys, "predict", trained)
    assert status == 2 and out.count("\n") == 2
    assert "error: standard input, line 3: not UTF-8" in err


def test_an_unexpected_error_is_one_line_too(capsys, monkeypatch):
    def broken():
        raise RuntimeError("a bug\nin two lines")

    assert cli.guarded(broken) == 2
    assert "error: RuntimeError: a bug in two lines (SEQ2SEQ_TRACEBACK=1" in capsys.readouterr().err
    monkeypatch.setenv("SEQ2SEQ_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        cli.guarded(broken)


def test_evaluate_needs_nothing_but_the_run(capsys, trained, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, out, _ = call(capsys, "evaluate", trained, "--json")
    summary = json.loads((trained / "summary.json").read_text())
    assert status == 0 and json.loads(out) == summary["test"]
    _, out, _ = call(capsys, "evaluate", trained)
    assert f"exact match {summary['test']['exact_match']:.2%}".replace("%", " %") in out


def test_evaluate_on_pairs(capsys, trained, tmp_path):
    _, answer, _ = call(capsys, "predict", trained, "abc")
    (tmp_path / "pairs.tsv").write_text(f"abc\t{answer.strip()}\na\tzz\n")
    _, out, _ = call(capsys, "evaluate", trained, "--pairs", tmp_path / "pairs.tsv", "--json")
    assert json.loads(out)["exact_match"] == 0.5


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_what_is_no_run_is_named(capsys, verb, tmp_path):
    status, _, err = call(capsys, verb, tmp_path / "nowhere")
    assert status == 2 and "error: no such run" in err and err.count("\n") == 1
    status, _, err = call(capsys, verb, tmp_path)
    assert status == 2 and "model.npz is missing" in err


def test_wrong_usage_exits_with_two(capsys):
    for arguments in (["predict"], ["nonsense"], ["predict", "run", "--nonsense"], []):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2


def test_noise_is_held_back_and_errors_pass(capfd):
    with cli.held_back_noise():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"E0000 00:00:1 cuda_platform.cc:52] failed call to cuInit\n")
        os.write(2, b"E0000 00:00:1 something.cc:1] out of memory\n")
    assert capfd.readouterr().err == "E0000 00:00:1 something.cc:1] out of memory\n"


def test_a_line_end_inside_an_answer_does_not_end_the_line(capsys):
    cli.say(["a\nb\rc", ""])
    assert capsys.readouterr().out == "a\\nb\\rc\n\n"
