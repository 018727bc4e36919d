"""Diagnosis of histories: patience, why a training ended, what its curves show."""

import pytest

from seq2seq.data.pairs import Pairs
from seq2seq.data.task import Task
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.vocabulary import Vocabulary
from seq2seq.training.diagnosis import (
    Plan,
    count_stalled_epochs,
    diagnose,
    explain_end,
    list_notes,
    list_remarks,
)

EXACT, ERRORS, MAE = ("exact_match", "max"), ("word_error_rate", "min"), ("mae", "min")
PLAN = Plan(200, 10, longer="training.epochs=40", remedies=("attention=general",))
# A plain LSTM on 3,600 French words and their pronunciations: exact match, tokens, loss.
FRENCH = (
    [0, 0, 0.016, 0.062, 0.144, 0.213, 0.244, 0.307, 0.36, 0.378, 0.402, 0.409, 0.429, 0.442]
    + [0.429, 0.458, 0.456, 0.456, 0.458, 0.453],
    [0.102, 0.201, 0.295, 0.406, 0.491, 0.556, 0.59, 0.613, 0.655, 0.67, 0.673, 0.678, 0.702]
    + [0.709, 0.706, 0.73, 0.719, 0.722, 0.725, 0.722],
    [2.95, 2.179, 1.727, 1.334, 1.022, 0.741, 0.547, 0.407, 0.303, 0.234, 0.168, 0.122, 0.09]
    + [0.065, 0.047, 0.036, 0.029, 0.024, 0.021, 0.02],
)
# The default run: reversed words, learned.
REVERSED = (
    [0.004, 0.336, 0.576, 0.684, 0.724, 0.782, 0.822, 0.852, 0.926, 0.938, 0.886, 0.968]
    + [0.97, 0.964, 0.99, 0.992, 0.99, 0.992, 0.998, 0.998, 0.998, 0.998, 1.0, 1.0],
    [0.125, 0.512, 0.719, 0.808, 0.853, 0.89, 0.923, 0.932, 0.97, 0.974, 0.953, 0.989]
    + [0.989, 0.987, 0.997, 0.997, 0.997, 0.997, 0.999, 0.999, 1.0, 1.0, 1.0, 1.0],
    [2.634, 1.266, 0.419, 0.225, 0.174, 0.1, 0.091, 0.073, 0.045, 0.041, 0.034, 0.023]
    + [0.018, 0.016, 0.014, 0.008, 0.006, 0.005, 0.004, 0.004, 0.003, 0.002, 0.002, 0.002],
)


def rows(values, tokens=None, losses=None, metric="exact_match"):
    losses = losses or [3 / n for n in range(1, len(values) + 1)]
    history = [
        {"epoch": n, "step": 10 * n, "loss": loss, f"val_{metric}": value}
        for n, (value, loss) in enumerate(zip(values, losses, strict=True), 1)
    ]
    for row, accuracy in zip(history, tokens or [], strict=bool(tokens)):
        row["val_token_accuracy"] = accuracy
    return history


@pytest.mark.parametrize(
    "values, monitor, stalled",
    [
        ([0, 0, 0, 0], EXACT, 0),  # it has not moved
        ([1, 1, 1], ERRORS, 0),
        ([0, 0, 0.1], EXACT, 0),
        ([0, 0, 0.1, 0.1, 0.05], EXACT, 2),
        ([0.3, 0.3, 0.2], EXACT, 1),  # moving downwards is moving
        ([0.5, 0.6, 0.4, 0.3], EXACT, 2),
        ([1.0, 1.0, 1.0], EXACT, 2),  # already the best value
        ([0.0, 0.0], ERRORS, 1),
        ([1, 0.9, 0.95, 0.9], ERRORS, 2),
        ([2.5, 2.6, 2.4, 2.4], MAE, 1),
        ([], EXACT, 0),
    ],
)
def test_epochs_without_progress_count_once_the_metric_has_moved(values, monitor, stalled):
    assert count_stalled_epochs(rows(values, metric=monitor[0]), monitor) == stalled


def test_without_validation_nothing_stalls():
    history = [{"epoch": n, "step": n, "loss": 1.0} for n in range(5)]
    assert count_stalled_epochs(history, EXACT) == 0
    assert diagnose(history, EXACT, PLAN) == ""


def test_the_end_is_explained():
    history = rows([0, 0.5, 0.4, 0.5])
    complete = Plan(40, 10)
    assert explain_end(history, EXACT, complete, 40) == (
        "training ended: all 40 updates are done (4 epochs)"
    )
    early = Plan(1200, 10, patience=2)
    assert explain_end(history, EXACT, early, 40) == (
        "training stopped early, after 40 of 1,200 updates: validation exact match has not improved"
        " for 2 epochs, since epoch 2 (training.patience=2; null: never stop early)"
    )


def test_a_model_that_overfits():
    assert diagnose(rows(*FRENCH), EXACT, PLAN) == (
        "overfits: the loss fell to 0.02 (about 98 % of the tokens right in training), in "
        "validation 72 % of the tokens are right and exact match stands at 0.453; try "
        "attention=general, or more examples"
    )
    # No example of an endless stream comes twice, so none is memorized.
    assert diagnose(rows(*FRENCH), EXACT, PLAN._replace(endless=True)) == ""


def test_a_model_that_still_improves():
    cut = rows(*(column[:10] for column in FRENCH))
    assert diagnose(cut, EXACT, PLAN) == (
        "still improving at the end: in the last quarter of the epochs validation exact match went "
        "from 0.307 to 0.378; train longer, for example training.epochs=40"
    )
    assert diagnose(cut, EXACT, PLAN, stopped_early=True) == ""


@pytest.mark.parametrize(
    "losses, message",
    [
        ([3.79, 3.0, 2.0, 0.33], "while the loss fell from 3.79 to 0.33; try more updates (train"),
        ([3.0, 3.1, 2.9, 2.95], "the loss went from 3 to 2.95 and validation exact match stood at"),
    ],
)
def test_a_model_that_never_moved(losses, message):
    result = diagnose(rows([0, 0, 0, 0], [0.1, 0.1, 0.2, 0.2], losses), EXACT, PLAN)
    assert result.startswith("never moved: ") and message in result
    assert "optimizer.learning_rate" in result or "attention=general" in result


def test_curves_without_a_remark():
    assert diagnose(rows(*REVERSED), EXACT, PLAN) == ""
    assert diagnose(rows([1.0] * 4, [1.0] * 4), EXACT, PLAN) == ""
    assert diagnose(rows([0.5]), EXACT, PLAN) == ""
    standstill = rows([0.1, 0.5, 0.8, 0.8], [0.5, 0.8, 0.9, 0.9], [2.0, 1.0, 0.2, 0.1])
    assert diagnose(standstill, EXACT, PLAN) == ""


def test_real_values_by_their_errors():
    worse = rows([3.0, 1.0, 1.2, 1.5, 1.6, 1.8, 1.9, 2.0], metric="mae")
    assert diagnose(worse, MAE, PLAN).startswith(
        "overfits: since epoch 2 validation mae rose from 1 to 2 while the loss fell to 0.375"
    )
    better = rows([3.0, 2.0, 1.5, 1.0], metric="mae")
    assert diagnose(better, MAE, PLAN).startswith("still improving")
    assert diagnose(rows([3.0, 1.0, 1.05, 1.02], metric="mae"), MAE, PLAN) == ""


def test_a_smoke_test_reports_only_why_it_ended():
    history = rows([0, 0, 0, 0], losses=[1.0] * 4)
    assert len(list_remarks(history, EXACT, PLAN, 200)) == 2
    (end,) = list_remarks(history, EXACT, PLAN._replace(smoke_test=True), 200)
    assert end.startswith("training ended")


def task(source, target, kind=Pairs):
    instance = kind.__new__(kind)
    instance.source, instance.target = source, target
    return instance


def test_few_updates_and_few_symbols_are_noted():
    letters, single = Vocabulary("abc"), Vocabulary("x")
    few = list_notes(task(letters, letters), Plan(40, 2))
    assert few == [
        "40 updates in all (2 an epoch): hardly a model learns from fewer than 200, which "
        "training.epochs=100 makes, or a smaller training.batch_size"
    ]
    assert list_notes(task(letters, letters), Plan(40, 2, chosen=True)) == []
    assert list_notes(task(letters, letters), Plan(200, 10)) == []
    (note,) = list_notes(task(letters, single), PLAN)
    assert note.startswith("all targets are made of one symbol, 'x': is that the right column")
    assert len(list_notes(task(single, single), PLAN)) == 2
    assert list_notes(task(single, single, Task), PLAN) == []
    assert list_notes(task(Numbers(1), Numbers(1)), PLAN) == []
