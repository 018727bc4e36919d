"""Runs side by side: what sets them apart, which belong together, and where they are."""

import json

import pytest

from seq2seq.runs.compare import Run, differences, find_runs, group_runs, read_history
from tests.runs.fake_runs import config, history, summary, write_run


@pytest.mark.parametrize(
    "configs, keys, labels",
    [
        ([config(0), config(1)], [], [(), ()]),
        ([config(0, "Dot"), config(0, "Zero")], ["attention"], [("Dot",), ("Zero",)]),
        ([config(0, "Dot"), config(0, "Additive")], ["attention"], [("Dot",), ("Additive",)]),
        ([config(0, "Dot", "luong"), config(0)], ["model"], [("luong",), ("lstm",)]),
    ],
)
def test_one_of_the_keys_that_change_together_is_named(configs, keys, labels):
    assert differences(configs) == (keys, labels)


def test_parts_that_change_together_are_all_named():
    parts = [("Dot", "Zero"), (None, "Dense")]
    configs = [
        {
            "attention": name and {"_target_": f"seq2seq.layers.{name}", "units": 1},
            "bridge": {"_target_": f"seq2seq.layers.{bridge}"},
            "model": {"encoder": {"units": 8 * len(bridge)}},
        }
        for name, bridge in parts
    ]
    assert differences(configs) == (["attention", "bridge"], [("Dot", "Zero"), ("none", "Dense")])


def test_keys_that_change_by_themselves_are_all_named():
    configs = [config(0, a, units=u) for a in ("Dot", "Zero", "Additive") for u in (8, 16)]
    keys, labels = differences(configs)
    assert keys == ["attention", "model.decoder.units"] and len(set(labels)) == 6


def test_values_are_shown_as_they_are():
    configs = [{"a": 1, "b": [1, 2]}, {"a": True, "b": None}, {"a": 0.0, "b": False}]
    keys, labels = differences(configs)
    assert keys == ["a"] and labels == [("1",), ("true",), ("0.0",)]


def test_seeds_of_one_configuration_are_a_group():
    runs = [
        Run(config(seed, units=units), summary(1.0)) for seed, units in [(0, 8), (0, 16), (1, 8)]
    ]
    eight, sixteen = group_runs(runs)
    assert eight.settings == {"model.decoder.units": "8"} and eight.name == "units 8"
    assert eight.runs == [runs[0], runs[2]] and sixteen.runs == [runs[1]]
    (alone,) = group_runs(runs[:1])
    assert alone.settings == {} and alone.name == "copy-lstm"


def test_keys_with_the_same_end_are_named_whole():
    configs = [
        {"encoder": {"units": a}, "decoder": {"units": b}} for a, b in [(1, 1), (1, 2), (2, 1)]
    ]
    groups = group_runs([Run(values, summary(1.0)) for values in configs])
    assert groups[1].name == "decoder.units 2, encoder.units 1"


def test_runs_that_did_not_end_by_themselves_do_not_count():
    ends = [None, *(summary(1.0, stopped=why) for why in ("nan", "interrupted", "early"))]
    (group,) = group_runs([Run(config(seed), end) for seed, end in enumerate(ends)])
    assert [run.config["seed"] for run in group.runs] == [3]
    assert [run.failure for run in group.failed] == [
        "not finished",
        "its loss was no number",
        "interrupted",
    ]


def test_runs_are_found_in_order_of_their_numbers(tmp_path):
    for name in ("a/10", "a/2", "a/2/previous", "b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "summary.json").write_text(json.dumps({}))
    paths = find_runs([tmp_path / "a", tmp_path / "a", tmp_path / "b"])
    assert paths == [tmp_path / "a/2", tmp_path / "a/10", tmp_path / "b"]
    for folder, message in [("c", "no such directory"), ("a/2/previous/x", "no such directory")]:
        with pytest.raises(ValueError, match=message):
            find_runs([tmp_path / folder])
    (tmp_path / "empty").mkdir()
    (tmp_path / "latest").symlink_to(tmp_path / "b")
    assert find_runs([tmp_path / "latest"]) == [tmp_path / "latest"]
    assert find_runs([tmp_path / "b", tmp_path / "latest"]) == [tmp_path / "b"]  # listed once
    with pytest.raises(ValueError, match="holds no finished run"):
        find_runs([tmp_path / "empty"])


def test_runs_that_have_begun_are_found_too(tmp_path):
    write_run(tmp_path / "a/1", config(0))
    write_run(tmp_path / "a/2", config(1), summary(1.0))
    assert find_runs([tmp_path], finished=False) == [tmp_path / "a/1", tmp_path / "a/2"]
    assert find_runs([tmp_path]) == [tmp_path / "a/2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no run .no config.yaml or summary.json."):
        find_runs([tmp_path / "empty"], finished=False)


def test_histories_are_read_as_numbers(tmp_path):
    write_run(tmp_path / "run", config(0), rows=history(0.5, 1.0))
    rows = read_history(tmp_path / "run")
    assert [row["step"] for row in rows] == [10, 20] and rows[1]["val_exact_match"] == 1.0
    assert read_history(tmp_path) == []
    for text in ("epoch,step\n1,x\n", "epoch,step\n1\n", "step\n1,2\n", "epoch\n1\n"):
        (tmp_path / "history.csv").write_text(text)
        with pytest.raises(ValueError, match="history.csv is damaged"):
            print(read_history(tmp_path))
