"""Training from Python: the run and the messages of the command line; the process as before."""

import itertools
import json
import random
import signal
import threading
from pathlib import Path

import hydra
import keras
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import seq2seq
from seq2seq.cli.main import main
from seq2seq.config import compose
from seq2seq.layers.backend import _is_deterministic
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.training_run import note_smoke_test
from tests.training.tiny_run import TINY

SHORT = [*TINY, "training.steps=4", "training.steps_per_epoch=2", "run_dir=run"]
WORDS = ["".join(word) for word in itertools.product("abc", repeat=3)]
SMALL = [*SHORT[-3:], "model=lstm", "model.encoder.units=8"]


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch, eagerly):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Recorder(keras.callbacks.Callback):
    def __init__(self, act=lambda epoch: None):
        super().__init__()
        self.logs, self.act = [], act

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(logs)
        self.act(epoch)


def summary():
    with open("run/summary.json", encoding="utf-8") as file:
        return json.load(file)


def test_it_returns_the_run_and_shows_what_the_command_line_shows(capsys):
    run = seq2seq.train(*SHORT)
    out, err = capsys.readouterr()
    assert isinstance(run, seq2seq.Predictor)
    assert run.predict(["abc"]) == seq2seq.load("run").predict(["abc"])
    assert out == ""
    for line in ("4 steps; run directory run", "epoch 2  step 4/4", "exact match", "saved to run"):
        assert line in err


@pytest.mark.slow
def test_progress_can_be_left_out(capfd):
    seq2seq.train(*SHORT, progress=False)
    assert capfd.readouterr() == ("", "")


def test_callbacks_see_the_metrics_and_may_stop(capsys):
    stop = keras.callbacks.EarlyStopping("val_exact_match", patience=0, mode="max")
    recorder = Recorder()
    seq2seq.train(*SHORT[:-1], "run_dir=run", "training.steps=40", callbacks=[recorder, stop])
    assert recorder.params == {"verbose": 0, "epochs": 20, "steps": 2}
    assert {"loss", "val_exact_match"} <= recorder.logs[0].keys()
    assert summary()["train"]["steps"] < 40


def test_process_wide_settings_are_the_callers_again(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/mine.yaml").write_text("a: 1\n")
    keras.config.set_dtype_policy("mixed_bfloat16")
    random.seed(5)
    np.random.seed(5)
    expected = random.Random(5).random(), np.random.RandomState(5).rand()
    try:
        with hydra.initialize_config_dir(str(tmp_path / "conf"), version_base="1.2"):
            seq2seq.train(*SHORT, progress=False)
            assert keras.config.dtype_policy().name == "mixed_bfloat16"
            assert hydra.compose("mine") == OmegaConf.create({"a": 1})
            assert hydra.version.getbase().base_version == "1.2"
        assert not GlobalHydra.instance().is_initialized()
    finally:
        keras.config.set_dtype_policy("float32")
    assert (random.random(), np.random.rand()) == expected
    assert not _is_deterministic()


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["task=revers"], "unknown task 'revers'; did you mean 'reverse'"),
        (["model.encoder.unit=3"], "unknown key 'model.encoder.unit'; did you mean"),
        (["task=pairs"], "task=pairs needs a file: task.train=my.tsv"),
        (["seed=1,2"], "several values for one key are several runs"),
        (["~bridge"], "~bridge: the program needs this key"),
        (["optimizer.learning_rate=-1"], "optimizer.learning_rate must be"),
        (["runs/latest"], "'runs/latest' is no KEY=VALUE"),
        (["-m", "seed=1"], "'-m' is no KEY=VALUE: flags and runs are for the command line"),
        (["hydra.run.dir=x"], "hydra.run.dir=x: Hydra's own settings"),
        ([3], "an override is a text KEY=VALUE, got 3"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(overrides, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        seq2seq.train(*overrides, progress=False)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_callback_must_be_one():
    for wrong, message in ((print, "callbacks must be a list"), ([print], "a callback must be")):
        with pytest.raises(ValueError, match=message):
            seq2seq.train(*SHORT, callbacks=wrong)


@pytest.mark.slow
def test_errors_of_a_callback_pass_unchanged():
    def fail(epoch):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        seq2seq.train(*SHORT, callbacks=[Recorder(fail)], progress=False)
    seq2seq.train(*SHORT, "resume=true", progress=False)  # the directory was released


def test_ctrl_c_keeps_the_best_model_and_the_run_can_be_resumed(caplog, capfd):
    interrupt = Recorder(lambda epoch: signal.raise_signal(signal.SIGINT))
    run = seq2seq.train(*SHORT, callbacks=[interrupt], progress=False)
    assert len(run.predict(["abc"])) == 1
    assert summary()["train"]["stopped"] == "interrupted"
    assert 'to resume: seq2seq.train("run_dir=run", "resume=true")' in caplog.text
    seq2seq.train("run_dir=run", "resume=true", progress=False)
    assert summary()["train"]["steps"] == 4 and summary()["train"]["stopped"] == "finished"
    seq2seq.train("run_dir=run", "resume=true", progress=False)
    assert "run is complete; there is nothing to do" in capfd.readouterr().err


@pytest.mark.slow
def test_a_keyboard_interrupt_in_a_thread_keeps_the_best_model(caplog):
    def interrupt(epoch):
        raise KeyboardInterrupt

    def train():
        runs.append(seq2seq.train(*SHORT, callbacks=[Recorder(interrupt)], progress=False))

    runs = []
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert len(runs[0].predict(["abc"])) == 1
    assert summary()["train"]["stopped"] == "interrupted" and "to resume" in caplog.text


def test_a_second_ctrl_c_ends_it_at_once():
    def interrupt_twice(epoch):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        seq2seq.train(*SHORT, callbacks=[Recorder(interrupt_twice)], progress=False)


def test_a_loss_that_is_not_finite_is_an_error_that_names_what_was_kept():
    def ruin(epoch):
        for weight in recorder.model.trainable_variables:
            weight.assign(np.nan * np.ones(weight.shape))

    recorder = Recorder(ruin)
    with pytest.raises(ValueError, match=r'step 3; .* were kept: seq2seq.load\("run"\)'):
        seq2seq.train(*SHORT, callbacks=[recorder], progress=False)
    assert len(seq2seq.load("run").predict(["abc"])) == 1


def test_a_smoke_test_is_noted():
    assert note_smoke_test(compose([])) == []
    assert "at most 10 updates" in note_smoke_test(compose(["training=quick"]))[0]


def pairs(**options):
    return seq2seq.Pairs(sources=WORDS, targets=[word[::-1] for word in WORDS], **options)


def test_it_trains_on_rows_in_memory_and_notes_them(capsys):
    run = seq2seq.train(*SMALL, task=pairs())
    assert run.settings["task"] == "pairs" and len(run.predict(["abc"])) == 1
    config = read_config(Path("run/config.yaml"))
    assert config["task"]["in_memory"] is True and config["names"]["task"] == "pairs"


@pytest.mark.slow
def test_a_run_of_rows_in_memory_is_resumed_with_them_alone(caplog, capsys):
    interrupt = Recorder(lambda epoch: signal.raise_signal(signal.SIGINT))
    seq2seq.train(*SMALL, task=pairs(), callbacks=[interrupt], progress=False)
    assert '"resume=true", task=TASK)' in caplog.text
    with pytest.raises(ValueError, match=r"made in Python .* seq2seq.train\(\.\.\., task=TASK\)"):
        seq2seq.train("run_dir=run", "resume=true", progress=False)
    with pytest.raises(ValueError, match="the examples are not those that the run in run began"):
        seq2seq.train("run_dir=run", "resume=true", task=pairs(seed=1), progress=False)
    seq2seq.train("run_dir=run", "resume=true", task=pairs(), progress=False)
    assert summary()["train"]["stopped"] == "finished"
    assert main(["reproduce", "./run"]) == 2
    err = capsys.readouterr().err
    assert "made in Python" in err and err.count("\n") == 1


@pytest.mark.slow
def test_a_task_object_of_a_file_is_as_the_command_line(tmp_path):
    (tmp_path / "my.tsv").write_text("".join(f"{word}\t{word[::-1]}\n" for word in WORDS))
    seq2seq.train(*SMALL, task=seq2seq.Pairs("my.tsv"), progress=False)
    assert read_config(Path("run/config.yaml")) == compose(
        ["task=pairs", "task.train=my.tsv", *SMALL]
    )


def test_a_task_object_excludes_overrides_of_the_task():
    for override in ("task=copy", "task.seed=3", "+task.seed=3"):
        with pytest.raises(ValueError, match=r"the task is an object; set it there"):
            seq2seq.train(override, task=pairs())
    with pytest.raises(ValueError, match="task must be a seq2seq.Task, got 'pairs'"):
        seq2seq.train(task="pairs")
