"""Settings that a run may be resumed with, and when it is complete."""

import json

import pytest
from omegaconf import OmegaConf

from seq2seq.config import compose
from seq2seq.runs.existing import find_begun, is_complete, read_finished_config, resume
from tests.conftest import slow_except

BEGUN = ["task=copy", "task.symbols=4", "model=luong", "training.steps=50"]


@pytest.fixture
def run(tmp_path):
    """A run directory with its configuration alone."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.yaml").write_text(OmegaConf.to_yaml(compose([*BEGUN, f"run_dir={path}"])))
    return path


def resumed(run, *overrides):
    overrides = [*overrides, f"run_dir={run}", "resume=true"]
    return resume(compose(overrides), overrides)


def end(run, stopped):
    test = {"exact_match": 0.5, "count": 2, "by_length": {}}
    train = {"steps": 50, "seconds": 1.0}
    summary = {"test": test, "train": {**train, "stopped": stopped}, "parameters": 7}
    (run / "summary.json").write_text(json.dumps(summary))


@pytest.mark.parametrize("overrides", [[], BEGUN, ["training.steps=50"]])
def test_a_resumed_run_keeps_its_configuration(run, overrides):
    config, resumption = resumed(run, *overrides)
    assert config == compose([*BEGUN, f"run_dir={run}"])
    assert resumption.path == run and resumption.changes == {} and not resumption.complete


@pytest.mark.parametrize("overrides", [[], BEGUN])
def test_length_and_logging_of_a_resumed_run_may_change(run, overrides):
    changed = ["training.steps=80", "training.patience=3", "tracker=tensorboard"]
    config, resumption = resumed(
        run, *[override for override in overrides if "steps" not in override], *changed
    )
    assert config == compose([*BEGUN[:3], f"run_dir={run}", *changed])
    assert resumption.changes == {
        "training.steps": [50, 80],
        "training.patience": [None, 3],
        "tracker._target_": [None, "seq2seq.training.trackers.TensorBoard"],
    }


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["task.symbols=5"], r"task.symbols \(4 in the run, now 5\)|names.task \('copy' in"),
        ([*BEGUN[:3], "model.encoder.units=3"], r"model.encoder.units \(128 in the run, now 3\)"),
        ([*BEGUN, "seed=1"], r"another seed \(0 in the run, now 1\).*; without these keys"),
        (["task=copy", "task.symbols=4"], r"attention._target_"),
    ],
)
def test_other_settings_of_a_resumed_run_may_not_change(run, overrides, message):
    with pytest.raises(ValueError, match=message):
        resumed(run, *overrides)


def test_a_missing_run_is_started(tmp_path):
    config, resumption = resumed(tmp_path / "nowhere", "task=sort")
    assert resumption is None and config["names"]["task"] == "sort"


def test_a_run_must_be_named():
    with pytest.raises(ValueError, match="resume=true needs the run .*run_dir=PATH"):
        resume(compose(["resume=true"]), ["resume=true"])


@pytest.mark.parametrize(
    "content", slow_except(["", "seed: 0"], ["", "a: [", "seed: 0", "[1]", "task: 5"])
)
def test_a_damaged_configuration_is_named(run, content):
    (run / "config.yaml").write_text(content)
    with pytest.raises(ValueError, match="config.yaml"):
        resumed(run)


@pytest.mark.parametrize("stopped", slow_except(["finished"], ["finished", "early", "nan"]))
def test_a_run_that_ended_by_itself_is_complete(run, stopped):
    assert not is_complete(run)
    end(run, stopped)
    assert is_complete(run) and resumed(run)[1].complete
    assert not resumed(run, "training.steps=51")[1].complete
    assert read_finished_config(run, compose([]))["training"]["steps"] == 50


def test_a_run_that_was_interrupted_is_not(run, tmp_path):
    end(run, "interrupted")
    assert not is_complete(run)
    with pytest.raises(ValueError, match="has not ended.*seq2seq train .* --resume"):
        read_finished_config(run, {})
    with pytest.raises(ValueError, match="no such run"):
        read_finished_config(tmp_path / "nowhere", {})


def test_a_run_that_was_begun_is_known_by_its_configuration(tmp_path):
    config = compose([*BEGUN, f"run_dir={tmp_path}/elsewhere"])
    assert find_begun(config, None) is find_begun(config, tmp_path) is None
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(compose([*BEGUN, "run_dir=x"])))
    assert find_begun(config, tmp_path) == (tmp_path, {})
    with pytest.raises(ValueError, match="holds a run of another configuration: seed"):
        find_begun(compose([*BEGUN, "seed=7"]), tmp_path)
