"""Comparison of a run with its repetition: identical, equal within tolerance, or different."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.runs.compare import flatten, format_table, read_history, read_summary
from seq2seq.runs.environment import environment_changes, read_environment
from seq2seq.runs.files import PREDICTIONS
from seq2seq.runtime.file_format import read_artifact
from seq2seq.runtime.manifest import read_checked

VERDICTS = IDENTICAL, EQUAL, DIFFERENT = "identical", "equal within tolerance", "different"
# Columns of `history.csv` that are not compared: the epoch itself, and times.
NOT_COMPARED = ("epoch", "seconds", "target_tokens_per_second")


class Row(NamedTuple):
    """A comparison of one value of two runs.

    Attributes:
        name: name of the value.
        original, rerun: the values, as text.
        verdict: one of `VERDICTS`.
        is_result: whether it is a result of the run; if not, it shows where two runs differ.
    """

    name: str
    original: str
    rerun: str
    verdict: str
    is_result: bool


def compare_runs(old_path: Path, new_path: Path, tolerance: float) -> list[Row]:
    """Compare all values of two run directories.

    Args:
        old_path, new_path: finished runs of one configuration.
        tolerance: largest difference of equal numbers: absolute up to 1, relative beyond.

    Raises:
        ValueError: a file of theirs can't be read.
    """
    runs = (old_path, new_path)
    return [
        *_compare_results(*(read_summary(run) for run in runs), tolerance),
        *_compare_histories(*(read_history(run) for run in runs), tolerance),
        _compare_predictions(*(read_checked(run / PREDICTIONS).decode("utf-8") for run in runs)),
        _compare_weights(*(read_artifact(run / "model.npz")[1] for run in runs)),
    ]


def verdict(rows: list[Row]) -> str:
    """Identical if everything is; else the worst verdict on a result."""
    if all(row.verdict == IDENTICAL for row in rows):
        return IDENTICAL
    return _worst([EQUAL, *(row.verdict for row in rows if row.is_result)])


def judge(old: object, new: object, tolerance: float) -> str:
    """The verdict on two values.

    >>> judge(0.5, 0.5, 0.01), judge(0.5, 0.505, 0.01), judge(0.5, 0.52, 0.01)
    ('identical', 'equal within tolerance', 'different')
    """
    if old == new:
        return IDENTICAL
    if not all(isinstance(value, int | float) for value in (old, new)):
        return DIFFERENT
    if all(math.isnan(value) for value in (old, new)):
        return IDENTICAL
    return EQUAL if abs(old - new) <= tolerance * max(1.0, abs(old)) else DIFFERENT


def _worst(verdicts: list[str]) -> str:
    return max(verdicts, key=VERDICTS.index)


def _show(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)


def _compare_results(original: dict, rerun: dict, tolerance: float) -> Iterator[Row]:
    for name in original["test"] | rerun["test"]:
        old, new = (side["test"].get(name) for side in (original, rerun))
        if isinstance(old, dict) and isinstance(new, dict):
            flat = [dict(flatten(side)) for side in (old, new)]
            keys = flat[0].keys() | flat[1].keys()
            pairs = ([side.get(key) for side in flat] for key in keys)
            verdict = _worst([IDENTICAL, *(judge(*pair, tolerance) for pair in pairs)])
            yield Row(f"test {name}", f"{len(old)} rows", f"{len(new)} rows", verdict, False)
        else:
            yield Row(f"test {name}", _show(old), _show(new), judge(old, new, tolerance), True)
    for name in ("steps", "stopped"):
        old, new = (side["train"][name] for side in (original, rerun))
        yield Row(f"train {name}", _show(old), _show(new), judge(old, new, 0.0), True)


def _compare_histories(
    old_rows: list[dict], new_rows: list[dict], tolerance: float
) -> Iterator[Row]:
    yield Row(
        "epochs",
        str(len(old_rows)),
        str(len(new_rows)),
        judge(len(old_rows), len(new_rows), 0.0),
        False,
    )
    pairs = list(zip(old_rows, new_rows, strict=False))
    for name in pairs[0][0] if pairs else ():
        if name in NOT_COMPARED:
            continue
        verdicts = [judge(old[name], new.get(name), tolerance) for old, new in pairs]
        first = next((n for n, verdict in enumerate(verdicts, 1) if verdict != IDENTICAL), None)
        remark = "" if first is None else f", from epoch {first} on"
        values = (_show(row.get(name)) for row in pairs[-1])
        yield Row(f"epochs' {name}", *values, _worst(verdicts) + remark, False)


def _compare_predictions(old_text: str, new_text: str) -> Row:
    old, new = old_text.splitlines(), new_text.splitlines()
    wrong = sum(a != b for a, b in zip(old, new, strict=False)) + abs(len(old) - len(new))
    verdict = f"{DIFFERENT} in {wrong:,}" if wrong else IDENTICAL
    return Row("predictions", f"{len(old) - 1:,} lines", f"{len(new) - 1:,} lines", verdict, False)


def _compare_weights(old_arrays: dict[str, np.ndarray], new_arrays: dict[str, np.ndarray]) -> Row:
    shapes = [
        {name: array.shape for name, array in arrays.items()} for arrays in (old_arrays, new_arrays)
    ]
    counts = [
        f"{sum(array.size for array in arrays.values()):,}" for arrays in (old_arrays, new_arrays)
    ]
    if shapes[0] != shapes[1]:
        return Row("weights", *counts, f"{DIFFERENT} in their shapes", False)
    if all(
        np.array_equal(array, new_arrays[name], equal_nan=True)
        for name, array in old_arrays.items()
    ):
        return Row("weights", *counts, IDENTICAL, False)
    largest = max(
        float(np.abs(array - new_arrays[name]).max(initial=0)) for name, array in old_arrays.items()
    )
    return Row("weights", *counts, f"{DIFFERENT} by up to {largest:.2g}", False)


def render(old_path: Path, new_path: Path, rows: list[Row]) -> str:
    """Table of `rows`, the verdict, and the differences of the environments."""
    parts = [format_table(["", "before", "now", "verdict"], [row[:4] for row in rows]), ""]
    environments = [read_environment(run) for run in (old_path, new_path)]
    for start in environments[0].get("resumed", []):
        if start["config"] or start["environment"]:
            values = {**start["config"], **start["environment"]}
            step = f"{start['step']:,}"
            parts.append(
                f"note: the run was resumed after step {step} with another {_list(values)}"
            )
    differences = environment_changes(*environments)
    parts.append(f"environment: {_list(differences) if differences else 'the same'}")
    parts.append(f"{new_path} beside {old_path}: {verdict(rows)}")
    return "\n".join(parts)


def _list(differences: dict[str, list]) -> str:
    return "; ".join(f"{key} ({old!r}, now {new!r})" for key, (old, new) in differences.items())
