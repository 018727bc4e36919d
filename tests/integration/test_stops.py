"""Real runs that are killed, interrupted, out of disk, or not alone: nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.run_snapshot import check_same, everything

pytestmark = pytest.mark.slow

RUN = [
    *("task=copy", "task.symbols=4", "task.max_length=5"),
    *("task.validation_examples=10", "task.test_examples=20"),
    *("model.encoder.units=8", "attention=dot", "cell.dropout=0.2", "forcing=scheduled"),
    *(
        "training.batch_size=8",
        "training.steps_per_epoch=50",
        "training.checkpoint_time_fraction=0.9",
    ),
]


STEPS = 2000  # of the run that is killed


def start(directory, *arguments):
    """`train.py` in the background."""
    return subprocess.Popen(
        [sys.executable, ROOT / "train.py", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process, seconds=600):
    """Wait until `condition()`, as long as the process lives; whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.0005)
    return True


def newest_step(run):
    return max((int(path.name[5:14]) for path in run.glob("checkpoints/step-*.npz")), default=0)


def kill_once(directory, kind, step, rng):
    """Start, kill at a moment of this kind after `step`, and return what was there then."""
    run = directory / "run"
    process = start(directory, *RUN, f"training.steps={STEPS}", "run_dir=run", "resume=true")
    if kind == "starting":
        time.sleep(rng.uniform(0.2, 6))
    else:
        going = wait_for(lambda: newest_step(run) >= step, process)
        assert going, process.communicate()
        time.sleep(rng.uniform(0, 0.05))
        if kind == "writing":
            wait_for(lambda: any(run.glob("checkpoints/.step-*")), process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return newest_step(run), any(run.glob("checkpoints/.step-*"))


def test_killed_ten_times_it_ends_with_the_same_bytes(python, tmp_path):
    arguments = [*RUN, f"training.steps={STEPS}", "training.checkpoint_time_fraction=0"]
    done = python(ROOT / "train.py", *arguments, "run_dir=straight", timeout=1500)
    assert done.returncode == 0, done.stderr
    rng = random.Random(0)
    kinds = ["starting"] * 2 + ["training"] * 4 + ["writing"] * 4
    rng.shuffle(kinds)
    moments = sorted(rng.sample(range(1, STEPS - 150), len(kinds)))
    killed = [
        kill_once(tmp_path, kind, step, rng) for kind, step in zip(kinds, moments, strict=True)
    ]
    steps, cut_off = zip(*killed, strict=True)
    print("killed after the checkpoints of steps", steps, "while writing one:", sum(cut_off))
    assert sum(cut_off) >= 2 and len(set(steps)) > 6 and list(steps) == sorted(steps)
    done = python(ROOT / "train.py", "run_dir=run", "resume=true", timeout=1500)
    assert done.returncode == 0, done.stderr
    assert f"resuming after step {steps[-1]:,}" in done.stderr
    check_same(everything(tmp_path / "run"), everything(tmp_path / "straight"))
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {path.name for path in (tmp_path / "straight").iterdir()}


def test_a_terminated_run_ends_in_good_order_and_resumes(python, tmp_path):
    run = tmp_path / "run"
    process = start(tmp_path, *RUN, "training.steps=100000", "run_dir=run")
    assert wait_for((run / "history.csv").exists, process)
    done = python("-m", "seq2seq", "train", "run", "--resume")  # while the other one runs
    assert done.returncode == 2
    assert done.stderr == f"error: run_dir=run is in use by another process ({process.pid})\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 143 and "exact match" in out and "Traceback" not in err
    assert "interrupted by SIGTERM" in err and "seq2seq train run --resume" in err
    summary = json.loads((run / "summary.json").read_text())
    step = summary["train"]["steps"]
    assert summary["train"]["stopped"] == "interrupted" and newest_step(run) == step
    done = python("-m", "seq2seq", "train", "run", "--resume", f"training.steps={step + 60}")
    assert done.returncode == 0 and f"resuming after step {step:,}" in done.stderr
    assert f"note: resuming with training.steps={step + 60} in place of 100000" in done.stderr
    summary = json.loads((run / "summary.json").read_text())
    assert summary["train"]["stopped"] == "finished" and summary["train"]["steps"] == step + 60
    done = python("-m", "seq2seq", "train", "run", "--resume")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "note: run is complete; there is nothing to do\n"
    done = python("-m", "seq2seq", "train", "run", "--resume", "seed=1", "bridge=dense")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "seed (0 in the run, now 1)" in done.stderr


def test_a_full_disk_is_named_and_the_last_checkpoint_is_whole(python, tmp_path):
    done = python(ROOT / "train.py", *RUN, "training.steps=50", "run_dir=run")
    assert done.returncode == 0, done.stderr
    (checkpoint,) = (tmp_path / "run/checkpoints").glob("step-000000050.npz")
    content, limit = checkpoint.read_bytes(), checkpoint.stat().st_size // 1024 - 1
    arguments = f"-m seq2seq train run --resume training.steps=5000 > {tmp_path / 'out'}"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f {limit}; exec {sys.executable} {arguments}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: a checkpoint could not be written ([Errno 27] File too large")
    assert last.endswith("the previous one, step-000000050.npz, is intact")
    assert checkpoint.read_bytes() == content
    assert not list(checkpoint.parent.glob(".*"))
    done = python("-m", "seq2seq", "train", "run", "--resume", "training.steps=100")
    assert done.returncode == 0 and "resuming after step 50" in done.stderr


def test_a_run_is_reproduced(python, tmp_path):
    done = python(ROOT / "train.py", *RUN, "training.steps=100", "run_dir=run")
    assert done.returncode == 0, done.stderr
    done = python("-m", "seq2seq", "reproduce", "run", "-o", "again")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("environment: the same\nagain beside run: identical\n")
    assert "| weights " in done.stdout and "different" not in done.stdout
    again = python("-m", "seq2seq", "reproduce", "run", "-o", "again")  # only compared
    assert (
        again.returncode == 0 and again.stdout.strip() == done.stdout[-len(again.stdout) :].strip()
    )
    for name in ("summary.json", "manifest.json"):  # as if it had been killed before its test
        (tmp_path / "again" / name).unlink()
    done = python("-m", "seq2seq", "reproduce", "run", "-o", "again")
    assert done.returncode == 0 and "again beside run: identical\n" in done.stdout, done.stderr
    done = python("-m", "seq2seq", "reproduce", "run", "-o", "run")
    assert done.returncode == 2 and "--output run is the run itself" in done.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    summary["test"]["exact_match"] += 0.5
    (tmp_path / "run/summary.json").write_text(json.dumps(summary))
    (tmp_path / "run/manifest.json").unlink()
    done = python("-m", "seq2seq", "reproduce", "run")
    assert done.returncode == 1 and "| test exact_match " in done.stdout
    assert done.stdout.endswith("beside run: different\n")
