"""The catalogue is what the files hold, as Hydra reads them."""

import pytest

from seq2seq.config import compose_experiment
from seq2seq.runs.catalogue import RESULTS, describe, describe_experiment, list_entries, list_groups
from seq2seq.runs.experiment import Result, write_results
from seq2seq.runtime.paths import CONFIGS, EXPERIMENTS


def test_every_group_is_listed_tasks_models_and_experiments_first():
    groups = list_groups()
    assert groups[:3] == ["task", "model", "experiment"]
    assert {*groups} == {path.name for path in CONFIGS.glob("*/")}
    assert len(groups) == len({*groups})


@pytest.mark.parametrize("group", list_groups())
def test_every_choice_has_one_sentence(group):
    entries = list_entries(group)
    assert [entry.name for entry in entries] == sorted(
        path.stem for path in (CONFIGS / group).glob("*.yaml")
    )
    for entry in entries:
        assert entry.description and "\n" not in entry.description, entry.name
        assert len(entry.description) < 200 and "@package" not in entry.description


def test_a_description_is_the_first_sentence_of_the_comment_at_the_top(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "# @package _global_\n# python train.py x=a\n# As in Cho et al. 2014, e.g.\n"
        "# a unit. There: 9.\ndefaults:\n# not this\n"
    )
    assert describe(path) == "As in Cho et al. 2014, e.g. a unit."
    path.write_text("a: 1\n# not this\n")
    assert describe(path) == ""


@pytest.mark.parametrize("name", EXPERIMENTS[::8])
def test_an_experiment_is_that_of_its_composition(name):
    experiment = compose_experiment(name)
    entry = describe_experiment(CONFIGS / f"experiment/{name}.yaml")
    assert entry.description == experiment.source and entry.rows == len(experiment.rows)
    assert entry.planned == len(experiment.rows) * len(experiment.seeds) == entry.rows * entry.seeds


def test_results_count_where_they_belong_to_a_planned_run(tmp_path):
    path = CONFIGS / "experiment/length_generalisation.yaml"
    assert describe_experiment(path, tmp_path / "none").existing is None
    assert describe_experiment(path, tmp_path)[-2:] == (0, None)
    row = next(iter(compose_experiment(path.stem).rows)).name
    results = [
        Result(row, 0, "finished", {"exact_match": 1.0}, 10, 90.0),
        Result(row, 1, "nan", {}, 10, 30.0),
        Result(row, 2, "missing", {}),
        Result(row, 99, "finished", {"exact_match": 1.0}, 10, 60.0),
        Result("another", 0, "finished", {"exact_match": 1.0}, 10, 60.0),
    ]
    (tmp_path / f"{path.stem}.csv").write_text(write_results(results))
    assert describe_experiment(path, tmp_path)[-2:] == (2, 2.0)


@pytest.mark.skipif(not RESULTS.is_dir(), reason="no checkout")
def test_the_results_of_this_checkout_are_read():
    entries = list_entries("experiment")
    assert any(entry.existing and entry.minutes > 0 for entry in entries)
    assert all(entry.existing <= entry.planned for entry in entries)
