"""Experiments of the literature: their runs, published values, and verdicts on ours.

Expected values are in the experiment's own file before anything is run; here they are only read.
"""

import csv
import math
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.runs.compare import format_latex, format_table
from seq2seq.runs.tables import match_at
from seq2seq.runtime.validation import check_choice

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
UNPUBLISHED = "-"  # there is no band, so no verdict
STATISTICS = {"mean": statistics.fmean, "max": max, "min": min}
NO_SHARES = ("bleu", "edit_distance", "mae", "rmse")  # metrics that are not shown in percent
# A metric of the test: of all examples, or the exact match (with or without the oracle's length) of
# those whose targets have lengths from .. to; or a column of the history after a number of updates.
METRIC = re.compile(r"(?P<name>[a-z_]+)(?:@(?P<low>\d+)(?:-(?P<high>\d+))?|#(?P<step>\d+))?")

# An override that a row may have: files of others become arguments of a command.
OVERRIDE = re.compile(
    r"\+{0,2}(?!(?:run_dir|resume|overwrite|experiment|seed|reproduction)=|hydra[./=])"
    r"[a-z]\w*(?:[./]\w+)*=[^$\n]*"
)


class Expected(NamedTuple):
    """Published value of a metric, and the values that count as reproduced.

    Attributes:
        metric: of `summary.json`'s test, or its exact match by length, as in `exact_match@24-48`;
            or of `history.csv` after an update, as in `val_bleu#1000`.
        published: the value; None: none was published.
        band: lowest and highest value that reproduces it; None: there is no verdict.
        statistic: of the seeds, that is compared with the band: `mean`, `max` or `min`.
    """

    metric: str
    published: float | None
    band: tuple[float, float] | None
    statistic: str = "mean"


class Row(NamedTuple):
    """One configuration of an experiment.

    Attributes:
        name: of the row, and of the directory that holds its runs.
        overrides: its settings, as on the command line.
        expected: one for each metric.
    """

    name: str
    overrides: tuple[str, ...]
    expected: tuple[Expected, ...]


class Experiment(NamedTuple):
    """Runs of `seq2seq reproduce NAME`, and their expected results.

    Attributes:
        name: of its file.
        source: of the published values.
        seeds: one run of each row is made with each.
        rows: see `Row`.
    """

    name: str
    source: str
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]


class Result(NamedTuple):
    """One run of an experiment: a line of its CSV.

    Attributes:
        row: the name of its row.
        seed: its seed.
        stopped: why training ended: `finished`, `early`, or what went wrong; `missing` if it was
            never run, or has not ended yet.
        metrics: the values of the row's metrics; empty if it did not end.
        steps, seconds: of the training, validations included.
        commit: of the code that ran.
    """

    row: str
    seed: int
    stopped: str
    metrics: dict[str, float]
    steps: int | None = None
    seconds: float | None = None
    commit: str = ""

    @property
    def counts(self) -> bool:
        """Whether the run finished, so that its results count."""
        return self.stopped in ("finished", "early")


def read_experiment(name: str, node: object) -> Experiment:
    """Read the key `reproduction` of an experiment's file.

    Raises:
        ValueError: a key is missing or invalid; it is named.
    """
    key = f"experiment {name}: reproduction"
    if not isinstance(node, dict):
        raise ValueError(f"{key} is missing: it specifies the runs and the expected values")
    _check_keys(key, node, {"source", "seeds", "rows"})
    seeds = node["seeds"]
    are_seeds = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not are_seeds or not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"{key}.seeds must be a list of whole numbers, got {seeds!r}")
    rows = node["rows"]
    if not isinstance(rows, dict) or not rows:
        raise ValueError(f"{key}.rows must name the configurations, got {rows!r}")
    experiment_rows = tuple(_read_row(f"{key}.rows.{row}", row, node) for row, node in rows.items())
    return Experiment(name, str(node["source"]), tuple(seeds), experiment_rows)


def _read_row(key: str, name: str, node: object) -> Row:
    if not re.fullmatch(r"[\w-]+", str(name)):
        raise ValueError(f"{key}: a name has letters, digits, _ and - only, got {name!r}")
    if not isinstance(node, dict):
        raise ValueError(f"{key} must hold overrides and expected, got {node!r}")
    _check_keys(key, node, {"overrides", "expected"})
    overrides = node["overrides"]
    if not isinstance(overrides, list) or not all(
        isinstance(override, str) for override in overrides
    ):
        raise ValueError(f"{key}.overrides must be a list of texts, got {overrides!r}")
    for override in overrides:
        if not OVERRIDE.fullmatch(override):
            raise ValueError(
                f"{key}.overrides: {override!r} is refused: a row chooses the KEY=VALUE of a "
                "configuration; flags, Hydra's settings and the run directory are the command's"
            )
    if not isinstance(node["expected"], dict) or not node["expected"]:
        raise ValueError(f"{key}.expected must name at least one metric, got {node['expected']!r}")
    expected = tuple(
        _read_expected(f"{key}.expected.{metric}", metric, value)
        for metric, value in node["expected"].items()
    )
    return Row(str(name), tuple(overrides), expected)


def _read_expected(key: str, metric: str, node: object) -> Expected:
    if not METRIC.fullmatch(metric):
        raise ValueError(f"{key}: a metric is like exact_match or exact_match@24-48")
    if node is None:  # of interest, but unpublished
        return Expected(metric, None, None)
    if not isinstance(node, dict):
        raise ValueError(f"{key} must hold published and band, got {node!r}")
    _check_keys(key, {"statistic": "mean", **node}, {"published", "band", "statistic"})
    statistic = check_choice(f"{key}.statistic", node.get("statistic", "mean"), STATISTICS)
    published, band = node["published"], node["band"]
    if published is not None and not _is_number(published):
        raise ValueError(f"{key}.published must be a number, got {published!r}")
    if band is not None:
        pair = isinstance(band, list) and len(band) == 2 and all(map(_is_number, band))
        if not pair or band[0] > band[1]:
            raise ValueError(f"{key}.band must be [from, to], got {band!r}")
    return Expected(metric, published, None if band is None else tuple(band), statistic)


def _check_keys(key: str, node: dict, expected: set[str]) -> None:
    if wrong := sorted(map(str, node.keys() ^ expected)):
        raise ValueError(
            f"{key} holds {', '.join(sorted(expected))}, and no more; see {', '.join(wrong)}"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def measure(test: dict, history: Sequence[dict[str, float]], metric: str) -> float:
    """A metric of a run.

    Args:
        test: of `summary.json`.
        history: the rows of `history.csv`.
        metric: see `Expected`.

    Raises:
        ValueError: the run has no such metric, no example of such a length, or was not evaluated
            then.
    """
    name, low, high, step = METRIC.fullmatch(metric).group("name", "low", "high", "step")
    if step is not None:
        values = [row[name] for row in history if row["step"] == int(step) and name in row]
        if not values:
            raise ValueError(f"history.csv of a run has no {metric}")
        return values[0]
    if low is not None and name in ("exact_match", "oracle_exact_match"):
        return match_at(test, int(low), int(high or low), name)
    if low is not None or not _is_number(test.get(name)):
        raise ValueError(f"the test of a run has no metric {metric}; it has {', '.join(test)}")
    return test[name]


def judge(expected: Expected, values: Sequence[float]) -> str:
    """The verdict on the values of all seeds.

    >>> judge(Expected("exact_match", 0.9, (0.85, 0.95)), [0.9, 0.94])
    'reproduced'
    >>> judge(Expected("exact_match", 0.9, (0.85, 0.95), "max"), [0.9, 0.96])
    'not reproduced'
    """
    if expected.band is None:
        return UNPUBLISHED
    low, high = expected.band
    return REPRODUCED if low <= STATISTICS[expected.statistic](values) <= high else NOT_REPRODUCED


def verdicts(experiment: Experiment, results: Sequence[Result]) -> list[list[str]]:
    """Verdicts on the expected results of each row."""
    return [
        [
            _score_all(experiment, expected, _done(row, expected.metric, results))
            for expected in row.expected
        ]
        for row in experiment.rows
    ]


def _done(row: Row, metric: str, results: Sequence[Result]) -> dict[int, float]:
    """Values of a metric by seed, of the runs that count and have it."""
    by_seed = {
        result.seed: result.metrics
        for result in results
        if result.row == row.name and result.counts
    }
    return {seed: by_seed[seed][metric] for seed in sorted(by_seed) if metric in by_seed[seed]}


def _score_all(experiment: Experiment, expected: Expected, done: dict[int, float]) -> str:
    if not done:
        return "not run"
    if missing := len(set(experiment.seeds) - done.keys()):
        return f"{missing} of {len(experiment.seeds)} missing"
    return judge(expected, list(done.values()))


HEADS = ("row", "metric", "published", "band", "mean ± std", "least", "greatest", "each seed")


def render(
    experiment: Experiment, results: Sequence[Result], judged: bool = True, latex: bool = False
) -> str:
    """Markdown or LaTeX table of expected and obtained values, with verdicts if `judged`."""
    lines = []
    for row, row_verdicts in zip(experiment.rows, verdicts(experiment, results), strict=True):
        for expected, verdict in zip(row.expected, row_verdicts, strict=True):
            values = list(_done(row, expected.metric, results).values())
            lines.append([row.name, *_cells(expected, values), *[verdict] * judged])
    write = format_latex if latex else format_table
    return write([*HEADS, *["verdict"] * judged], lines)


def _cells(expected: Expected, values: list[float]) -> list[str]:
    name = METRIC.fullmatch(expected.metric)["name"].removeprefix("val_")

    def show(value: float) -> str:
        return f"{value:.4g}" if name in NO_SHARES else f"{value:.2%}"

    published = "" if expected.published is None else show(expected.published)
    if expected.statistic != "mean":
        published += f" ({expected.statistic})"
    cells = [expected.metric, published, " to ".join(map(show, expected.band or ()))]
    if not values:
        return [*cells, "", "", "", ""]
    std = f" ± {show(statistics.stdev(values))}" if len(values) > 1 else ""
    cells += [show(statistics.fmean(values)) + std, show(min(values)), show(max(values))]
    return [*cells, ", ".join(map(show, values))]


COLUMNS = ("row", "seed", "stopped", "metric", "value", "steps", "seconds", "commit")


def write_results(results: Iterable[Result]) -> str:
    """CSV: a line for each metric of each run, or one without metric for a run without any."""
    lines = [",".join(COLUMNS)]
    for result in results:
        end = [result.steps, result.seconds, result.commit]
        for metric, value in result.metrics.items() or [("", "")]:
            fields = [result.row, result.seed, result.stopped, metric, value, *end]
            lines.append(",".join("" if field is None else str(field) for field in fields))
    return "\n".join(lines) + "\n"


def read_results(path: Path) -> list[Result]:
    """Read a file of `write_results`.

    Raises:
        ValueError: it is damaged.
    """
    results: dict[tuple[str, int], Result] = {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file, strict=True):
                key = (line["row"], int(line["seed"]))
                steps = int(line["steps"]) if line["steps"] else None
                seconds = float(line["seconds"]) if line["seconds"] else None
                end = (steps, seconds, line["commit"])
                result = results.setdefault(key, Result(*key, line["stopped"], {}, *end))
                if line["metric"]:
                    result.metrics[line["metric"]] = float(line["value"])
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    return list(results.values())
