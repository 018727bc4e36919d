"""Overrides of a resumed run are judged by the run's own configuration."""

import pytest
import yaml

from seq2seq.cli import main as cli
from seq2seq.cli.resumption import check_overrides
from seq2seq.cli.train import to_hydra_arguments
from seq2seq.config import compose


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "model=lstm,seed=0"
    path.mkdir()
    config = compose(["task=pairs", "task.train=a.tsv", "model=lstm", "training.epochs=3"])
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    return path


def test_changed_overrides_are_kept_and_unchanged_ones_dropped(run):
    overrides = ["training.epochs=9", "task.train='a.tsv'", "task=pairs", "seed=0", "--cfg", "job"]
    assert check_overrides(run, overrides) == ["training.epochs=9", "--cfg", "job"]


@pytest.mark.parametrize(
    "override, message",
    [
        ("task.train=b.tsv", "another task.train ('a.tsv' in the run, now 'b.tsv')"),
        ("task=reverse", "another task ('pairs' in the run, now 'reverse')"),
        ("model.encoder.units=9", "another model.encoder.units (128 in the run, now 9)"),
        ("task.trian=b.tsv", "unknown key 'task.trian' of {run}; did you mean 'task.train'?"),
        ("task.symbols=5", "unknown key 'task.symbols' of {run}; task has columns, comment,"),
    ],
)
def test_other_keys_are_named_as_the_run_has_them(run, override, message, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert cli.train([str(run), "--resume", override]) == 2
    error = capsys.readouterr().err
    assert message.format(run=run) in error and error.count("\n") == 1


def test_the_directory_is_given_to_hydra_in_quotes(run):
    arguments = to_hydra_arguments([str(run), "--resume", "training.steps=5"])
    assert arguments == ["training.steps=5", f"run_dir='{run}'", "resume=true"]
