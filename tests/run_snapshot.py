"""All that a run leaves behind, times apart, so that two runs can be compared."""

import csv
import json
from pathlib import Path

from seq2seq.runs.checkpoints import Checkpoints

TIMES = {
    *("seconds", "target_tokens_per_second"),  # in the history
    *("checkpoint_seconds", "train_seconds", "epoch"),  # in summary and checkpoints
}


def without_times(node):
    if isinstance(node, list):
        return [without_times(item) for item in node]
    if isinstance(node, dict):
        keys = [key for key, value in node.items() if not (key in TIMES and type(value) is float)]
        return {key: without_times(node[key]) for key in keys}
    return node


def everything(path):
    """Bytes of model and predictions; history, summary; step, states and arrays of the newest
    checkpoint."""
    path = Path(path)
    with open(path / "history.csv") as file:
        history = [
            {key: value for key, value in row.items() if key not in TIMES - {"epoch"}}
            for row in csv.DictReader(file)
        ]
    newest = Checkpoints(path / "checkpoints").newest()
    return {
        "model": (path / "model.npz").read_bytes(),
        "predictions": (path / "predictions.tsv").read_bytes(),
        "history": history,
        "summary": without_times(json.loads((path / "summary.json").read_text())),
        "step": newest.step,
        "states": without_times(newest.states),
        "arrays": {n: (str(a.dtype), a.shape, a.tobytes()) for n, a in newest.arrays.items()},
    }


def check_same(actual, expected):
    """Fail at the first part in which two runs differ."""
    for name in expected:
        assert actual[name] == expected[name], name
