"""What charts of runs show: exact match by length, and validation by update, over seeds."""

from collections.abc import Sequence

from seq2seq.evaluation.seed_statistics import Spread
from seq2seq.runs.compare import Group, Run, read_history
from seq2seq.runs.monitor import MONITORED
from seq2seq.runs.tables import match_at

MOST_LENGTHS = 30  # more of them are put together


def by_length(group: Group, ranges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Spread]:
    """The exact match of a group's runs at each range of lengths that some of them were tested on.

    Args:
        group: its runs that count.
        ranges: lengths of targets, first and last.
    """
    found = {}
    for low, high in ranges:
        tests = [run.summary["test"] for run in group.runs]
        values = [
            match_at(t, low, high) for t in tests if any(low <= n <= high for n in lengths(t))
        ]
        if values:
            found[low, high] = Spread(values)
    return found


def lengths(test: dict) -> list[int]:
    """The lengths of targets of which a test has the exact match."""
    return [int(length) for length, row in test["by_length"].items() if "exact_match" in row]


def choose_ranges(groups: Sequence[Group]) -> list[tuple[int, int]]:
    """Every length that was tested by itself, or if there are many, ranges of equally many."""
    runs = [run for group in groups for run in group.runs]
    found = sorted({length for run in runs for length in lengths(run.summary["test"])})
    if len(found) <= MOST_LENGTHS:
        return [(length, length) for length in found]
    size = -(-(found[-1] - found[0] + 1) // MOST_LENGTHS)
    starts = range(found[0], found[-1] + 1, size)
    return [(start, start + size - 1) for start in starts]


def by_step(group: Group, metric: str) -> dict[float, Spread]:
    """A metric of validation at each number of updates after which all of a group's runs had it.

    Args:
        group: its runs that count.
        metric: a name as in `summary.json`, or a column of `history.csv` as it is, such as `loss`.
    """
    curves = [read_curve(run, metric) for run in group.runs]
    shared = [step for step in curves[0] if all(step in one for one in curves)] if curves else []
    return {step: Spread([curve[step] for curve in curves]) for step in shared}


def read_curve(run: Run, metric: str) -> dict[float, float]:
    """A metric by the number of updates; nothing if the history does not have it."""
    rows, name = read_history(run.path), f"val_{metric}"
    column = name if rows and name in rows[0] else metric
    return {row["step"]: row[column] for row in rows if column in row}


def choose_metric(groups: Sequence[Group], wanted: str | None = None) -> str | None:
    """The metric of learning curves: `wanted`, or the one that the tasks of all runs go by.

    None: no such metric is in the histories of all runs.

    Raises:
        ValueError: no history has `wanted`.
    """
    runs = [run for group in groups for run in group.runs]
    histories = [read_history(run.path)[:1] for run in runs]
    columns = [set(rows[0]) if rows else set() for rows in histories]
    if wanted is None:
        return next((n for n in MONITORED if all(f"val_{n}" in one for one in columns)), None)
    if not any({wanted, f"val_{wanted}"} & one for one in columns):
        have = sorted({name.removeprefix("val_") for one in columns for name in one})
        raise ValueError(f"no history has {wanted!r}; there are: {', '.join(have) or 'none'}")
    return wanted
