"""The verbs, in this process where they need no fresh one."""

import functools
import io
import json
import logging
import os
import random

import pytest

from seq2seq.cli import main as cli
from seq2seq.cli import predict
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.hypotheses import Hypothesis
from seq2seq.runtime.quiet import filtered_stderr, quiet_engine


@pytest.fixture
def kept(trained, replace_load_run):
    """The run, loaded and compiled once for all tests that only answer."""
    replace_load_run(load_once)
    return trained


@functools.cache
def load_once(path):
    from seq2seq import load

    return load(path)


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


def test_predict_arguments_files_and_standard_input(capsys, kept, tmp_path, monkeypatch):
    _, by_arguments, _ = call(capsys, "predict", kept, "abc", "a", "ca")
    assert len(by_arguments.splitlines()) == 3
    (tmp_path / "lines").write_text("abc\na\nca\n")
    _, by_file, _ = call(capsys, "predict", kept, "--input", tmp_path / "lines")
    pipe(monkeypatch, "abc\na\nca")
    _, by_pipe, _ = call(capsys, "predict", kept)
    assert by_arguments == by_file == by_pipe


def test_as_many_lines_out_as_in(capsys, kept, monkeypatch):
    monkeypatch.setattr(predict, "CHUNK", 4)
    lines = ["a", "", "ab", "", "", "b" * 9, "c"] * 3
    pipe(monkeypatch, "\n".join(lines) + "\n")
    status, out, _ = call(capsys, "predict", kept)
    assert status == 0 and out.count("\n") == len(lines)


def test_any_text_is_answered_a_line_for_a_line(capsys, kept, monkeypatch):
    rng = random.Random(0)
    kinds = [range(0x20), range(0x20, 0x7F), range(0x80, 0x3000), range(0xE000, 0x110000)]
    lines = ["\r", "\0", "\u2028a\x85", "\ufeff\ufeff", "e\u0301\u200d", "\x1c\x1d\x1e"]
    for _ in range(1000):
        text = "".join(chr(rng.choice(rng.choice(kinds))) for _ in range(rng.randint(0, 7)))
        lines.append(text.replace("\n", "\r"))
    pipe(monkeypatch, "".join(f"{line}\n" for line in lines))
    status, out, _ = call(capsys, "predict", kept, "--unknown", "token")
    assert status == 0 and out.count("\n") == len(lines)


def test_sources_that_are_no_text_are_refused(capsys, kept):
    for arguments in (["a\udcff"], ["a", "--prefix", "\udcff"]):
        status, out, err = call(capsys, "predict", kept, *arguments)
        assert (status, out) == (2, "") and err.count("\n") == 1
        assert "sources hold '\\udcff', half a surrogate pair: no character" in err


def test_an_unknown_symbol_names_its_line(capsys, kept, monkeypatch):
    monkeypatch.setattr(predict, "CHUNK", 2)
    pipe(monkeypatch, "a\nb\nc\naXb\n")
    status, out, err = call(capsys, "predict", kept)
    assert status == 2 and out.count("\n") == 4
    assert "error: line 4: symbol 'X' at position 2 was never seen in training" in err
    pipe(monkeypatch, "a\naXb\n")
    status, out, _ = call(capsys, "predict", kept, "--unknown", "token")
    assert status == 0 and out.count("\n") == 2


def test_standard_input_is_read_by_its_line_feeds(capsys, kept, monkeypatch):
    pipe(monkeypatch, b"\xef\xbb\xbfab\r\nb\x0cc\n")
    assert call(capsys, "predict", kept, "--unknown", "token")[1].count("\n") == 2
    pipe(monkeypatch, b"a\nb\n\xe9\n")
    status, out, err = call(capsys, "predict", kept)
    assert status == 2 and out.count("\n") == 2
    assert "error: standard input, line 3: not UTF-8" in err


def test_evaluate_needs_nothing_but_the_run(capsys, trained, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, out, _ = call(capsys, "evaluate", trained, "--json")
    summary = json.loads((trained / "summary.json").read_text())
    assert status == 0 and json.loads(out) == summary["test"]
    _, out, _ = call(capsys, "evaluate", trained)
    assert f"exact match {summary['test']['exact_match']:.2%}".replace("%", " %") in out


def test_evaluate_on_pairs(capsys, kept, tmp_path):
    _, answer, _ = call(capsys, "predict", kept, "abc")
    (tmp_path / "pairs.tsv").write_text(f"abc\t{answer.strip()}\na\tzz\n")
    _, out, _ = call(capsys, "evaluate", kept, "--pairs", tmp_path / "pairs.tsv", "--json")
    assert json.loads(out)["exact_match"] == 0.5


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_what_is_no_run_is_named(capsys, verb, tmp_path):
    status, _, err = call(capsys, verb, tmp_path / "nowhere")
    assert status == 2 and "error: no such run" in err and err.count("\n") == 1
    status, _, err = call(capsys, verb, tmp_path)
    assert status == 2 and "model.npz is missing" in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["predict"], "the following arguments are required: RUN"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["predict", "run", "--nonsense"], "unrecognised arguments: --nonsense; put -- before"),
        (["predict", "run", "-12+3"], "put -- before a text that begins with a dash"),
        (["predict", "run", "abc", "--prefix", "-in"], "a dash is written --option=VALUE"),
        (["predict", "run", "--width", "0"], "argument --width: expected a whole number of at"),
        ([], "the following arguments are required: VERB"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_two(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    error = capsys.readouterr().err
    assert caught.value.code == 2 and message in error
    assert error.startswith("error: ") and error.count("\n") == 1 and "--help" in error


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ("predict R --width 3 abc", {"sources": ["abc"], "width": 3}),
        ("predict R abc --width 3 def", {"sources": ["abc", "def"]}),
        ("predict --width 3 R abc", {"run": "R", "sources": ["abc"]}),
        ("predict R --unknown token -- -abc --x", {"sources": ["-abc", "--x"]}),
        ("predict R -- -abc", {"sources": ["-abc"]}),
        ("predict R -3", {"sources": ["-3"]}),
        ("predict R --prefix=-in --ban=-- --ban a", {"prefix": "-in", "ban": ["--", "a"]}),
        ("predict R --input -", {"input": "-", "sources": []}),
        ("evaluate R --pairs -", {"pairs": "-"}),
        ("inspect R --top 3 a b --gates", {"sources": ["a", "b"], "gates": True}),
        ("interpolate R abc --steps 3 def", {"sources": ["abc", "def"]}),
        ("interpolate R --steps 3 -- -a -b", {"sources": ["-a", "-b"]}),
        ("report A -o X B", {"directories": ["A", "B"], "output": "X"}),
        ("report --metric exact_match A", {"directories": ["A"], "metric": ["exact_match"]}),
        ("report A --metric a,b B", {"directories": ["A", "B"], "metric": ["a", "b"]}),
        ("capacity A -o X B", {"runs": ["A", "B"]}),
    ],
)
def test_options_and_texts_stand_in_any_order(arguments, expected, monkeypatch):
    verb, received = arguments.split()[0], []
    monkeypatch.setattr(cli.VERBS[verb], "run", received.append)
    assert cli.main(arguments.split()) == 0
    assert {name: getattr(received[0], name) for name in expected} == expected


def test_lines_that_cannot_be_read_are_named_and_the_others_answered(capsys, kept, monkeypatch):
    right = call(capsys, "predict", kept, "abc", "cab")[1].splitlines()
    lines = ["abc", "a\u0301b", "cab", "12"]
    pipe(monkeypatch, "\n".join(lines) + "\n")
    status, out, err = call(capsys, "predict", kept)
    assert (status, out.splitlines()) == (2, [right[0], "", right[1], ""])
    assert err.splitlines()[0].startswith("line 2: symbol U+0301 COMBINING ACUTE ACCENT at pos")
    assert "error: 2 of 4 lines have no answer (--unknown skip: no error; --unknown" in err
    status, out, err = call(capsys, "predict", kept, "--unknown", "skip", *lines)
    assert (status, out.splitlines()) == (0, [right[0], "", right[1], ""])
    assert err.splitlines()[1].startswith("line 4: symbol '1'") and "note: 2 of 4 lines" in err
    status, out, err = call(capsys, "predict", kept, *lines[:3])
    assert status == 2 and out.splitlines() == [right[0], "", right[1]]
    assert err.startswith("error: line 2: symbol") and err.count("\n") == 1
    status, out, _ = call(capsys, "predict", kept, "--unknown=skip", "--format=tsv", *lines[1:3])
    assert out.splitlines()[1:] == ["a\u0301b\t\t", f"cab\t1\t{right[1]}"]
    _, out, _ = call(capsys, "predict", kept, "--unknown=skip", "--format=jsonl", *lines[1:3])
    assert [len(json.loads(line)["hypotheses"]) for line in out.splitlines()] == [0, 1]


def test_many_unread_lines_are_counted(capsys, kept, monkeypatch):
    pipe(monkeypatch, "1\n" * 5000)
    status, out, err = call(capsys, "predict", kept)
    assert status == 2 and out == "\n" * 5000 and len(err.splitlines()) == 11


def test_noise_is_held_back_and_errors_pass(capfd, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with filtered_stderr():
        # TensorFlow reads it when it is loaded, be it here by reading data.
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"E0000 00:00:1 cuda_platform.cc:52] failed call to cuInit\n")
        os.write(2, b"E0000 00:00:1 something.cc:1] out of memory\n")
    assert capfd.readouterr().err == "E0000 00:00:1 something.cc:1] out of memory\n"


def test_advice_on_shapes_is_held_back(caplog):
    quiet_engine()
    for message in ("5 out of 6 calls to run triggered tf.function retracing", "something else"):
        logging.getLogger("tensorflow").warning(message)
    assert [record.message for record in caplog.records] == ["something else"]


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


def test_several_answers_with_scores(capsys, kept):
    beam = ("--strategy", "beam", "--width", 4, "--n-best", 3)
    status, out, _ = call(capsys, "predict", kept, "ab", "c", *beam, "--scores")
    rows = [line.split("\t") for line in out.splitlines()]
    assert status == 0 and [len(row) for row in rows] == [6, 6]
    for row in rows:
        scores = list(map(float, row[1::2]))
        assert scores == sorted(scores, reverse=True) and len(set(row[::2])) == 3
    assert (
        out == call(capsys, "predict", kept, "ab", "c", "--n-best", 3, "--scores", "--width", 4)[1]
    )
    _, table, _ = call(capsys, "predict", kept, "ab", "c", *beam, "--scores", "--format", "tsv")
    lines = [line.split("\t") for line in table.splitlines()]
    assert lines[0] == ["source", "rank", "score", "answer"] and len(lines) == 7
    assert [line[3] for line in lines[1:4]] == rows[0][::2]
    _, objects, _ = call(capsys, "predict", kept, "ab", "c", *beam, "--format", "jsonl")
    first = json.loads(objects.splitlines()[0])
    assert first["source"] == "ab"
    assert [one["text"] for one in first["hypotheses"]] == rows[0][::2]
    for one in first["hypotheses"]:
        assert sum(one["token_scores"]) == pytest.approx(one["score"], abs=1e-3)


def test_samples_repeat_with_their_seed(capsys, kept):
    def draw(seed, *sources):
        flags = ("--strategy", "sample", "--num-samples", 4, "--temperature", 3, "--seed", seed)
        return call(capsys, "predict", kept, *sources, *flags)[1].splitlines()

    assert draw(1, "ab", "c") == [*draw(1, "ab"), *draw(1, "c")]
    assert draw(1, "ab", "c") != draw(2, "ab", "c")


def test_scores_of_pairs_are_those_of_answers(capsys, kept, monkeypatch):
    _, out, _ = call(capsys, "predict", kept, "ab", "c", "--scores")
    rows = [line.split("\t") for line in out.splitlines()]
    pairs = "".join(f"{source}\t{row[0]}\n" for source, row in zip(["ab", "c"], rows, strict=True))
    (path := kept.parent / "scored.tsv").write_text(pairs)
    status, scores, _ = call(capsys, "score", kept, "--pairs", path)
    assert status == 0
    assert [float(line) for line in scores.splitlines()] == pytest.approx(
        [float(row[1]) for row in rows], abs=2e-4
    )
    _, tokens, _ = call(capsys, "score", kept, "--pairs", path, "--per-token")
    for line, row in zip(tokens.splitlines(), rows, strict=True):
        assert sum(map(float, line.split("\t"))) == pytest.approx(float(row[1]), abs=1e-3)


def test_constraints_on_the_command_line(capsys, kept, tmp_path):
    (tmp_path / "words").write_text("abba\ncc\n")
    _, out, _ = call(capsys, "predict", kept, "ab", "c", "--lexicon", tmp_path / "words")
    assert set(out.split()) <= {"abba", "cc"}
    _, out, _ = call(capsys, "predict", kept, "ab", "--prefix", "ccc", "--width", 3)
    assert out.startswith("ccc")
    flags = ("--ban", "a", "--no-repeat-ngram-size", 1, "--min-length", 1)
    _, out, _ = call(capsys, "predict", kept, "ab", "ba", *flags)
    assert all("a" not in line and len(set(line)) == len(line) for line in out.split())


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--strategy", "beam", "--top-k", 2], "--top-k belongs to --strategy sample"),
        (["--temperature", 2, "--width", 3], "--temperature belongs to --strategy sample"),
        (["--strategy", "greedy", "--n-best", 2], "n_best=2 is more than this strategy returns: 1"),
        (["--width", 2, "--n-best", 3], "width 2 has no 3 best hypotheses"),
        (["--max-length", "twice"], "max_length must be a whole number, or like"),
        (["--ban", "z"], "names 'z', which the model cannot generate"),
        (["--unknown", "copy"], "unknown=copy needs attention"),
        (["--coverage-penalty", 1], "this model has no attention weights"),
        (["--lexicon", "/nowhere"], "no such file: /nowhere"),
        (["--prefix", "z"], "symbol 'z' at position 1"),
    ],
)
def test_flags_that_do_not_fit_are_refused(capsys, kept, flags, message):
    status, out, err = call(capsys, "predict", kept, "ab", *flags)
    assert status == 2 and message in err and out == "" and err.count("\n") == 1


def test_runs_decide_together(capsys, trained):
    _, alone, _ = call(capsys, "predict", trained, "ab", "c", "--scores")
    _, twice, _ = call(capsys, "predict", trained, "ab", "c", "--scores", "--with", trained)
    assert alone == twice


def test_export_writes_a_file_that_answers_alike(capsys, trained, tmp_path):
    for weights in ("float32", "float16", "int8"):
        path = tmp_path / f"{weights}.npz"
        status, out, _ = call(capsys, "export", trained, "-o", path, "--weights", weights)
        assert status == 0 and f"written to {path}" in out
        assert ("exact_match" in out and "5 held-out examples" in out) == (weights != "float32")
    sizes = [(tmp_path / f"{weights}.npz").stat().st_size for weights in ("float16", "int8")]
    assert sizes[1] < sizes[0] < (tmp_path / "float32.npz").stat().st_size
    _, answers_there, _ = call(capsys, "predict", tmp_path / "float32.npz", "abc", "c", "--scores")
    assert answers_there == call(capsys, "predict", trained, "abc", "c", "--scores")[1]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-o", "nowhere/model.npz"], "must name a file in a folder that is there"),
        (["-o", ".", "--format", "onnx"], "exists already"),
        (
            ["-o", "x", "--format", "onnx", "--weights", "int8"],
            "--weights int8 is for --format numpy",
        ),
    ],
)
def test_exports_that_can_not_be_are_refused(
    capsys, kept, monkeypatch, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    status, _, err = call(capsys, "export", kept, *arguments)
    assert status == 2 and message in err


def test_a_terminal_is_asked(capsys, kept, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("abc\n?\nab\n"))
    status, out, err = call(capsys, "predict", kept)
    assert status == 0 and out.count("\n") == 2
    assert err.count("> ") == 4 and "error: source 1: symbol '?'" in err
