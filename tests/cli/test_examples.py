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


def write_task(folder, text):
    (folder / "mine/task").mkdir(parents=True)
    (folder / "mine/task/tiny.yaml").write_text(f"# @package _global_\n{text}")


def test_a_task_of_a_directory_of_ones_own(capsys, tmp_path, monkeypatch):
    write_task(tmp_path, "defaults: [copy]\ntask:\n  symbols: 2\n  max_length: 9\n")
    monkeypatch.chdir(tmp_path)
    for words in (["--config-dir", "mine", "task=tiny"], ["task=tiny", "--config-dir=mine"]):
        status, out, _ = call(capsys, "examples", *words, "-n", 3, "task.min_length=8")
        assert status == 0 and {*out} <= set("ab\t\n") and len(out.splitlines()) == 3
    status, _, err = call(capsys, "examples", "task=tiny")
    assert status == 2 and "unknown task 'tiny'" in err  # the directory is not remembered


@pytest.mark.parametrize(
    "text, arguments, message",
    [
        ("hydra:\n  callbacks:\n    x: {_target_: os.mkdir, path: RAN}\n", [], "it sets hydra.c"),
        ("resume: true\n", [], "it sets resume, which the command line alone may set"),
        ("defaults: [/../outside]\n", [], "inside the configuration directories"),
        ("task: {_target_: os.mkdir, path: RAN}\n", [], "_target_ 'os.mkdir' is refused"),
        ("task: &x {a: *x}\n", [], "holds an alias"),
        ("seed: 1\n", ["hydra.searchpath=[x]"], "are added by --config-dir DIRECTORY alone"),
    ],
)
def test_a_directory_is_checked_as_by_train(
    capsys, tmp_path, monkeypatch, text, arguments, message
):
    write_task(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, "examples", "--config-dir", "mine", "task=tiny", *arguments)
    assert (status, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1
    assert message in err and not (tmp_path / "RAN").exists()


def test_a_missing_directory_is_one_line(capsys):
    status, out, err = call(capsys, "examples", "--config-dir", "nowhere", "task=copy")
    assert (status, out, err) == (2, "", "error: --config-dir nowhere: no such directory\n")
