"""Tables of runs: means over seeds, what failed, and every run as it is."""

import csv
import io

import numpy as np
import pytest

from seq2seq.runs.compare import Run, group_runs
from seq2seq.runs.tables import WIDTH, make_csv, make_table, match_at, parse_lengths
from tests.runs.fake_runs import config, lengths, summary


def cells(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def read(runs, **options):
    """The table of some runs, as its heads and its rows."""
    heads, _, *rows = cells(make_table(group_runs(runs), **options))
    return heads, rows


def test_a_row_is_a_configuration_over_its_seeds():
    runs = [Run(config(seed, units=units), summary(match)) for seed, units, match in [
        (0, 8, 0.5), (1, 8, 0.6), (0, 16, 0.25), (2, 8, 0.7),
    ]]  # fmt: skip
    heads, rows = read(runs)
    assert heads == [
        *("model.decoder.units", "runs", "parameters", "exact match %"),
        *("95 % interval", "min to max", "seconds"),
    ]
    values = [50, 60, 70]
    reach = 4.303 * np.std(values, ddof=1) / np.sqrt(3)
    interval = f"{60 - reach:.2f} to {60 + reach:.2f}"
    assert rows == [
        ["8", "3", "1,234", f"60.00 ± {np.std(values, ddof=1):.2f}", interval]
        + ["50.00 to 70.00", "2"],
        ["16", "1", "1,234", "25.00", "-", "-", "2"],
    ]


def test_single_runs_have_no_column_for_an_interval():
    heads, rows = read([Run(config(0), summary(0.5))])
    assert heads == ["runs", "parameters", "exact match %", "seconds"]
    assert rows == [["1", "1,234", "50.00", "2"]]


def test_runs_that_failed_are_counted_and_in_no_mean():
    ends = [summary(0.5), None, summary(0.0, stopped="nan"), summary(0.7)]
    runs = [Run(config(seed), end) for seed, end in enumerate(ends)]
    runs += [Run(config(0, units=16), summary(0.1)), Run(config(0, units=32), None)]
    heads, rows = read(runs)
    assert heads[1:3] == ["runs", "failed"]
    assert [row[1:3] for row in rows] == [["2", "2 of 4"], ["1", "0 of 1"], ["0", "1 of 1"]]
    assert rows[0][4].startswith("60.00 ±") and rows[2][3:] == ["-"] * 5
    assert "failed" not in read(runs[:1])[0]


def test_metrics_can_be_chosen():
    runs = [Run(config(n), summary(0.5, bleu=50 + n, new_metric=0.25, mine=n)) for n in range(2)]
    assert [head for head in read(runs)[0] if head in ("BLEU", "new metric")] == ["BLEU"]
    heads, rows = read(runs, metrics=["new_metric"])
    assert heads[2] == "new metric" and rows[0][2] == "0.2500 ± 0.0000"
    runs.append(Run(config(2), summary(0.5)))
    assert "BLEU" not in read(runs)[0]  # not all have it
    with pytest.raises(ValueError, match="metric 'bleu'; all have: exact_match, count$"):
        read(runs, metrics=["exact_match", "bleu"])


def validated(end, **metrics):
    return {**end, "validation": {"epoch": 2, "step": 20, **metrics}}


def test_validation_stands_beside_the_test():
    ends = [validated(summary(0.5), exact_match=n / 4, token_accuracy=1.0) for n in (1, 2)]
    runs = [Run(config(seed), end) for seed, end in enumerate(ends)]
    heads, rows = read(runs)
    assert heads[2:5] == ["val exact match %", "exact match %", "95 % interval"]
    assert rows[0][2:4] == ["37.50 ± 17.68", "50.00 ± 0.00"]
    heads, rows = read(runs, metrics=["val_token_accuracy"])
    assert heads == ["runs", "parameters", "val token accuracy %", "seconds"]
    assert "val exact match %" not in read([*runs, Run(config(2), summary(0.5))])[0]
    (row, _) = csv.DictReader(io.StringIO(make_csv(group_runs(runs))))
    assert [*row][2:6] == ["exact_match", "count", "val_exact_match", "val_token_accuracy"]
    assert (row["exact_match"], row["val_exact_match"]) == ("0.5", "0.25")


def test_the_validation_metric_that_selected_the_weights_is_shown():
    end = validated(summary(0.5, bleu=50), exact_match=0.25, bleu=40)
    heads, rows = read([Run(config(0), end)])
    assert heads[2:] == ["val BLEU", "exact match %", "BLEU", "seconds"] and rows[0][2] == "40.00"


def test_a_wide_table_does_without_the_extremes():
    runs = [Run(config(seed), summary(0.5, bleu=seed)) for seed in range(2)]
    assert "min to max" in read(runs, metrics=["exact_match"])[0]
    narrow = make_table(group_runs(runs), ["exact_match", "bleu"])
    assert len(narrow.splitlines()[0]) <= WIDTH
    assert "min to max" not in narrow and narrow.count("95 % interval") == 2


def test_exact_match_by_length_is_weighted_by_count():
    by_length = {"1": {"exact_match": 1.0, "count": 1}, "2": {"exact_match": 0.5, "count": 3}}
    assert match_at(summary(0, by_length)["test"], 1, 2) == pytest.approx(0.625)
    heads, rows = read([Run(config(0), summary(0.6, by_length))], lengths=[(1, 2), (2, 2)])
    assert heads[-3:-1] == ["length 1-2 %", "length 2 %"]
    assert rows[0][-3:-1] == ["62.50", "50.00"]
    with pytest.raises(ValueError, match="no test example has a length of 3 to 4"):
        match_at(summary(0, by_length)["test"], 3, 4)


def test_real_values_are_compared_by_their_errors():
    test = {"mae": 0.123456, "rmse": 0.2, "count": 3, "by_length": {}}
    heads, rows = read([Run(config(0), {**summary(0), "test": test})])
    assert heads[2:4] == ["MAE", "RMSE"] and rows[0][2] == "0.1235"


@pytest.mark.parametrize("text", ["", "a", "5-3", "1-2-3", "1,,2"])
def test_bad_ranges_are_refused(text):
    with pytest.raises(ValueError, match="lengths must be like"):
        parse_lengths(text)


def test_every_run_is_in_the_csv_as_it_is(tmp_path):
    runs = [
        Run(config(0), summary(1 / 3, lengths(0.1, 0.7), extra=1e-7), tmp_path / "a,b"),
        Run(config(1), summary(0.1, lengths(0.1, 0.3), stopped="nan"), tmp_path / "nan"),
        Run(config(2), None, tmp_path / "begun"),
        Run(config(0, units=16), summary(0.5, lengths(1, 1)), tmp_path / "c"),
    ]
    rows = list(csv.DictReader(io.StringIO(make_csv(group_runs(runs), [(1, 2)]))))
    assert list(rows[0]) == [
        *("run", "model.decoder.units", "seed", "exact_match", "count", "extra"),
        *("exact_match 1-2", "parameters", "seconds", "steps", "stopped"),
    ]
    assert [row["run"] for row in rows] == [str(run.path) for run in runs]
    assert [row["seed"] for row in rows] == ["0", "1", "2", "0"]
    first, nan, begun, last = rows
    assert float(first["exact_match"]) == 1 / 3 and float(first["extra"]) == 1e-7
    assert float(first["exact_match 1-2"]) == pytest.approx(0.4)
    assert first["steps"] == "30" and first["stopped"] == "finished" and last["extra"] == ""
    assert nan["exact_match"] == nan["exact_match 1-2"] == "" and nan["stopped"] == "nan"
    assert begun["exact_match"] == begun["steps"] == "" and begun["stopped"] == "unfinished"
