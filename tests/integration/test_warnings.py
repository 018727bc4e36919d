"""Warnings of a training reach the command's standard error."""

import json

import pytest

from seq2seq.cli import main as cli

RUN = [
    *("task=copy", "task.symbols=4", "task.max_length=5"),
    *("task.validation_examples=4", "task.test_examples=4"),
    *("model.encoder.units=4", "training.batch_size=4", "run_dir=run", "resume=true"),
]
WITHOUT_LOCKS = """
import errno, filelock, sys
def lock_descriptor(handle, blocking=True):
    raise OSError(errno.ENOLCK, "No locks available")
filelock.lock_descriptor = lock_descriptor
from seq2seq.cli.main import main
sys.exit(main())
"""


@pytest.mark.slow
def test_a_training_that_begins_warns_on_standard_error(python):
    done = python("-c", WITHOUT_LOCKS, "train", *RUN, "training.steps=1")
    assert done.returncode == 0, done.stderr
    assert "warning: run can't be locked: let no other process train there\n" in done.stderr
    assert "note: run holds no checkpoint yet; training starts from the beginning\n" in done.stderr


@pytest.mark.slow
def test_a_resumed_training_warns_on_standard_error(python, tmp_path):
    done = python("-m", "seq2seq", "train", *RUN, "training.steps=4")
    assert done.returncode == 0, done.stderr
    newest = max((tmp_path / "run/checkpoints").glob("step-*.npz"))
    newest.write_bytes(newest.read_bytes()[:1000])
    environment = json.loads((tmp_path / "run/environment.json").read_text())
    (tmp_path / "run/environment.json").write_text(json.dumps({**environment, "cores": 999}))
    (tmp_path / "run/manifest.json").unlink()
    done = python("-m", "seq2seq", "train", "run", "--resume", "training.steps=5")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    (damage,) = [line for line in lines if "using the previous checkpoint" in line]
    assert damage.startswith("warning: ") and newest.name in damage
    (change,) = [line for line in lines if "resuming in another environment" in line]
    assert change.startswith("warning: ") and f"cores: 999 -> {environment['cores']}" in change


@pytest.mark.parametrize("several", [[], ["-m", "seed=0,1"]])
def test_a_path_without_a_run_is_not_resumed(several, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["seq2seq"])
    (tmp_path / "empty").mkdir()
    for path in ("mistyped", "empty"):
        assert cli.main(["train", path, "--resume", *several]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"error: no such run: {path} (") and err.count("\n") == 1
        assert "run_dir=PATH resume=true" in err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
