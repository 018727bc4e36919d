"""The verb `reproduce`."""

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


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nothing"], "unknown run or experiment 'nothing'"),
        (["scan_lenght"], "did you mean 'scan_length'"),
        (["scan_length", "--rows", "bathced"], "did you mean 'batched'"),
        (["scan_length", "--seeds", "0,7"], "unknown seed '7'; there are: 0, 1, 2, 3, 4"),
        (["runs/nowhere"], "no such run: runs/nowhere"),
        (["./runs/nowhere", "--seeds", "1"], "are for experiments"),
        (["./runs/nowhere", "training=quick"], "are for experiments"),
    ],
)
def test_bad_requests_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["reproduce", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
