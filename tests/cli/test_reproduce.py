"""The verb `reproduce`."""

import re

import pytest

from seq2seq.cli import main as cli
from seq2seq.config import compose_experiment
from seq2seq.runs.experiment import read_results


@pytest.mark.slow
def test_from_the_command_to_the_table(python, tmp_path):
    words = ["keras_addition_2", "training=quick", "--rows", "state_passing", "--seeds", "0,1"]
    done = python("-m", "seq2seq", "reproduce", *words, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "| state_passing | token_accuracy | 99.00% " in done.stdout
    results = read_results(tmp_path / "runs/reproduce/keras_addition_2,training=quick/results.csv")
    stopped = {(result.row, result.seed): result.stopped for result in results}
    experiment = compose_experiment("keras_addition_2")
    everything = {(row.name, seed) for row in experiment.rows for seed in experiment.seeds}
    assert stopped.keys() == everything  # run or not
    ran = {key for key, end in stopped.items() if end != "missing"}
    assert ran == {("state_passing", 0), ("state_passing", 1)}
    again = python("-m", "seq2seq", "reproduce", *words)
    assert "seed=1 is complete" in again.stderr and again.stdout == done.stdout


MINE = """# @package _global_
# seq2seq reproduce --config-dir own mine
# The string of three symbols, by units.
defaults:
  - override /task: copy
  - _self_

task:
  symbols: 3
  max_length: 3
  validation_examples: 4
  test_examples: 4
training:
  steps: 2
reproduction:
  source: a notebook of mine
  seeds: [0, 1]
  rows:
    small:
      overrides: [model.encoder.units=4]
      expected:
        exact_match: {published: 0.5, band: [0.0, 1.0]}
"""


@pytest.fixture
def own_experiment(tmp_path, monkeypatch):
    """A directory of an experiment of one's own, below the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/mine.yaml").write_text(MINE)
    return tmp_path / "own/experiment/mine.yaml"


@pytest.mark.slow
def test_an_experiment_of_ones_own_has_runs_and_verdicts(own_experiment, python):
    done = python("-m", "seq2seq", "reproduce", "--config-dir", "own", "mine")
    assert done.returncode == 0, done.stderr
    assert "mine: a notebook of mine" in done.stdout and "| reproduced |" in done.stdout
    assert len(read_results(own_experiment.parents[2] / "runs/reproduce/mine/results.csv")) == 2
    latex = python("-m", "seq2seq", "reproduce", "--config-dir", "own", "mine", "--latex")
    assert latex.returncode == 0 and "toprule" in latex.stdout
    assert "seed=1 is complete" in latex.stderr


def test_each_run_of_ones_own_experiment_gets_the_directory(own_experiment, monkeypatch, capsys):
    started = []

    def train_several(jobs, multirun):
        started.append((jobs, multirun.flags))
        return 0

    monkeypatch.setattr("seq2seq.cli.experiment_runs.train_several", train_several)
    assert cli.main(["reproduce", "--config-dir", "own", "mine", "--seeds", "1"]) == 1  # missing
    [([job], flags)] = started
    assert flags == ["--config-dir=own"]
    assert job.config["model"]["encoder"]["units"] == 4 and job.config["seed"] == 1


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("[model.encoder.units=4]", "['--allow=evil.py']", "'--allow=evil.py' is refused"),
        ("[model.encoder.units=4]", "[run_dir=elsewhere]", "'run_dir=elsewhere' is refused"),
        ("training:\n", "overwrite: true\ntraining:\n", "it sets overwrite"),
        (
            "training:\n",
            "hydra: {job: {chdir: true}}\ntraining:\n",
            "it sets hydra",
        ),
        ("reproduction:", "others:", "reproduction is missing|others"),
    ],
)
def test_a_file_of_a_stranger_chooses_settings_alone(own_experiment, capsys, old, new, message):
    own_experiment.write_text(MINE.replace(old, new))
    assert cli.main(["reproduce", "--config-dir", "own", "mine"]) == 2
    err = capsys.readouterr().err
    assert re.search(message, err) and err.count("\n") == 1
    assert not (own_experiment.parents[2] / "runs").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nothing"], "unknown run or experiment 'nothing'"),
        (["scan_lenght"], "did you mean 'scan_length'"),
        (["scan_length", "--rows", "bathced"], "did you mean 'batched'"),
        (["scan_length", "--seeds", "0,7"], "unknown seed '7'; there are: 0, 1, 2, 3, 4"),
        (["runs/nowhere"], "no such run: runs/nowhere"),
        (["mine", "--config-dir", "nowhere"], "--config-dir nowhere: no such directory"),
        (["./runs/nowhere", "--config-dir", "."], "are for experiments"),
        (["./runs/nowhere", "--seeds", "1"], "are for experiments"),
        (["./runs/nowhere", "training=quick"], "are for experiments"),
    ],
)
def test_bad_requests_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["reproduce", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
