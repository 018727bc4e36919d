"""Values of charts of runs: exact match by length, and validation by update, over seeds."""

from collections.abc import Sequence

from seq2seq.evaluation.statistics import SeedStatistics
from seq2seq.runs.compare import Group, Run, read_history
from seq2seq.runs.monitor import MONITORED
from seq2seq.runs.tables import match_at

MAX_LENGTHS = 30  # more of them are put together


def by_length(
    group: Group, ranges: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], SeedStatistics]:
    """Exact match of a group at each range of lengths that some of its runs were tested on.

    Args:
        group: its runs that count.
        ranges: lengths of targets, first and last.
    """
    statistics = {}
    for low, high in ranges:
        tests = [run.summary["test"] for run in group.runs]
        values = [
            match_at(t, low, high) for t in tests if any(low <= n <= high for n in lengths(t))
        ]
        if values:
            statistics[low, high] = SeedStatistics(values)
    return statistics


def lengths(test: dict) -> list[int]:
    """The lengths of targets of which a test has the exact match."""
    return [int(length) for length, row in test["by_length"].items() if "exact_match" in row]


def choose_ranges(groups: Sequence[Group]) -> list[tuple[int, int]]:
    """All tested lengths, or if there are many, ranges with equal numbers of lengths."""
    runs = [run for group in groups for run in group.runs]
    all_lengths = sorted({length for run in runs for length in lengths(run.summary["test"])})
    if len(all_lengths) <= MAX_LENGTHS:
        return [(length, length) for length in all_lengths]
    size = -(-(all_lengths[-1] - all_lengths[0] + 1) // MAX_LENGTHS)
    starts = range(all_lengths[0], all_lengths[-1] + 1, size)
    return [(start, start + size - 1) for start in starts]


def by_step(group: Group, metric: str) -> dict[float, SeedStatistics]:
    """Validation metric of a group at each update at which all of its runs were evaluated.

    Args:
        group: its runs that count.
        metric: a name as in `summary.json`, or a column of `history.csv` as it is, such as `loss`.
    """
    curves = [read_curve(run, metric) for run in group.runs]
    shared = (
        [step for step in curves[0] if all(step in curve for curve in curves)] if curves else []
    )
    return {step: SeedStatistics([curve[step] for curve in curves]) for step in shared}


def read_curve(run: Run, metric: str) -> dict[float, float]:
    """A metric by the number of updates; empty if it is not in the history."""
    rows, name = read_history(run.path), f"val_{metric}"
    column = name if rows and name in rows[0] else metric
    return {row["step"]: row[column] for row in rows if column in row}


def choose_metric(groups: Sequence[Group], metric: str | None = None) -> str | None:
    """The metric of learning curves: `metric`, or the one that all runs monitor.

    None: no such metric is in the histories of all runs.

    Raises:
        ValueError: no history has `metric`.
    """
    runs = [run for group in groups for run in group.runs]
    histories = [read_history(run.path)[:1] for run in runs]
    columns = [set(rows[0]) if rows else set() for rows in histories]
    if metric is None:
        return next((n for n in MONITORED if all(f"val_{n}" in names for names in columns)), None)
    if not any({metric, f"val_{metric}"} & names for names in columns):
        have = sorted({name.removeprefix("val_") for names in columns for name in names})
        raise ValueError(f"no history has {metric!r}; there are: {', '.join(have) or 'none'}")
    return metric
