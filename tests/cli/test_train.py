"""From the arguments of `python train.py` to those of Hydra, and errors that are one line."""

import os
import signal
from types import SimpleNamespace

import pytest

from seq2seq import config
from seq2seq.cli import main as cli
from seq2seq.cli import train as launch
from seq2seq.config import compose
from seq2seq.data import Copy


def test_an_unexpected_error_is_one_line_too(capsys, monkeypatch):
    def broken():
        raise RuntimeError("a bug\nin two lines")

    assert launch.report_errors(broken) == 2
    assert "error: RuntimeError: a bug in two lines (SEQ2SEQ_TRACEBACK=1" in capsys.readouterr().err
    monkeypatch.setenv("SEQ2SEQ_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        launch.report_errors(broken)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["task=copy", "seed=1,2", "-m"], ["-m", "task=copy", "seed=1,2"]),
        (["runs/a", "--resume"], ["run_dir='runs/a'", "resume=true"]),
        (["--resume", "training.steps=9", "a b's"], ["training.steps=9", "run_dir='a b\\'s'"]),
        (["--resume", "runs/a=1"], ["run_dir='runs/a=1'", "resume=true"]),
    ],
)
def test_resume_becomes_hydra_arguments(monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/a=1").mkdir(parents=True)
    assert launch.to_hydra_arguments(arguments)[: len(words)] == words


@pytest.mark.parametrize(
    "arguments", [["--resume"], ["a", "b", "--resume"], ["--resume", "seed=1"]]
)
def test_resume_needs_one_run(capsys, monkeypatch, arguments):
    monkeypatch.setattr("sys.argv", ["seq2seq"])
    status = cli.main(["train", *arguments])
    err = capsys.readouterr().err
    assert status == 2 and err.startswith("error: --resume needs one run") and err.count("\n") == 1


def test_why_a_training_ended_is_a_line_on_standard_error(capsys):
    outcome = SimpleNamespace(error=None, remarks=["training ended: ...", "overfits: ..."])
    assert launch.report_outcome(outcome, "run") == 0
    out, err = capsys.readouterr()
    assert out == "" and err == "training ended: ...\noverfits: ...\n"


def test_an_error_of_all_runs_is_reported_once(tmp_path):
    missing = tmp_path / "missing.tsv"
    runs = [compose(["task=pairs", f"task.train='{missing}'", f"seed={n}"]) for n in range(3)]
    with pytest.raises(ValueError, match=r"none of 3 runs can begin: .*missing\.tsv") as caught:
        launch.check_tasks(runs)
    assert str(caught.value).count("missing.tsv") == 1
    launch.check_tasks([*runs, compose(["task=copy"])])  # one can begin, so none is refused
    launch.check_tasks(runs[:1])  # a single run reports its own error
    launch.check_tasks([])


def test_a_check_of_tasks_ends_with_the_first_that_can_be_made(monkeypatch):
    built = []
    monkeypatch.setattr(config, "build_task", lambda chosen: built.append(chosen) or Copy())
    launch.check_tasks([{"task": number} for number in range(5)])
    assert built == [{"task": 0}]


def test_sigterm_leaves_by_an_exception_so_that_what_is_half_written_is_removed():
    original_handler, removed = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as left, launch.cleaned_up_at_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            removed.append(True)
    assert left.value.code == 143 and removed
    assert signal.getsignal(signal.SIGTERM) is original_handler
