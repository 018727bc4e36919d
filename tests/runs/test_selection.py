"""Selection by validation: never by the test, in the metric's direction, over seeds."""

from pathlib import Path

import pytest

from seq2seq.runs.compare import Run, group_runs
from seq2seq.runs.selection import describe_selection, select
from tests.runs.fake_runs import config, summary


def run(seed, units, validation, test, name="exact_match"):
    end = summary(test, **{name: test})
    end["validation"] = {"epoch": 3, "step": 30, name: validation}
    return Run(config(seed, units=units), end, Path(f"runs/{units}-{seed}"))


def test_the_best_by_validation_is_not_the_best_by_the_test():
    runs = [run(0, 8, 0.9, 0.5), run(1, 8, 0.7, 0.6), run(0, 16, 0.7, 0.9), run(1, 16, 0.6, 0.9)]
    selection = select(group_runs(runs), "val_exact_match")
    assert selection.group.name == "units 8" and selection.best_run is runs[0]
    assert selection.validation.values == [0.9, 0.7] and selection.test.values == [0.5, 0.6]
    assert describe_selection(selection).splitlines() == [
        "best by val_exact_match, the mean of 2 seeds: units 8",
        "- validation exact match 80.00 ± 14.14 %",
        "- test exact match 55.00 ± 7.07 % (95 % interval -8.53 to 118.53 %)",
        "- its best run by validation: runs/8-0",
    ]


def test_the_smallest_error_is_best():
    runs = [run(0, 8, 0.2, 0.3, "mae"), run(0, 16, 0.1, 0.4, "mae")]
    selection = select(group_runs(runs), "val_mae")
    assert selection.group.name == "units 16"
    assert describe_selection(selection).splitlines() == [
        "best by val_mae, one run: units 16",
        "- validation MAE 0.1000",
        "- test MAE 0.4000",
    ]


def test_equal_ones_are_named():
    runs = [run(0, units, 0.5, units / 100) for units in (8, 16, 32)]
    selection = select(group_runs(runs), "val_exact_match")
    assert selection.group.name == "units 8"
    assert describe_selection(selection).endswith(
        "- as good by validation: units 16\n- as good by validation: units 32"
    )


def test_runs_that_do_not_count_select_nothing():
    failed = run(0, 8, 1.0, 1.0)
    failed.summary["train"]["stopped"] = "nan"
    selection = select(group_runs([failed, run(0, 16, 0.5, 0.5)]), "val_exact_match")
    assert selection.group.name == "units 16" and selection.equals == []


@pytest.mark.parametrize(
    "name, message",
    [
        ("exact_match", "would select by the test.*: --select val_exact_match"),
        (
            "val_bleu",
            "not all runs have the metric 'val_bleu'; all have: exact_match, count, mine, val",
        ),
        ("val_mine", "a large or a small 'mine' is best"),
    ],
)
def test_impossible_selections_are_refused(name, message):
    candidate = run(0, 8, 0.5, 0.5)
    candidate.summary["test"]["mine"] = candidate.summary["validation"]["mine"] = 1
    with pytest.raises(ValueError, match=message):
        select(group_runs([candidate]), name)
