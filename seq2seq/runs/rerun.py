"""A run beside another that should be the same: identical, equal within tolerance, or different."""

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
# Columns of `history.csv` that say nothing here: the epoch itself, and times.
NOT_COMPARED = ("epoch", "seconds", "target_tokens_per_second")


class Row(NamedTuple):
    """One thing that was compared.

    Attributes:
        name: what.
        before, now: it, as text.
        verdict: one of `VERDICTS`.
        is_result: whether it is what the run came to; if not, it says where runs part.
    """

    name: str
    before: str
    now: str
    verdict: str
    is_result: bool


def compare_runs(before: Path, now: Path, tolerance: float) -> list[Row]:
    """All that two run directories can be compared by.

    Args:
        before, now: finished runs of one configuration.
        tolerance: how far apart equal numbers may be: up to 1 in themselves, beyond it as a share.

    Raises:
        ValueError: a file of theirs can't be read.
    """
    runs = (before, now)
    return [
        *_compare_results(*(read_summary(run) for run in runs), tolerance),
        *_compare_histories(*(read_history(run) for run in runs), tolerance),
        _compare_predictions(*(read_checked(run / PREDICTIONS).decode("utf-8") for run in runs)),
        _compare_weights(*(read_artifact(run / "model.npz")[1] for run in runs)),
    ]


def verdict(rows: list[Row]) -> str:
    """Identical if everything is; if not, as the results are that differ most."""
    if all(row.verdict == IDENTICAL for row in rows):
        return IDENTICAL
    return _worst([EQUAL, *(row.verdict for row in rows if row.is_result)])


def judge(before: object, now: object, tolerance: float) -> str:
    """The verdict on two values.

    >>> judge(0.5, 0.5, 0.01), judge(0.5, 0.505, 0.01), judge(0.5, 0.52, 0.01)
    ('identical', 'equal within tolerance', 'different')
    """
    if before == now:
        return IDENTICAL
    if not all(isinstance(value, int | float) for value in (before, now)):
        return DIFFERENT
    if all(math.isnan(value) for value in (before, now)):
        return IDENTICAL
    return EQUAL if abs(before - now) <= tolerance * max(1.0, abs(before)) else DIFFERENT


def _worst(verdicts: list[str]) -> str:
    return max(verdicts, key=VERDICTS.index)


def _show(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)


def _compare_results(before: dict, now: dict, tolerance: float) -> Iterator[Row]:
    for name in before["test"] | now["test"]:
        old, new = (one["test"].get(name) for one in (before, now))
        if isinstance(old, dict) and isinstance(new, dict):
            flat = [dict(flatten(one)) for one in (old, new)]
            keys = flat[0].keys() | flat[1].keys()
            pairs = ([one.get(key) for one in flat] for key in keys)
            found = _worst([IDENTICAL, *(judge(*pair, tolerance) for pair in pairs)])
            yield Row(f"test {name}", f"{len(old)} rows", f"{len(new)} rows", found, False)
        else:
            yield Row(f"test {name}", _show(old), _show(new), judge(old, new, tolerance), True)
    for name in ("steps", "stopped"):
        old, new = (one["train"][name] for one in (before, now))
        yield Row(f"train {name}", _show(old), _show(new), judge(old, new, 0.0), True)


def _compare_histories(before: list[dict], now: list[dict], tolerance: float) -> Iterator[Row]:
    yield Row("epochs", str(len(before)), str(len(now)), judge(len(before), len(now), 0.0), False)
    pairs = list(zip(before, now, strict=False))
    for name in pairs[0][0] if pairs else ():
        if name in NOT_COMPARED:
            continue
        found = [judge(old[name], new.get(name), tolerance) for old, new in pairs]
        first = next((n for n, one in enumerate(found, 1) if one != IDENTICAL), None)
        said = "" if first is None else f", from epoch {first} on"
        values = (_show(row.get(name)) for row in pairs[-1])
        yield Row(f"epochs' {name}", *values, _worst(found) + said, False)


def _compare_predictions(before: str, now: str) -> Row:
    old, new = before.splitlines(), now.splitlines()
    wrong = sum(a != b for a, b in zip(old, new, strict=False)) + abs(len(old) - len(new))
    found = f"{DIFFERENT} in {wrong:,}" if wrong else IDENTICAL
    return Row("predictions", f"{len(old) - 1:,} lines", f"{len(new) - 1:,} lines", found, False)


def _compare_weights(before: dict[str, np.ndarray], now: dict[str, np.ndarray]) -> Row:
    shapes = [{name: one.shape for name, one in arrays.items()} for arrays in (before, now)]
    counts = [f"{sum(one.size for one in arrays.values()):,}" for arrays in (before, now)]
    if shapes[0] != shapes[1]:
        return Row("weights", *counts, f"{DIFFERENT} in their shapes", False)
    if all(np.array_equal(one, now[name], equal_nan=True) for name, one in before.items()):
        return Row("weights", *counts, IDENTICAL, False)
    most = max(float(np.abs(one - now[name]).max(initial=0)) for name, one in before.items())
    return Row("weights", *counts, f"{DIFFERENT} by up to {most:.2g}", False)


def render(before: Path, now: Path, rows: list[Row]) -> str:
    """A table of `rows`, the verdict, and what sets the environments apart."""
    parts = [format_table(["", "before", "now", "verdict"], [row[:4] for row in rows]), ""]
    environments = [read_environment(run) for run in (before, now)]
    for start in environments[0].get("resumed", []):
        if start["config"] or start["environment"]:
            what = {**start["config"], **start["environment"]}
            parts.append(
                f"note: the run was resumed after step {start['step']:,} with another {_list(what)}"
            )
    apart = environment_changes(*environments)
    parts.append(f"environment: {_list(apart) if apart else 'the same'}")
    parts.append(f"{now} beside {before}: {verdict(rows)}")
    return "\n".join(parts)


def _list(found: dict[str, list]) -> str:
    return "; ".join(f"{key} ({old!r}, now {new!r})" for key, (old, new) in found.items())
