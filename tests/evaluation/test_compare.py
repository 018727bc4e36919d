"""Runs side by side: what sets them apart, means over seeds, lengths."""

import json

import pytest

from seq2seq.evaluation.compare import Run, compare, differences, find_runs, match_at, parse_lengths


def config(seed, attention="none", model="lstm", units=8):
    attention = {"_target_": f"seq2seq.layers.{attention}", "before": attention == "Additive"}
    return {
        "seed": seed,
        "run_dir": f"runs/{seed}-{units}",
        "task": {"_target_": "seq2seq.data.Copy", "seed": seed},
        "attention": attention,
        "model": {"decoder": {"attention": attention, "units": units}},
        "names": {"task": "copy", "model": model},
    }


def summary(match, by_length=None):
    test = {"exact_match": match, "count": 10, "by_length": by_length or {}}
    return {"parameters": 1234, "test": test, "train": {"seconds": 2.0}}


def cells(table):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_a_row_is_a_configuration_over_its_seeds():
    runs = [Run(config(seed, units=units), summary(match)) for seed, units, match in [
        (0, 8, 0.5), (1, 8, 1.0), (0, 16, 0.25),
    ]]  # fmt: skip
    heads, _, *rows = cells(compare(runs))
    assert heads == ["model.decoder.units", "runs", "parameters", "exact match", "seconds"]
    assert rows == [
        ["8", "2", "1,234", "75.00% (50.00%-100.00%)", "2"],
        ["16", "1", "1,234", "25.00%", "2"],
    ]


@pytest.mark.parametrize(
    "configs, keys, labels",
    [
        ([config(0), config(1)], [], [(), ()]),
        ([config(0, "Dot"), config(0, "Zero")], ["attention"], [("Dot",), ("Zero",)]),
        ([config(0, "Dot"), config(0, "Additive")], ["attention"], [("Dot",), ("Additive",)]),
        ([config(0, "Dot", "luong"), config(0)], ["model"], [("luong",), ("lstm",)]),
    ],
)
def test_of_keys_that_change_together_one_is_named(configs, keys, labels):
    assert differences(configs) == (keys, labels)


def test_keys_that_change_by_themselves_are_all_named():
    configs = [config(0, a, units=u) for a in ("Dot", "Zero", "Additive") for u in (8, 16)]
    keys, labels = differences(configs)
    assert keys == ["attention", "model.decoder.units"] and len(set(labels)) == 6


def test_values_are_shown_as_they_are():
    configs = [{"a": 1, "b": [1, 2]}, {"a": True, "b": None}, {"a": 0.0, "b": False}]
    keys, labels = differences(configs)
    assert keys == ["a"] and labels == [("1",), ("true",), ("0.0",)]


def test_exact_match_by_length_is_weighted_by_count():
    by_length = {"1": {"exact_match": 1.0, "count": 1}, "2": {"exact_match": 0.5, "count": 3}}
    assert match_at(summary(0, by_length)["test"], 1, 2) == pytest.approx(0.625)
    table = compare([Run(config(0), summary(0.6, by_length))], [(1, 2), (2, 2)])
    assert cells(table)[0][-3:-1] == ["length 1-2", "length 2"]
    assert cells(table)[2][-3:-1] == ["62.50%", "50.00%"]
    with pytest.raises(ValueError, match="no test example has a length of 3 to 4"):
        match_at(summary(0, by_length)["test"], 3, 4)


def test_real_values_are_compared_by_their_errors():
    test = {"mae": 0.123456, "rmse": 0.2, "count": 3, "by_length": {}}
    runs = [Run(config(0), {**summary(0), "test": test})]
    assert cells(compare(runs))[0][2:4] == ["MAE", "RMSE"]
    assert cells(compare(runs))[2][2] == "0.1235"


@pytest.mark.parametrize("text", ["", "a", "5-3", "1-2-3", "1,,2"])
def test_bad_ranges_are_refused(text):
    with pytest.raises(ValueError, match="lengths must be like"):
        parse_lengths(text)


def test_runs_are_found_in_order_of_their_numbers(tmp_path):
    for name in ("a/10", "a/2", "a/2/previous", "b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "summary.json").write_text(json.dumps({}))
    found = find_runs([tmp_path / "a", tmp_path / "a", tmp_path / "b"])
    assert found == [tmp_path / "a/2", tmp_path / "a/10", tmp_path / "b"]
    for place, message in [("c", "no such directory"), ("a/2/previous/x", "no such directory")]:
        with pytest.raises(ValueError, match=message):
            find_runs([tmp_path / place])
    (tmp_path / "empty").mkdir()
    (tmp_path / "latest").symlink_to(tmp_path / "b")
    assert find_runs([tmp_path / "latest"]) == [tmp_path / "latest"]
    with pytest.raises(ValueError, match="holds no finished run"):
        find_runs([tmp_path / "empty"])
