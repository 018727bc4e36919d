"""Use of the command line, in fresh processes: train, predict, evaluate, interrupt, and err."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

TRAIN = ROOT / "train.py"
SMALL = [
    "task=reverse",
    "task.symbols=4",
    "task.max_length=5",
    "task.validation_examples=20",
    "task.test_examples=40",
    "model.encoder.units=16",
]


@pytest.mark.slow
def test_train_predict_evaluate(python, tmp_path):
    done = python(TRAIN, *SMALL, "training.epochs=2", "training.steps_per_epoch=10")
    assert done.returncode == 0, done.stderr
    assert "exact match" in done.stdout and done.stdout.count(" -> ") == 10
    assert len([line for line in done.stderr.splitlines() if line.startswith("epoch")]) == 2
    assert "Traceback" not in done.stderr and "oneDNN" not in done.stderr
    (run,) = (tmp_path / "runs/reverse-lstm").iterdir()
    assert {path.name for path in run.iterdir()} - {"changes.patch"} == {
        ".lock",
        "manifest.json",
        "checkpoints",
        "config.yaml",
        "environment.json",
        "history.csv",
        "model.npz",
        "predictions.tsv",
        "summary.json",
    }
    done = python("-m", "seq2seq", "predict", "runs/latest", stdin="abc\n\nd\n")
    assert done.returncode == 0 and done.stdout.count("\n") == 3
    assert done.stderr == ""
    code = (
        "import seq2seq; print(*seq2seq.load('runs/latest').predict(['abc', '', 'd']), sep='\\n')"
    )
    assert python("-c", code).stdout == done.stdout
    done = python("-m", "seq2seq", "evaluate", "runs/latest", "--json")
    summary = json.loads((run / "summary.json").read_text())
    assert json.loads(done.stdout) == summary["test"]


@pytest.mark.slow
def test_a_run_is_not_overwritten(python, trained):
    done = python(TRAIN, *SMALL, f"run_dir={trained}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "already holds a run" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["task=revers"], "unknown task 'revers'; did you mean 'reverse'?"),
        (["task.max_length=-1"], "got -1"),
        pytest.param(
            *(["model.decoder.units=7"], "use the bridge Dense (bridge=dense)"),
            marks=pytest.mark.slow,  # it waits for the engine
        ),
        (["task.max_length=[1"], "error: "),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(python, tmp_path, overrides, message):
    done = python(TRAIN, *overrides)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_file_of_pairs_with_a_bad_row(python, tmp_path):
    rows = [f"{'ab' * (1 + n % 3)}{n % 10}{n // 10}\tX Y{n % 2}\r\n" for n in range(100)]
    (tmp_path / "my.tsv").write_text("".join(rows) + "bad\r\n", newline="")
    arguments = ["task=pairs", "task.train=my.tsv", "task.target_tokens=symbols"]
    arguments += ["model.encoder.units=8", "training.epochs=1"]
    done = python(TRAIN, *arguments)
    assert done.returncode == 2 and "my.tsv, line 101: " in done.stderr
    done = python(TRAIN, *arguments, "task.on_bad_row=skip")
    assert done.returncode == 0 and "note: 1 bad row was skipped" in done.stderr
    assert "note: 3 updates in all (3 an epoch)" in done.stderr
    assert "\ntraining ended: all 3 updates are done (1 epoch)\n" in done.stderr
    assert "exact match" in done.stdout


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_reported_with_its_step(python):
    done = python(TRAIN, *SMALL, "optimizer.learning_rate=1e38", "optimizer.global_clipnorm=null")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "the loss is not a finite number at step" in done.stderr


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_weights_and_the_summary(tmp_path):
    arguments = [*SMALL, "training.steps=1000000", "training.steps_per_epoch=5", "run_dir=run"]
    process = subprocess.Popen(
        [sys.executable, TRAIN, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "run/history.csv").exists():
        time.sleep(0.2)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "interrupted by SIGINT" in err and "Traceback" not in err and "exact match" in out
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["train"]["stopped"] == "interrupted" and summary["test"]["count"] == 40
    steps = summary["train"]["steps"]
    assert (tmp_path / f"run/checkpoints/step-{steps:09d}.npz").exists()


@pytest.mark.slow
def test_several_runs_from_one_command(python, tmp_path):
    done = python(TRAIN, "-m", *SMALL, "training.steps=3", "bridge=copy,dense")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("exact match 0") + done.stdout.count("exact match 1") == 2
    assert "| Copy " in done.stdout and "| Dense " in done.stdout  # the table of both
    assert len(list((tmp_path / "runs/reverse-lstm").iterdir())) == 2


def test_a_closed_pipe_is_no_error(python, tmp_path):
    command = f"{sys.executable} -m seq2seq examples task=copy -n 100000 | head -n 2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.count("\n") == 2 and done.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_a_model_crosses_engines(python, trained):
    arguments = ["-m", "seq2seq", "predict", trained, "abc", "a", "cab"]
    with_tensorflow, with_jax = (
        python(*arguments, KERAS_BACKEND=engine) for engine in ("tensorflow", "jax")
    )
    assert with_tensorflow.returncode == with_jax.returncode == 0, (
        with_tensorflow.stderr + with_jax.stderr
    )
    assert with_tensorflow.stdout == with_jax.stdout
