"""A run directory that was damaged or edited: `report` and `evaluate` name the damage."""

import json

import numpy as np
import pytest

from seq2seq.runs.compare import Run, find_runs, group_runs, read_summary
from seq2seq.runs.existing import read_run
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.runs.tables import make_table
from tests.corruption import TEXT_DAMAGES, alter_values

CONFIG = """\
task: {_target_: seq2seq.data.Copy, symbols: 26, seed: 0}
model:
  encoder: {_target_: seq2seq.models.Encoder, units: 8}
  attention: null
training: {steps: 10, patience: null}
names: {task: copy, model: lstm}
seed: 0
"""
ROW = {"exact_match": 0.5, "token_accuracy": 0.75, "edit_distance": 1.0, "count": 2, "content": 1}
SUMMARY = {
    "task": "copy",
    "model": "lstm",
    "seed": 0,
    "parameters": 1234,
    "test": {**ROW, "by_length": {"1": ROW, "2": ROW}},
    "train": {"seconds": 1.5, "steps": 10, "stopped": "steps"},
}


@pytest.fixture
def runs(tmp_path):
    """Two runs that are alike."""
    for name in ("whole", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(CONFIG)
        (tmp_path / name / "summary.json").write_text(json.dumps(SUMMARY))
    return tmp_path / "whole", tmp_path / "other"


def rewrite(path, content):
    path.unlink()
    path.write_bytes(content)


def report(runs, read=read_run):
    """The table of `seq2seq report --lengths 1-2`, or its error."""
    try:
        groups = group_runs([read(path) for path in find_runs([runs[0].parent])])
        return make_table(groups, lengths=[(1, 2)])
    except ValueError as error:
        assert "\n" not in str(error)
        return error


def read_alike(path):
    """A run of a configuration that is the same for all, since to read YAML takes long."""
    return Run({"task": "copy"}, read_summary(path))


@pytest.mark.parametrize(
    "file, count, read, expected",
    [("summary.json", 900, read_alike, 848), ("config.yaml", 120, read_run, 98)],
)
def test_damaged_files_are_named_or_still_make_a_table(runs, file, count, read, expected):
    assert report(runs).count("\n") == 2  # both runs in one row
    path, rng = runs[1] / file, np.random.default_rng(0)
    content, refused = path.read_bytes(), 0
    for turn in range(count):
        rewrite(path, TEXT_DAMAGES[turn % len(TEXT_DAMAGES)](content, rng))
        if isinstance(error := report(runs, read), ValueError):
            assert file in str(error) or "length" in str(error)
            refused += 1
    assert refused == expected


def test_edited_summaries_are_named_or_still_make_a_table(runs):
    path, rng, refused = runs[1] / "summary.json", np.random.default_rng(0), 0
    for _ in range(900):
        rewrite(path, json.dumps(alter_values(SUMMARY, rng)).encode())
        if isinstance(error := report(runs, read_alike), ValueError):
            refused += "summary.json" in str(error)
    assert refused == 676


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\xff", "is not JSON"),
        ("[]", "lacks test or train"),
        ('{"test": {}, "train": {}}', "test lacks by_length"),
        (json.dumps({**SUMMARY, "parameters": 10**400}), "parameters is no number|not JSON"),
        (json.dumps({**SUMMARY, "parameters": True}), "parameters is no number"),
        (json.dumps({**SUMMARY, "train": {"seconds": 1}}), "train lacks stopped"),
        (json.dumps({**SUMMARY, "test": {**ROW, "by_length": {"x": ROW}}}), "holds 'x', which is"),
        (json.dumps({**SUMMARY, "test": {**ROW, "by_length": {"1": []}}}), "holds '1', which is"),
        (
            json.dumps({**SUMMARY, "test": {"by_length": {"1": {**ROW, "exact_match": "all"}}}}),
            "exact_match of length 1 is no number",
        ),
    ],
)
def test_what_is_wrong_in_a_summary_is_named(runs, content, message):
    (runs[0] / "summary.json").write_text(content, "latin-1")
    with pytest.raises(ValueError, match=f"summary.json is damaged: .*({message})"):
        read_summary(runs[0])


def test_missing_files_are_named(runs):
    (runs[0] / "config.yaml").unlink()
    with pytest.raises(ValueError, match="config.yaml can't be read: .*No such file"):
        read_run(runs[0])
    (runs[1] / "summary.json").unlink()
    with pytest.raises(ValueError, match="summary.json can't be read: No such file"):
        read_summary(runs[1])


def test_a_configuration_is_read_as_it_was_written(runs):
    assert read_config(runs[0] / "config.yaml")["training"] == {"steps": 10, "patience": None}


def test_directories_with_odd_names_are_ordered(runs):
    for name in ("a²", "a10", "a9", "a①"):
        runs[0].with_name(name).mkdir()
        (runs[0].with_name(name) / "summary.json").write_text(json.dumps(SUMMARY))
    names = [path.name for path in find_runs([runs[0].parent])]
    assert names == ["a9", "a10", "a²", "a①", "other", "whole"]
