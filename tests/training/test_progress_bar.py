"""The progress of a training: its lines on standard error."""

from types import SimpleNamespace

import pytest

from seq2seq.runtime.verbosity import NORMAL, QUIET, set_verbosity
from seq2seq.training.progress_bar import ProgressBar

ROW = {"epoch": 2, "step": 50, "loss": 0.25, "val_exact_match": 0.5, "seconds": 10.0}
ROW |= {"target_tokens_per_second": 1234.5}


@pytest.fixture
def make_bar():
    bars = []

    def make(steps_done=0, **options):
        validation = SimpleNamespace(
            rows=[ROW],
            counters=SimpleNamespace(steps=steps_done),
            directory=SimpleNamespace(path="runs/a"),
            tokens_per_second=lambda: 10.0,
        )
        bar = ProgressBar(100, validation, **options)
        bar.set_model(SimpleNamespace(count_params=lambda: 4321))
        bars.append(bar)
        return bar

    yield make
    for bar in bars:
        bar.close()


def test_a_training_opens_with_its_size_and_its_notes(make_bar, capsys):
    make_bar(notes=["few [updates]"]).on_train_begin()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["4,321 parameters, 100 steps; run directory runs/a", "note: few [updates]"]


def test_a_quiet_training_prints_nothing(make_bar, capsys):
    set_verbosity(QUIET)
    try:
        bar = make_bar(notes=["few updates"])
    finally:
        set_verbosity(NORMAL)
    bar.on_train_begin()
    bar.on_epoch_end(1)
    assert capsys.readouterr().err == ""


def test_a_resumed_training_has_no_notes(make_bar, capsys):
    make_bar(steps_done=50, notes=["few updates"]).on_train_begin()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("4,321 parameters, 100 steps, resuming after step 50;")


def test_an_epoch_is_a_line_with_the_time_left(make_bar, capsys):
    bar = make_bar()
    bar.on_train_batch_end(0)
    bar.on_epoch_end(1)
    assert capsys.readouterr().err == (
        "epoch 2  step 50/100  loss 0.2500  exact match 0.5000  1,234 tokens/s  10 s  10 s left\n"
    )
