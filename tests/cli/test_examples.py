"""The verb `examples`: a stream, a finite split, and errors of one line."""

import pytest

from tests.cli.calls import call


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
