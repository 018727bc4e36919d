"""Validation of a run: the epoch whose weights are kept, and the metric that picks it."""

import pytest

from seq2seq.data.task import Task
from seq2seq.runs.monitor import (
    DIRECTIONS,
    MONITORED,
    find_best_row,
    find_direction,
    find_monitor,
    summarize_validation,
)


def rows(*values, metric="exact_match"):
    return [
        {"epoch": n, "step": 10 * n, "loss": 1.0, f"val_{metric}": value}
        for n, value in enumerate(values, 1)
    ]


@pytest.mark.parametrize(
    "values, direction, epoch",
    [((0.1, 0.9, 0.9, 0.5), "max", 3), ((3, 1, 2), "min", 2), ((0, 0, 0), "max", 3)],
)
def test_the_best_epoch_is_the_last_of_equal_ones(values, direction, epoch):
    assert find_best_row(rows(*values), ("exact_match", direction))["epoch"] == epoch


def test_a_summary_has_the_metrics_of_the_best_epoch():
    history = rows(0.2, 0.6, 0.4)
    for n, row in enumerate(history):
        row["val_edit_distance"] = float(n)
    by_match = summarize_validation(history)
    assert by_match == {"epoch": 2, "step": 20, "exact_match": 0.6, "edit_distance": 1.0}
    by_edits = summarize_validation(history, ("edit_distance", "min"))
    assert by_edits["epoch"] == 1


def test_without_validation_there_is_no_summary():
    assert summarize_validation([]) is None
    assert summarize_validation([{"epoch": 1, "step": 10, "loss": 1.0}]) is None
    plain = [{"epoch": 1, "step": 10, "loss": 1.0}]
    assert summarize_validation(plain, ("exact_match", "max")) is None


def test_the_monitored_metric_is_found_in_the_columns():
    assert find_monitor(["val_exact_match", "val_bleu"]) == ("bleu", "max")
    assert find_monitor(["val_exact_match", "val_word_error_rate"]) == ("word_error_rate", "min")
    assert find_monitor(["val_rmse", "val_mae"]) == ("mae", "min")
    assert find_monitor(["loss"]) is None
    assert Task.monitor == find_monitor(["val_exact_match"])


def test_directions_are_known_of_all_that_is_monitored():
    assert set(MONITORED) <= set(DIRECTIONS)
    assert find_direction("mae") == "min"
    with pytest.raises(ValueError, match="a large or a small 'mine' is best; known are: exact"):
        find_direction("mine")
