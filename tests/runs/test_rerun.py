"""A run and its rerun: what differs, and how much."""

import json
import shutil

import numpy as np
import pytest

from seq2seq.inference.loading import load
from seq2seq.runs.rerun import (
    DIFFERENT,
    EQUAL,
    IDENTICAL,
    compare_runs,
    render,
    verdict,
)


@pytest.fixture
def pair(trained, tmp_path):
    """Two copies of a run."""
    # Without a manifest, so that they can be edited.
    without = shutil.ignore_patterns("manifest.json")
    return [shutil.copytree(trained, tmp_path / name, ignore=without) for name in ("run", "again")]


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def verdicts(rows):
    return {row.name: row.verdict for row in rows if row.verdict != IDENTICAL}


def test_a_copy_is_identical(pair):
    rows = compare_runs(*pair, 0.0)
    assert verdicts(rows) == {} and verdict(rows) == IDENTICAL
    assert {"test exact_match", "test by_length", "weights", "predictions"} <= {
        r.name for r in rows
    }
    assert "epochs' seconds" not in {row.name for row in rows}
    assert render(*pair, rows).endswith(f"{pair[1]} beside {pair[0]}: identical")


def test_a_metric_is_judged_by_the_tolerance(pair):
    edit(pair[0] / "summary.json", lambda content: content["test"].update(edit_distance=2.0))
    edit(pair[1] / "summary.json", lambda content: content["test"].update(edit_distance=2.015))
    assert verdict(compare_runs(*pair, 0.01)) == EQUAL
    assert verdict(compare_runs(*pair, 0.001)) == DIFFERENT


def test_other_weights_are_reported_and_are_no_result(pair):
    predictor = load(pair[1])
    weight = predictor.model.weights[0]
    weight.assign(np.array(weight) + 0.5)
    predictor.save(pair[1] / "model.npz")
    rows = compare_runs(*pair, 0.0)
    assert verdicts(rows) == {"weights": "different by up to 0.5"} and verdict(rows) == EQUAL


def test_histories_show_where_runs_diverge(pair):
    path = pair[1] / "history.csv"
    head, row = path.read_text().splitlines()[:2]
    path.write_text("\n".join([head, row.replace("1,40,", "1,40,9"), row]) + "\n")
    assert verdicts(compare_runs(*pair, 0.0)) == {
        "epochs": DIFFERENT,
        "epochs' loss": f"{DIFFERENT}, from epoch 1 on",
    }


def test_predictions_are_compared_line_by_line(pair):
    path = pair[1] / "predictions.tsv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "x" + lines[1], *lines[2:-1]]) + "\n")
    assert verdicts(compare_runs(*pair, 0.0)) == {"predictions": "different in 2"}


def test_environments_and_resumptions_are_reported(pair):
    start = {"step": 7, "config": {"training.steps": [5, 40]}, "environment": {}}
    edit(pair[1] / "environment.json", lambda content: content.update(cpus=999, resumed=[start]))
    text = render(pair[1], pair[0], compare_runs(*pair, 0.0))
    assert "environment: cpus (999, now" in text
    assert "resumed after step 7 with another training.steps (5, now 40)" in text


def test_damaged_files_are_named(pair):
    (pair[1] / "history.csv").write_text("epoch,loss\n1,x\n")
    with pytest.raises(ValueError, match="history.csv is damaged"):
        compare_runs(*pair, 0.0)
