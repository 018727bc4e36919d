"""Runs as tables: a row for all seeds of one configuration, and a row for each run."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2seq.evaluation.statistics import SeedStatistics
from seq2seq.runs.compare import Group, Run, format_latex, format_table
from seq2seq.runs.monitor import MONITORED, PREFIX
from seq2seq.runtime.escaping import in_spreadsheet

WIDTH = 120  # characters; a table that would be wider does without the extremes
NOTHING = "-"


class Metric(NamedTuple):
    """Format of a metric of `summary.json`'s test or validation.

    Attributes:
        name: in words.
        digits: after the point.
        is_share: whether it is a share, which is shown in percent.
        by_itself: whether it is shown by default.
    """

    name: str
    digits: int = 4
    is_share: bool = False
    by_itself: bool = False

    @property
    def heading(self) -> str:
        """Heading of its column."""
        return f"{self.name} %" if self.is_share else self.name

    def show(self, value: float) -> str:
        """A value as text, without its percent sign."""
        return f"{100 * value if self.is_share else value:,.{self.digits}f}"

    def show_mean(self, statistics: SeedStatistics) -> str:
        """Mean, and of several runs ± the standard deviation."""
        std = statistics.std
        return self.show(statistics.mean) + ("" if std is None else f" ± {self.show(std)}")

    def show_interval(self, statistics: SeedStatistics) -> str:
        """Confidence interval; a dash of a single run."""
        interval = statistics.confidence_interval
        return NOTHING if interval is None else " to ".join(map(self.show, interval))

    def show_extremes(self, statistics: SeedStatistics) -> str:
        """Lowest and highest value of several runs."""
        ends = (statistics.min, statistics.max)
        return NOTHING if len(statistics.values) == 1 else " to ".join(map(self.show, ends))


METRICS = {
    "exact_match": Metric("exact match", 2, True, True),
    "oracle_exact_match": Metric("oracle exact match", 2, True, True),
    "word_error_rate": Metric("WER", 2, True, True),
    "phone_error_rate": Metric("PER", 2, True, True),
    "bleu": Metric("BLEU", 2, by_itself=True),
    "mae": Metric("MAE", by_itself=True),
    "rmse": Metric("RMSE", by_itself=True),
    "token_accuracy": Metric("token accuracy", 2, True),
    "per_sequence_accuracy": Metric("per-sequence accuracy", 2, True),
    "oracle_per_sequence_accuracy": Metric("oracle per-sequence accuracy", 2, True),
    "prefix_accuracy": Metric("prefix accuracy", 2, True),
    "count": Metric("count", 1),
    "content": Metric("content", 1),
    "too_short": Metric("too short", 1),
    "too_long": Metric("too long", 1),
}


def describe_metric(name: str) -> Metric:
    """Format of a metric; an unknown one is shown as a plain number."""
    if name.startswith(PREFIX):
        metric = describe_metric(name.removeprefix(PREFIX))
        return metric._replace(name=f"val {metric.name}")
    return METRICS.get(name, Metric(name.replace("_", " ")))


def read_metrics(summary: dict) -> dict[str, float]:
    """The metrics of a summary by name: those of the test, then of validation as `val_...`.

    Validation is that of the epoch whose weights were tested.
    """
    test = {name: value for name, value in summary["test"].items() if name != "by_length"}
    validation = summary.get("validation") or {}
    return test | {
        PREFIX + name: value for name, value in validation.items() if name not in ("epoch", "step")
    }


def list_metrics(runs: Sequence[Run]) -> list[str]:
    """The metrics that all runs have."""
    measured = [read_metrics(run.summary) for run in runs]
    first = measured[0] if measured else {}
    return [name for name in first if all(name in metrics for metrics in measured)]


def choose_metrics(groups: Sequence[Group], requested: Sequence[str] = ()) -> list[str]:
    """The metrics that a table shows: `requested`, or the default ones.

    Those are the validation metric that picked the weights, and the usual ones of the test.

    Raises:
        ValueError: one that some run does not have.
    """
    common = list_metrics([run for group in groups for run in group.runs])
    if unknown := [name for name in requested if name not in common]:
        have = ", ".join(common) if common else "none"
        raise ValueError(f"not all runs have the metric {unknown[0]!r}; all have: {have}")
    monitored = [PREFIX + name for name in MONITORED if PREFIX + name in common][:1]
    usual = [name for name in METRICS if METRICS[name].by_itself and name in common]
    return list(requested) or [*monitored, *usual]


def make_table(
    groups: Sequence[Group],
    metrics: Sequence[str] = (),
    lengths: Sequence[tuple[int, int]] = (),
    latex: bool = False,
) -> str:
    """Markdown or LaTeX table: differences of configurations, and their results over seeds.

    A result is the mean ± the standard deviation over seeds; of the test with the 95 % confidence
    interval of the mean and, where there is room, the least and the greatest. Runs that failed are
    counted.

    Args:
        groups: at least one.
        metrics: names; none: the default ones that all runs have.
        lengths: ranges of lengths of targets; of each, one column with the exact match there.
        latex: whether the table is LaTeX, see `format_latex`.

    Raises:
        ValueError: a metric that a run does not have, or lengths that its test lacks.
    """
    chosen = choose_metrics(groups, metrics)
    for extremes in (True, False):
        columns = _make_columns(groups, chosen, lengths, extremes)
        heads, *rows = zip(*columns, strict=True)
        table = format_table(heads, rows)
        if table.index("\n") <= WIDTH:
            break
    return format_latex(heads, rows) if latex else table


def _make_columns(
    groups: Sequence[Group],
    metrics: Sequence[str],
    lengths: Sequence[tuple[int, int]],
    extremes: bool,
) -> list[list[str]]:
    """Columns, each with its heading first."""
    summaries = [[run.summary for run in group.runs] for group in groups]
    columns = [[key, *(group.settings[key] for group in groups)] for key in groups[0].settings]
    columns.append(["runs", *(str(len(of_group)) for of_group in summaries)])
    if any(group.failed for group in groups):
        counts = [(len(group.failed), len(group.runs) + len(group.failed)) for group in groups]
        columns.append(["failed", *(f"{failed} of {count}" for failed, count in counts)])
    columns.append(
        _mean_column("parameters", [[s["parameters"] for s in of_group] for of_group in summaries])
    )
    several = any(len(of_group) > 1 for of_group in summaries)
    for name in metrics:
        values = [[read_metrics(summary)[name] for summary in of_group] for of_group in summaries]
        metric = describe_metric(name)
        columns.append(_column(metric.heading, values, metric.show_mean))
        if name.startswith(PREFIX):
            continue  # beside the test, to choose by; results are the test's
        if several:
            columns.append(_column("95 % interval", values, metric.show_interval))
        if several and extremes:
            columns.append(_column("min to max", values, metric.show_extremes))
    for bounds in lengths:
        values = [
            [match_at(summary["test"], *bounds) for summary in of_group] for of_group in summaries
        ]
        heading = f"length {name_range(*bounds)} %"
        columns.append(_column(heading, values, METRICS["exact_match"].show_mean))
    seconds = [[summary["train"]["seconds"] for summary in of_group] for of_group in summaries]
    columns.append(_mean_column("seconds", seconds))
    return columns


def _column(
    heading: str, values: Sequence[Sequence[float]], write: Callable[[SeedStatistics], str]
) -> list[str]:
    return [
        heading,
        *(
            write(SeedStatistics(group_values)) if group_values else NOTHING
            for group_values in values
        ),
    ]


def _mean_column(heading: str, values: Sequence[Sequence[float]]) -> list[str]:
    return _column(heading, values, lambda statistics: f"{statistics.mean:,.0f}")


def list_runs(
    groups: Sequence[Group], lengths: Sequence[tuple[int, int]] = ()
) -> tuple[list[str], list[dict]]:
    """A row for each run, with numbers as they are: the columns, and the rows.

    A run that failed has no results; its column `stopped` has the reason.

    Args:
        groups: at least one.
        lengths: as in `make_table`.
    """
    runs = [run for group in groups for run in group.runs]
    metrics = dict.fromkeys(name for run in runs for name in read_metrics(run.summary))
    metrics = sorted(metrics, key=lambda name: name.startswith(PREFIX))  # the test's come first
    by_length = {f"exact_match {name_range(*bounds)}": bounds for bounds in lengths}
    columns = ["run", *groups[0].settings, "seed", *metrics, *by_length]
    columns += ["parameters", "seconds", "steps", "stopped"]
    rows = []
    for group in groups:
        for run in (*group.runs, *group.failed):
            row = {"run": run.path, **group.settings, "seed": run.config.get("seed")}
            if not run.failure:
                test = run.summary["test"]
                row |= read_metrics(run.summary)
                row |= {name: match_at(test, *bounds) for name, bounds in by_length.items()}
            rows.append(row | _describe_training(run))
    return columns, rows


def _describe_training(run: Run) -> dict:
    if run.summary is None:
        return {"stopped": "unfinished"}
    train = {name: run.summary["train"][name] for name in ("seconds", "steps", "stopped")}
    return {"parameters": run.summary["parameters"], **train}


def make_csv(groups: Sequence[Group], lengths: Sequence[tuple[int, int]] = ()) -> str:
    """Write the runs of `list_runs` as CSV."""
    out = io.StringIO()
    columns, rows = list_runs(groups, lengths)
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: in_spreadsheet(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def match_at(test: dict, low: int, high: int, metric: str = "exact_match") -> float:
    """The exact match over all examples with targets of `low` to `high` tokens.

    Args:
        test: of `summary.json`.
        low, high: lengths, both included.
        metric: `exact_match`, or `oracle_exact_match`, with the lengths of the references.

    Raises:
        ValueError: there are none, or they have no such metric.
    """
    inside = [row for length, row in test["by_length"].items() if low <= int(length) <= high]
    if any(metric not in row for row in inside):
        raise ValueError(f"this test has no {metric.replace('_', ' ')} by length")
    count = sum(row["count"] for row in inside)
    if not count:
        raise ValueError(f"no test example has a length of {low} to {high}")
    return sum(row[metric] * row["count"] for row in inside) / count


def name_range(low: int, high: int) -> str:
    """Format a range, as in `1-20`, or `20`."""
    return str(low) if low == high else f"{low}-{high}"


def parse_lengths(text: str) -> list[tuple[int, int]]:
    """Ranges of lengths.

    >>> parse_lengths("1-20,20,21-30")
    [(1, 20), (20, 20), (21, 30)]
    """
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or int(match[1]) > int(match[2] or match[1]):
            raise ValueError(f"lengths must be like 1-20,20,21-30; got {text!r}")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return ranges
