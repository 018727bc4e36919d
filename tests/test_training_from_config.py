"""Training from a configuration: weights by the seed, callbacks, errors come early."""

import numpy as np
import pytest

import seq2seq
from seq2seq.config import build_task, compose
from seq2seq.training_from_config import train_from_config
from tests.training.tiny_run import TINY

SMALL = [*TINY, "model=lstm", "model.encoder.units=8", "training.steps_per_epoch=2", "run_dir=run"]


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch, eagerly):
    monkeypatch.chdir(tmp_path)


def test_the_seed_of_a_run_draws_its_first_weights(monkeypatch):
    class Started(Exception):
        pass

    def start(task, model, *parts, seed, **options):
        raise Started(seed, np.concatenate([np.ravel(weight) for weight in model.weights]))

    def draw(seed):
        config = compose(["task=copy", "model.encoder.units=4", f"seed={seed}"])
        with pytest.raises(Started) as started:
            train_from_config(config, build_task(config))
        assert started.value.args[0] == seed
        return started.value.args[1]

    monkeypatch.setattr("seq2seq.training.trainer.Trainer", start)
    weights = [draw(seed) for seed in (3, 3, 4)]
    assert (weights[0] == weights[1]).all() and (weights[0] != weights[2]).any()


def test_callbacks_of_a_configuration_are_called():
    stop = "{_target_: keras.callbacks.EarlyStopping, monitor: loss, mode: max, patience: 0}"
    run = seq2seq.train(*SMALL, "training.steps=8", f"callbacks=[{stop}]", progress=False)
    rows = (run.path / "history.csv").read_text().splitlines()[1:]
    assert len(rows) == 2  # the loss falls, and so it is not the largest


@pytest.mark.parametrize(
    "callbacks, message",
    [
        ("keras.callbacks.EarlyStopping", "callbacks must be a list, as"),
        ("[keras.callbacks.EarlyStopping]", "callbacks must be a list, as"),
        ("[{_target_: keras.callbacks.CSVLogger, filename: x}]", "CSVLogger' is refused"),
        ("[{_target_: seq2seq.data.Copy}]", "a callback must be a keras.callbacks.Callback, got"),
        ("[{_target_: keras.callbacks.EarlyStopping, wait: 1}]", "no key 'wait' in EarlyStopping"),
    ],
)
def test_what_is_no_callback_is_an_error_before_anything_is_written(callbacks, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        seq2seq.train(*SMALL, f"callbacks={callbacks}", progress=False)
    assert not (tmp_path / "runs").exists()
