"""Experiments: every file of them is whole, all their runs go, and what came out is judged."""

import argparse
import json
from pathlib import Path

import pytest

from seq2seq.cli import experiment_runs
from seq2seq.cli.multirun import plan
from seq2seq.config import build_task, compose, compose_experiment
from seq2seq.data import pronunciation
from seq2seq.runs.compare import read_history, read_summary
from seq2seq.runs.experiment import Expected, Experiment, Row, measure, read_results
from seq2seq.runs.overrides import quote
from seq2seq.runtime.atomic import write_whole
from seq2seq.runtime.paths import CONFIGS, EXPERIMENTS
from seq2seq.training_from_config import train_from_config
from tests.conftest import slow_except
from tests.runs.fake_runs import config, history, lengths, summary, write_run


@pytest.mark.parametrize("name", slow_except(EXPERIMENTS[:4], EXPERIMENTS))
def test_a_file_opens_with_its_command_and_expects_what_can_be_measured(name):
    text = (CONFIGS / f"experiment/{name}.yaml").read_text("utf-8")
    comment = text.partition("\ndefaults:")[0]
    assert comment.startswith("# @package _global_\n# ") and f"# seq2seq reproduce {name}\n" in text
    experiment = compose_experiment(name)
    assert experiment.source
    for row in experiment.rows:
        for expected in row.expected:
            if expected.published is not None and expected.band is not None:
                low, high = expected.band
                assert low < high and not (low, high) == (0, 1)  # a band that excludes something


@pytest.mark.parametrize("name", slow_except(EXPERIMENTS[:4], EXPERIMENTS))
def test_an_experiment_does_not_lean_on_the_default_model_of_a_task(name):
    """A better default must not change what a published number is of."""
    config = compose([f"experiment={name}"])
    task = (CONFIGS / f"task/{config['names']['task']}.yaml").read_text("utf-8")
    if "override /model:" in task:
        text = (CONFIGS / f"experiment/{name}.yaml").read_text("utf-8")
        assert f"  - override /model: {config['names']['model']}\n" in text


def mechanism(config):
    """Parts and switches of a configuration, its numbers and paths left out."""
    if isinstance(config, dict):
        return tuple((key, mechanism(value)) for key, value in sorted(config.items()))
    if isinstance(config, list):
        return tuple(mechanism(value) for value in config)
    is_number = isinstance(config, int | float) and not isinstance(config, bool)
    return type(config).__name__ if is_number else str(config)


def runs_of_all_mechanisms():
    """Each experiment with its rows of a new task, metric, or model and training."""
    tried = set()
    parts = ("bridge", "cell", "forcing", "model", "optimizer", "schedule", "training")
    for name in EXPERIMENTS:
        rows = []
        for row in compose_experiment(name).rows:
            config = compose([f"experiment={name}", *row.overrides])
            task = config["names"]["task"]
            kinds = {mechanism([config[part] for part in parts]), task}
            kinds |= {(task, expected.metric) for expected in row.expected}
            if kinds - tried:
                rows.append(row)
            tried |= kinds
        yield name, rows


def check_run(name, row):
    path = Path(f"{name}-{row.name}")
    few = ["training=quick", "training.max_steps=2", "training.max_eval_examples=8"]
    chosen = compose([f"experiment={name}", *row.overrides, *few, f"run_dir={path}"])
    outcome, _ = train_from_config(chosen, build_task(chosen))
    assert outcome.error is None
    test, rows = read_summary(path)["test"], read_history(path)
    for expected in row.expected:
        if "#" not in expected.metric and "@" not in expected.metric:
            assert isinstance(measure(test, rows, expected.metric), float)


@pytest.mark.slow
def test_the_runs_of_an_experiment_train(tmp_path, monkeypatch, eagerly):
    """Each mechanism once: it trains, decodes, and measures what is expected of it."""
    monkeypatch.chdir(tmp_path)
    lines = [f"{a}{b}{c}  {a.upper()} {b.upper()}1\n" for a in "abcd" for b in "efgh" for c in "ij"]
    write_whole(tmp_path / "dictionary", "".join(lines))
    monkeypatch.setattr(pronunciation, "fetch_dictionary", lambda: tmp_path / "dictionary")
    for name, rows in runs_of_all_mechanisms():
        for row in rows:
            print(name, row.name)
            check_run(name, row)


PLAIN = Row("plain", ("cell=gru",), (Expected("exact_match", 0.5, (0.4, 0.6)),))
LONG = Row(
    "long", (), (Expected("exact_match@2", None, None), Expected("val_exact_match#20", 1, None))
)
MADE_UP = Experiment("fake_trace", "A paper, table 1", (0, 1), (PLAIN, LONG))


def options(**more):
    chosen = {
        "overrides": [],
        "seeds": None,
        "rows": None,
        "jobs": 1,
        "output": None,
        "latex": False,
        "config_dir": None,
    }
    return argparse.Namespace(**{**chosen, **more})


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Runs are not trained but made up; the arguments that each row was launched with."""
    calls = []

    def launch(name, words, seeds, directory, options):
        calls.append((name, list(words), list(seeds), str(directory), options.jobs))
        for seed in seeds:
            if not (directory / f"seed={seed}").exists():
                test = summary(0.4 + seed / 5, lengths(1.0, 0.25))
                run_directory = directory / f"seed={seed}"
                write_run(run_directory, config(seed), test, history(0.5, 0.75))
                write_whole(run_directory / "environment.json", json.dumps({"git_commit": "abc"}))
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiment_runs, "launch", launch)
    return calls


def test_all_runs_are_made_and_judged(launched, capsys):
    assert experiment_runs.reproduce(MADE_UP, options(jobs=2)) == 0
    directory = "runs/reproduce/fake_trace"
    assert launched == [
        ("fake_trace", ["cell=gru"], [0, 1], f"{directory}/plain", 2),
        ("fake_trace", [], [0, 1], f"{directory}/long", 2),
    ]
    out = capsys.readouterr().out
    assert "fake_trace: A paper, table 1" in out
    assert "50.00% ± 14.14% | 40.00% | 60.00%   | 40.00%, 60.00% | reproduced" in out
    results = read_results(Path(directory) / "results.csv")
    assert [result.metrics for result in results[2:]] == [
        {"exact_match@2": 0.25, "val_exact_match#20": 0.75}
    ] * 2
    assert results[0].commit == "abc" and results[0].steps == 30
    assert experiment_runs.reproduce(MADE_UP, options(latex=True)) == 0
    assert r"50.00\% $\pm$ 14.14\% & 40.00\% & 60.00\%" in capsys.readouterr().out


def test_missing_runs_have_no_verdict(launched, capsys):
    assert experiment_runs.reproduce(MADE_UP, options(seeds=[1], rows=["plain"])) == 1
    out = capsys.readouterr().out
    assert "1 of 2 missing" in out and "reproduced |" not in out and "long" not in out
    assert experiment_runs.reproduce(MADE_UP, options()) == 0  # the rest is made
    assert experiment_runs.reproduce(MADE_UP, options(rows=["plain"])) == 0
    results = read_results(Path("runs/reproduce/fake_trace/results.csv"))
    # Also the rows that are not shown.
    assert [result.row for result in results] == ["plain", "plain", "long", "long"]


def test_other_runs_than_the_experiments_are_not_judged(launched, capsys):
    assert experiment_runs.reproduce(MADE_UP, options(overrides=["training=quick"])) == 0
    out, err = capsys.readouterr()
    assert launched[0][1] == ["cell=gru", "training=quick"]
    assert launched[0][3] == "runs/reproduce/fake_trace,training=quick/plain"
    assert "verdict" not in out and "so there are no verdicts" in err


def test_a_band_that_is_missed_is_an_exit_status(launched):
    missed = PLAIN._replace(expected=(Expected("exact_match", 0.9, (0.85, 0.95)),))
    assert experiment_runs.reproduce(MADE_UP._replace(rows=(missed,)), options()) == 1


def test_a_run_that_fails_is_no_success(launched, monkeypatch):
    monkeypatch.setattr(experiment_runs, "launch", lambda *_: 2)
    assert experiment_runs.reproduce(MADE_UP, options(overrides=["training=quick"])) == 2


def test_runs_of_a_row_are_those_of_train_and_may_be_resumed(monkeypatch, tmp_path, capfd):
    calls = []

    def train_several(jobs, multirun):
        calls.append((jobs, multirun))
        print("a table")
        return 3

    monkeypatch.setattr(experiment_runs, "train_several", train_several)
    words = ["cell=gru", "training=quick"]
    assert experiment_runs.launch("scan_length", words, [0, 2], tmp_path, options(jobs=2)) == 3
    [(jobs, multirun)] = calls
    assert multirun.at_once == 2 and [job.swept for job in jobs] == [["seed=0"], ["seed=2"]]
    for job, seed in zip(jobs, (0, 2), strict=True):
        shared = ["experiment=scan_length", *words, f"run_dir={quote(str(tmp_path))}"]
        assert job.overrides == [*shared, "resume=true", f"seed={seed}"]
        assert job.config == compose(job.overrides) and job.config["resume"] is True
    assert [run.path for run in plan(jobs)] == [tmp_path / "seed=0", tmp_path / "seed=2"]
    assert capfd.readouterr().out == ""  # standard output is for the verdicts


def test_a_signal_ends_it(launched, monkeypatch, capsys):
    monkeypatch.setattr(experiment_runs, "launch", lambda *_: 130)
    assert experiment_runs.reproduce(MADE_UP, options()) == 130
    assert "paper" not in capsys.readouterr().out
