"""Several runs of one command: where they lie, how they go side by side, and how they end."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from seq2seq.cli import multirun
from seq2seq.cli.multirun import (
    COMMAND,
    LONGEST,
    Multirun,
    Planned,
    divide_cores,
    environment,
    is_finished,
    name_run,
    plan,
)
from seq2seq.cli.train import train
from seq2seq.config import Job, compose

# In place of a training: records its arguments, waits, and leaves a finished run behind.
TRAINING = """
import json, os, pathlib, signal, sys, time
options = dict(one.partition("=")[::2] for one in sys.argv[1:])
run, seed = pathlib.Path(options["run_dir"].strip("'")), int(options["seed"])
run.mkdir(parents=True)
signal.signal(signal.SIGTERM, lambda *_: (run / "cut").touch() or sys.exit(143))
begun = time.time()
(run / "begun").touch()
print("begins", file=sys.stderr, flush=True)
if seed == 8:
    sys.exit("error: no such task")
if seed == 9:
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(10 if seed >= 100 else 0.2)
cores = sorted(os.sched_getaffinity(0))
fact = [begun, time.time(), cores, sys.argv[1:], os.getpgrp() == os.getpid()]
(run / "fact.json").write_text(json.dumps(fact))
(run / "config.yaml").write_text(f"seed: {seed}\\nbridge: {options.get('bridge')}\\n")
test = {"exact_match": seed / 10, "count": 2, "by_length": {}}
end = {"steps": 50, "seconds": 1.0, "stopped": "finished"}
(run / "summary.json").write_text(json.dumps({"test": test, "train": end, "parameters": 7}))
print("a result\\n" * 2000, end="")
"""


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training.py").write_text(TRAINING)
    monkeypatch.setattr(multirun, "COMMAND", [sys.executable, str(tmp_path / "training.py")])


def job(*swept, **config):
    plain = {"run_dir": "grid", "resume": False, "seed": 0}
    names = {"task": "copy", "model": "lstm"}
    return Job({**plain, "names": names, **config}, [*swept, "run_dir=grid"], [*swept])


def seeds(*numbers):
    return plan([job(f"seed={number}") for number in numbers])


def fact(run):
    return json.loads((run.path / "fact.json").read_text())


@pytest.mark.parametrize(
    "swept, name",
    [
        (["seed=0"], "seed=0"),
        (["bridge=copy", "seed=0"], "bridge=copy,seed=0"),
        (["++training.steps=9"], "training.steps=9"),
        (["task.train=../a b.tsv"], "task.train=..%2Fa%20b.tsv"),
        (["task.columns=[1,2]"], "task.columns=%5B1%2C2%5D"),
        (["optimizer.learning_rate=1e-3"], "optimizer.learning_rate=1e-3"),
    ],
)
def test_a_run_is_named_by_what_sets_it_apart(swept, name):
    assert name_run(swept) == name


def test_names_differ_where_runs_do_and_fit_a_file_system():
    values = ["a,seed=1", "a%2C", "a/b", "a\\b", "", ".", "..", "é", "é" * 300, "é" * 299 + "e"]
    values += ["x" * length for length in (193, 194, 195, 300)]
    names = [name_run([f"a={value}", "seed=1"]) for value in values] + [name_run(["a=a", "seed=1"])]
    assert len(set(names)) == len(names) and all(len(name) <= LONGEST for name in names)
    for name in names:
        assert name.isascii() and not set(name) & set("/\\ '\"$")


def test_without_run_dir_each_lies_where_a_single_one_would():
    runs = plan([job(f"seed={seed}", run_dir=None) for seed in range(3)])
    stamp = runs[0].path.name
    assert [run.path.parent for run in runs] == [Path("runs/copy-lstm")] * 3
    assert [run.path.name for run in runs] == [stamp, f"{stamp}-2", f"{stamp}-3"]


def test_with_run_dir_they_lie_in_it_and_one_by_itself_is_named_by_its_seed():
    assert [run.path for run in seeds(0, 1)] == [Path("grid/seed=0"), Path("grid/seed=1")]
    assert plan([job(seed=3, run_dir=2026)])[0].path == Path("2026/seed=3")


@pytest.mark.parametrize(
    "jobs, message",
    [
        ([job("seed=0"), job("seed=0")], "seed=0 is given twice"),
        ([job("seed=0", run_dir=None, resume=True)], "resume=true needs the runs .* run_dir=PATH"),
        ([job("seed=0", run_dir="")], "run_dir must be the path of a directory, got ''"),
        ([job("seed=0", run_dir="a-run")], "run_dir=a-run holds a run itself"),
    ],
)
def test_plans_that_can_not_be_are_refused(jobs, message):
    Path("a-run").mkdir()
    Path("a-run/config.yaml").touch()
    with pytest.raises(ValueError, match=message):
        plan(jobs)


def test_several_go_at_once_each_with_its_share_of_the_cores(capsys):
    runs = seeds(0, 1, 2, 3)
    ended = Multirun(at_once=2, flags=["--config-dir=here"]).train(runs)
    assert [(outcome.name, outcome.path, outcome.status) for outcome in ended] == [
        (run.name, run.path, 0) for run in runs
    ]
    facts = [fact(run) for run in runs]
    going = [sum(begun <= moment < done for begun, done, *_ in facts) for moment, *_ in facts]
    assert max(going) == 2
    all_cores = sorted(os.sched_getaffinity(0))
    core_sets = {tuple(cores) for _, _, cores, *_ in facts}
    assert core_sets == {tuple(sorted(part)) for part in divide_cores(2)}
    assert all({*cores} <= {*all_cores} for cores in core_sets)
    assert all(detached for *_, detached in facts)  # the terminal's Ctrl-C does not reach it
    assert facts[1][3] == ["--config-dir=here", "seed=1", "run_dir='grid/seed=1'"]
    captured = capsys.readouterr()
    assert captured.out == "a result\n" * 8000
    lines = captured.err.splitlines()
    assert sorted(lines) == sorted(
        line
        for number in range(4)
        for line in (f"run {number + 1} of 4: seed={number}", f"seed={number}: begins")
    )


def test_the_results_of_two_are_not_mixed(capsys, monkeypatch, tmp_path):
    long = TRAINING.replace("a result\\n", "result {seed}\\n").replace('print("', 'print(f"')
    (tmp_path / "training.py").write_text(long)
    Multirun(at_once=2).train(seeds(0, 1))
    out = capsys.readouterr().out.splitlines()
    assert out[:2000] in (["result 0"] * 2000, ["result 1"] * 2000) and len(set(out)) == 2


def test_runs_one_after_the_other_have_all_cores():
    runs = seeds(0, 1)
    Multirun().train(runs)
    (_, first_end, cores, *_), (second_begin, *_) = map(fact, runs)
    assert first_end <= second_begin and cores == sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize("parts", [1, 2, 3, 64])
def test_no_share_is_larger_than_another(parts):
    groups = divide_cores(parts)
    assert len(groups) == parts
    if parts == 1:
        assert groups == [None]
        return
    cores = os.sched_getaffinity(0)
    assert {len(g) for g in groups} == {max(1, len(cores) // parts)} and set.union(*groups) <= cores
    if parts <= len(cores):
        assert len(set.union(*groups)) == sum(map(len, groups))


def test_a_failed_or_killed_run_does_not_stop_the_others(capsys):
    ended = Multirun(at_once=2).train(seeds(8, 9, 0, 1))
    assert [outcome.status for outcome in ended] == [1, 128 + signal.SIGKILL, 0, 0]
    err = capsys.readouterr().err
    assert "seed=8: error: no such task\n" in err and "seed=9: ended by SIGKILL\n" in err


def test_a_process_that_can_not_be_made_is_a_failed_run(capsys, monkeypatch):
    monkeypatch.setattr(multirun, "COMMAND", ["/nowhere/python"])
    assert [outcome.status for outcome in Multirun().train(seeds(0, 1))] == [2, 2]
    assert "seed=1: error: [Errno 2] No such file or directory" in capsys.readouterr().err


def send_when(condition, number):
    """Send this process a signal as soon as `condition()`."""

    def wait():
        while not condition():
            ended.wait(0.01)
        os.kill(os.getpid(), number)

    ended = threading.Event()
    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_signal_reaches_the_running_runs_and_no_more_begin(at_once):
    original_handler = signal.getsignal(signal.SIGINT)
    runs = seeds(0, 100, 101, 102)
    going = [runs[1], runs[2]][:at_once]
    send_when(lambda: all((run.path / "begun").exists() for run in going), signal.SIGINT)
    several = Multirun(at_once)
    assert [outcome.status for outcome in several.train(runs)] == [
        0,
        *[143] * at_once,
        *[130] * (3 - at_once),
    ]
    assert several.received == signal.SIGINT
    assert [run for run in runs if (run.path / "cut").exists()] == going
    assert [run for run in runs if run.path.exists()] == [runs[0], *going]
    assert signal.getsignal(signal.SIGINT) is original_handler


@pytest.fixture
def begun():
    """A run of the grid that was begun."""
    overrides = ["task=copy", "seed=1", "training.steps=50", "run_dir=grid", "resume=true"]
    config = compose(overrides)
    run = Planned(Job(config, overrides, ["seed=1"]), "seed=1", Path("grid/seed=1"))
    run.path.mkdir(parents=True)
    there = OmegaConf.to_yaml({**config, "run_dir": "grid/seed=1", "resume": False})
    (run.path / "config.yaml").write_text(there)
    return run


def end(run, stopped):
    test = {"exact_match": 0.5, "count": 2, "by_length": {}}
    train = {"steps": 50, "seconds": 1.0, "stopped": stopped}
    summary = {"test": test, "train": train, "parameters": 7}
    (run.path / "summary.json").write_text(json.dumps(summary))


def test_a_complete_run_is_not_begun_again(begun, capsys, monkeypatch):
    assert not is_finished(begun)
    end(begun, "interrupted")
    assert not is_finished(begun)
    end(begun, "finished")
    assert is_finished(begun)
    monkeypatch.setattr(multirun, "COMMAND", ["nowhere"])
    assert [outcome.status for outcome in Multirun().train([begun])] == [0]
    assert capsys.readouterr().err == "run 1 of 1: seed=1 is complete\n"


@pytest.mark.parametrize(
    "changes", [{"resume": False}, {"seed": 2}, {"training": {"steps": 51}}, {"task": {}}]
)
def test_a_run_with_anything_left_to_do_is_not_finished(begun, changes):
    end(begun, "finished")
    config = begun.job.config
    parts = {
        key: {**config[key], **value} if value and isinstance(value, dict) else value
        for key, value in changes.items()
    }
    assert not is_finished(begun._replace(job=begun.job._replace(config={**config, **parts})))


@pytest.fixture
def call(capsys, monkeypatch):
    """`python train.py ARGUMENTS`, with made-up trainings."""
    monkeypatch.setattr("sys.argv", ["train.py"])
    # Hydra closes the handlers of logging, and absl's would close what pytest writes to.
    monkeypatch.setattr("hydra._internal.logging_config.configure_logging", lambda config: None)

    def run(*arguments):
        status = train(arguments)
        return status, *capsys.readouterr()

    return run


def test_from_the_command_to_the_table(call):
    status, out, err = call("-m", "bridge=copy,dense", "seed=1,3", "run_dir=grid", "--jobs", "2")
    assert status == 0 and "run 4 of 4: bridge=dense,seed=3\n" in err
    assert {path.name for path in Path("grid").iterdir()} == {
        *("bridge=copy,seed=1", "bridge=copy,seed=3", "bridge=dense,seed=1", "bridge=dense,seed=3")
    }
    rows = [line.split() for line in out.splitlines() if line.startswith("|")]
    assert [row[1] for row in rows[2:]] == ["copy", "dense"]
    assert [row[7:10] for row in rows[2:]] == [["20.00", "±", "14.14"]] * 2


@pytest.mark.slow
def test_the_failed_are_named_and_the_worst_decides(call):
    status, out, err = call("-m", "seed=1,9,2", "run_dir=grid")
    assert status == 128 + signal.SIGKILL and "| 2 " in out
    assert err.endswith("1 of 3 runs failed:\nseed=9\n")


def test_after_a_signal_a_note_shows_how_to_resume(call):
    send_when(lambda: Path("grid/seed=100/begun").exists(), signal.SIGINT)
    status, _, err = call("-m", "seed=1,100", "run_dir=grid")
    assert status == 130
    assert "interrupted by SIGINT: 1 of 2 runs are complete; with run_dir=PATH resume=true" in err
    assert "failed" not in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-m", "seed=0,1", "hydra/launcher=joblib"], "hydra/launcher=joblib: this program begins"),
        (["-m", "seed=0,1", "hydra/sweeper=optuna"], "hydra/sweeper=optuna: runs are trained when"),
        (["seed=0", "--jobs", "2"], "--jobs 2 is for several runs: add -m"),
        (["-m", "seed=0,1", "--jobs=0"], "--jobs must be a whole number of at least 1, got 0"),
        (["-m", "seed=0,1", "trainin.steps=3"], "unknown key 'trainin.steps'"),
        (["-m", "seed=0,0", "run_dir=grid"], "seed=0 is given twice"),
        (["-m", "task=[copy,sort]", "seed=0,1"], "task must be one choice"),
    ],
)
def test_what_can_not_be_is_one_line_and_begins_nothing(call, arguments, message):
    status, _, err = call(*arguments)
    assert status == 2 and err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not Path("grid").exists()


def test_no_file_of_the_current_directory_is_taken_for_a_module(tmp_path):
    """An unpacked archive may hold a `hydra.py`."""
    for name in ("hydra", "rich", "keras", "seq2seq", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('ran')\n")
    done = subprocess.run(
        [*COMMAND, "task=copy", "--cfg", "job"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Copy" in done.stdout, done.stderr
