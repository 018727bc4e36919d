"""The bundled file as a program: lines in and out, errors of one line."""

import subprocess
import sys

import pytest

from seq2seq.export.bundle import write_bundle
from tests.runtime.small_models import (
    TEXTS,
)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A folder with nothing but a copy of the file."""
    directory = tmp_path_factory.mktemp("alone")
    write_bundle(directory)
    return directory


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in (*sys.stdlib_module_names, "numpy", "numpy_runtime"):
            raise ImportError(f"{name} is not to be imported")
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import numpy_runtime
sys.exit(numpy_runtime.main(sys.argv[2:]))
"""


@pytest.fixture
def answer(script, tiny, python, tmp_path):
    """Run the file alone, on a small model, as a program."""
    tiny[0].save(tmp_path / "model.npz")

    def run(text, *options, model=tmp_path / "model.npz"):
        return python("-c", ALONE, script, model, *options, stdin=text)

    return run


def test_the_file_answers_alone(answer, tiny):
    _, runtime = tiny
    done = answer("".join(f"{text}\n" for text in TEXTS))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == [*runtime.predict(TEXTS), ""]


def test_the_program_shows_hypotheses_and_scores(answer, tiny):
    done = answer("bad\ncab\n", "--width", 3, "--n-best", 2, "--scores", "--length-penalty", 0.6)
    results = tiny[1].predict(["bad", "cab"], width=3, n_best=2, length_penalty=0.6)
    lines = [
        "\t".join(f"{item.text}\t{item.score:.4f}" for item in best) + "\n" for best in results
    ]
    assert done.stdout == "".join(lines)
    assert answer("bad\n", "--scores").stdout.count("\t") == 1


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("bad\nbaq\n", [], "error: line 2: symbol 'q' at position 3 was never seen"),
        ("bad\n", ["--width", "0"], "error: width must be a whole number of at least 1, got 0"),
        ("bad\n", ["--n-best", "2"], "error: length_penalty=None and n_best=2 are a beam's"),
        ("bad\n", ["--length-penalty", "x", "--width", "2"], "error: length_penalty must be"),
        ("bad\n", ["--max-length", "x"], "error: max_length must be a whole number"),
    ],
)
def test_what_is_wrong_is_one_line(answer, tiny, text, options, message):
    done = answer(text, *options)
    assert done.returncode == 2 and done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    answers = [*tiny[1].predict(["bad"]), ""] if "line 2" in message else []
    assert done.stdout.splitlines() == answers


@pytest.mark.parametrize("options, status", [([], 2), (["--unknown", "skip"], 0)])
def test_lines_that_cannot_be_read_are_named_and_the_others_answered(answer, tiny, options, status):
    bad, cab = tiny[1].predict(["bad", "cab"])
    done = answer("bad\nbaq\nxx\ncab\n", *options)
    assert (done.returncode, done.stdout) == (status, f"{bad}\n\n\n{cab}\n")
    assert done.stderr.startswith("line 2: symbol 'q'") and "2 of 4 lines have no answer" in (
        done.stderr
    )


def test_a_file_that_is_none_is_one_line(answer, tmp_path):
    for name in ("nothing.npz", "text.npz"):
        (tmp_path / "text.npz").write_text("no model")
        done = answer("bad\n", model=tmp_path / name)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: ") and name in done.stderr


def test_answers_come_as_soon_as_their_sources(script, tiny, tmp_path):
    tiny[0].save(tmp_path / "model.npz")
    command = [sys.executable, script / "numpy_runtime.py", tmp_path / "model.npz"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program:
        for text in TEXTS[1:4]:
            program.stdin.write(text + "\n")
            program.stdin.flush()
            assert program.stdout.readline() == tiny[1].predict([text])[0] + "\n"


def test_a_line_that_is_not_utf8_is_named(script, tiny, tmp_path):
    tiny[0].save(tmp_path / "model.npz")
    command = [sys.executable, script / "numpy_runtime.py", tmp_path / "model.npz"]
    done = subprocess.run(command, input=b"bad\n\xff\ncab\n", capture_output=True)
    assert done.returncode == 2
    assert done.stderr == b"error: line 2: not UTF-8 (invalid start byte)\n"
    bad, cab = tiny[1].predict(["bad", "cab"])
    assert done.stdout.decode() == f"{bad}\n\n{cab}\n"


def test_the_module_is_a_program_too(tiny, python, tmp_path):
    tiny[0].save(tmp_path / "model.npz")  # the folder is a run
    done = python("-m", "seq2seq.runtime", tmp_path, stdin="\ufeffbad\r\ncab")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == tiny[1].predict(["bad", "cab"])
