"""The training loop: the order of updates, validation and callbacks, and its end."""

from itertools import islice

import keras
import numpy as np
import pytest

from seq2seq.config import build_model, build_optimizer, build_task, compose
from seq2seq.inference.decoding_options import Decoding
from seq2seq.runs.compare import read_history
from seq2seq.runs.directory import RunDirectory
from seq2seq.training.arguments import Training
from seq2seq.training.loop import TrainingCounters
from seq2seq.training.trainer import Trainer, make_batches
from tests.training.test_trainer import TINY


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch, eagerly):
    monkeypatch.chdir(tmp_path)


class Recorder(keras.callbacks.Callback):
    """Records the names of events, and the logs at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.events, self.logs = [], []

    def on_train_begin(self, logs=None):
        self.events.append("train")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(f"epoch {epoch}")

    def on_train_batch_begin(self, batch, logs=None):
        self.events.append(f"batch {batch}")

    def on_train_batch_end(self, batch, logs=None):
        assert np.isfinite(logs["loss"])

    def on_epoch_end(self, epoch, logs=None):
        self.events.append("validated" if "val_exact_match" in logs else "not validated")
        self.logs.append(logs)

    def on_train_end(self, logs=None):
        self.events.append("end")


def fit(*callbacks, **arguments):
    config = compose([*TINY, "schedule=constant"])
    keras.utils.set_random_seed(0)
    task = build_task(config)
    model = build_model(config, task)
    arguments = {"steps": 5, "steps_per_epoch": 2, "batch_size": 8, **arguments}
    trainer = Trainer(
        task,
        model,
        build_optimizer(config),
        Training(**arguments),
        names=config["names"],
        decoding=Decoding(),
        seed=0,
    )
    directory = RunDirectory("run", "copy-lstm")
    return trainer.run(directory, callbacks), read_history(directory.path), model


def test_callbacks_are_called_as_fit_does_and_see_the_history():
    recorder = Recorder()
    _, history, model = fit(recorder)
    epochs = [["epoch 0", 2], ["epoch 1", 2], ["epoch 2", 1]]
    expected = [
        [name, *(f"batch {number}" for number in range(count)), "validated"]
        for name, count in epochs
    ]
    assert recorder.events == ["train", *sum(expected, []), "end"]
    assert recorder.model is model
    for logs, row in zip(recorder.logs, history, strict=True):
        assert logs["loss"] == pytest.approx(row["loss"], rel=1e-4)
        assert logs["val_token_accuracy"] == pytest.approx(row["val_token_accuracy"], rel=1e-4)


def test_a_callback_of_keras_stops_training_after_its_epoch():
    stop = keras.callbacks.EarlyStopping(
        "val_token_accuracy",
        mode="max",
        patience=0,
        baseline=2.0,  # never reached
    )
    result, history, _ = fit(stop, steps=20)
    assert stop.stopped_epoch == 1 and len(history) == 2
    assert result.summary["train"]["steps"] == 4


@pytest.mark.slow
def test_a_callback_may_change_the_learning_rate():
    rates = []

    class Rate(keras.callbacks.LearningRateScheduler):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            rates.append(round(float(self.model.optimizer.learning_rate), 6))

    fit(Rate(lambda epoch: 0.5**epoch))
    assert rates == [1.0, 0.5, 0.25]


def test_counters_count_examples_and_real_tokens():
    config = compose(TINY)
    task = build_task(config)
    batches = list(islice(make_batches(task, Training(batch_size=4), 0).iterate(0), 3))
    counters = TrainingCounters(3, 2)
    epoch_ends = []
    for _ in counters.feed(batches):
        counters.count()
        epoch_ends.append(counters.epoch_is_over)
    assert epoch_ends == [False, True, True] and counters.is_finished
    assert counters.examples == 12
    assert counters.target_tokens == sum(int(batch.target_mask.sum()) for batch in batches)
