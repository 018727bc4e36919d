"""Real runs side by side: stopped together, resumed, and each equal to a run by itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from seq2seq.cli.multirun import divide_cores
from seq2seq.runs.environment import environment_changes, read_environment
from tests.conftest import ROOT
from tests.run_snapshot import check_same, everything

pytestmark = pytest.mark.slow

RUN = [
    *("task=copy", "task.symbols=4", "task.max_length=5"),
    *("task.validation_examples=10", "task.test_examples=20"),
    *("model.encoder.units=8", "attention=dot", "cell.dropout=0.2"),
    *("training.batch_size=8", "training.steps_per_epoch=50", "training.steps=2000"),
]
GRID = ["-m", *RUN, "seed=0,1,2", "run_dir=grid", "resume=true", "--jobs", "2"]


@contextlib.contextmanager
def limited_cores():
    """This process, and what it starts, has the cores that one of two runs has."""
    original_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, divide_cores(2)[1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, original_cores)


def stop_the_grid(directory):
    """Let two of three runs begin, and press Ctrl-C: a SIGINT to all processes of the terminal."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "train.py", *GRID],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    histories = [directory / f"grid/seed={seed}/history.csv" for seed in (0, 1)]
    while not all(path.exists() for path in histories):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=120), process.returncode


def test_a_grid_that_was_stopped_ends_as_each_run_would_alone(python, tmp_path):
    (out, err), status = stop_the_grid(tmp_path)
    assert status == 130 and "Traceback" not in err
    assert "interrupted by SIGINT: 0 of 3 runs are complete" in err
    assert out.count("exact match") == 2 and "|" not in out
    for seed in (0, 1):
        assert f"seed={seed}: interrupted by SIGTERM: the model so far was saved" in err
        summary = json.loads((tmp_path / f"grid/seed={seed}/summary.json").read_text())
        assert summary["train"]["stopped"] == "interrupted"
    assert not (tmp_path / "grid/seed=2").exists()

    done = python(ROOT / "train.py", *GRID, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resuming after step") == 2 and "| 3 " in done.stdout
    again = python(ROOT / "train.py", *GRID)
    lines = [f"run {seed + 1} of 3: seed={seed} is complete" for seed in range(3)]
    assert (again.returncode, sorted(again.stderr.splitlines())) == (0, lines)
    assert again.stdout.strip() == done.stdout.split("\n\n")[-1].strip()

    with limited_cores():
        done = python(ROOT / "train.py", *RUN, "seed=1", "run_dir=alone", timeout=900)
    assert done.returncode == 0, done.stderr
    check_same(everything(tmp_path / "grid/seed=1"), everything(tmp_path / "alone"))
    in_grid, alone = (read_environment(tmp_path / run) for run in ("grid/seed=1", "alone"))
    assert environment_changes(in_grid, alone) == {}


def test_a_run_in_use_is_named_and_the_others_continue(python, tmp_path):
    (tmp_path / "grid/seed=0").mkdir(parents=True)
    few = ["-m", *RUN[:-1], "training.steps=50", "run_dir=grid", "seed=0,1"]
    with FileLock(tmp_path / "grid/seed=0/.lock"):
        done = python(ROOT / "train.py", *few, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "run 1 of 2: seed=0 is in use by another process, and is skipped" in done.stderr
    assert "1 of 2 runs are in use by other processes" in done.stderr
    assert "failed" not in done.stderr
    assert (tmp_path / "grid/seed=1/summary.json").exists()
    done = python(ROOT / "train.py", *few, "resume=true")
    assert done.returncode == 0 and "run 2 of 2: seed=1 is complete" in done.stderr
