"""The verb `report`: a comparison of runs as a table, files of numbers, and charts.

The table goes to standard output. Written files, and runs that do not count, are named on standard
error, a line each.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.cli.options import names
from seq2seq.cli.study_files import check_figures, find_output, write_figure, write_file
from seq2seq.runs.compare import SEEDS, Group, flatten, group_runs
from seq2seq.runtime.escaping import in_markdown, printable
from seq2seq.runtime.verbosity import note

EXPLANATION = (
    "Results are means ± standard deviations over the seeds; the 95 % interval is Student's, of "
    "the mean. Validation (val) is that of the epoch whose weights were tested."
)
PICTURES = {"by-length": "exact match by length of the target", "curves": "learning curves"}


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "report",
        help="compare runs: one table, a row for all seeds of one configuration",
        description="A Markdown table of the runs at or below the given directories: how "
        "they differ, and their results over the seeds: mean ± standard deviation, the 95 % "
        "confidence interval of the mean, least and greatest; validation beside the test. "
        "Runs that failed or have not ended are counted and named, and are in no mean. With "
        "--output it also writes report.csv (a row for each run), report.md, and the charts "
        "by-length and curves (PNG and SVG).",
        epilog="for example: seq2seq report runs/reverse-lstm --lengths 1-10,11-20 -o results",
    )
    parser.add_argument("directories", nargs="+", metavar="DIRECTORY")
    parser.add_argument(
        "--lengths", metavar="RANGES", help="exact match by length, for example 1-20,20,21-30"
    )
    parser.add_argument(
        "--metric",
        action="extend",
        type=names,
        default=[],
        metavar="NAME,NAME",
        help="of the table: of the test as in summary.json, or of validation, for example "
        "val_exact_match (default: the usual ones that all runs have)",
    )
    parser.add_argument(
        "--select",
        metavar="NAME",
        help="name the best configuration by this validation metric (mean over seeds), and its "
        "test; for example val_exact_match",
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="where to write files")
    parser.add_argument(
        "--curve",
        metavar="NAME",
        help="the metric of the learning curves, or loss (default: the one that the tasks go by)",
    )
    parser.add_argument(
        "--latex", action="store_true", help="print the table as LaTeX (with the package booktabs)"
    )
    parser.add_argument(
        "--no-figure", action="store_true", help="no charts, which need matplotlib; tables alone"
    )


def run(options: argparse.Namespace) -> None:
    """`seq2seq report`: a comparison of runs."""
    from seq2seq.runs.curves import choose_metric
    from seq2seq.runs.existing import gather
    from seq2seq.runs.selection import describe_selection, select
    from seq2seq.runs.tables import make_csv, make_table, parse_lengths

    lengths = parse_lengths(options.lengths) if options.lengths else []
    if options.output:
        check_figures(options)
        output = find_output(options.directories[0], options.output)
    elif options.curve:
        raise ValueError(f"--curve {options.curve} is for the charts, which need --output DIR")
    groups = group_runs(gather(options.directories))
    table, remarks = make_table(groups, options.metric, lengths), list_remarks(groups)
    selection = describe_selection(select(groups, options.select)) if options.select else ""
    charts = options.output and not options.no_figure
    metric = choose_metric(groups, options.curve) if charts else None
    shown = make_table(groups, options.metric, lengths, latex=True) if options.latex else table
    print(shown, *filter(None, [selection]), sep="\n\n", flush=True)
    for remark in remarks:
        note(remark)
    if options.output:
        write_file(output / "report.csv", make_csv(groups, lengths))
        pictures, missing = draw(groups, output, lengths, metric) if charts else ([], [])
        for remark in missing:
            note(remark)
        page = make_page(say_command(options), table, [*remarks, *missing], pictures, selection)
        write_file(output / "report.md", page)


def list_remarks(groups: Sequence[Group]) -> list[str]:
    """List remarks on the table: runs that do not count, and seeds that count twice."""
    remarks = []
    for group in groups:
        remarks += [f"not counted: {run.path} ({run.failure})" for run in group.failed]
        alike: dict[tuple, list[str]] = {}
        for run in group.runs:
            config = dict(flatten(run.config))
            seeds = tuple(config.get(key) for key in SEEDS)
            alike.setdefault(seeds, []).append(str(run.path))
        remarks += [
            f"one seed, but counted as {len(paths)} runs: {', '.join(paths)}"
            for paths in alike.values()
            if len(paths) > 1
        ]
    return remarks


def draw(
    groups: Sequence[Group],
    output: Path,
    lengths: Sequence[tuple[int, int]] = (),
    metric: str | None = None,
) -> tuple[list[str], list[str]]:
    """Write the charts of runs that there can be.

    Args:
        groups: at least one.
        output: the directory for them.
        lengths: ranges of lengths; none: `choose_ranges`.
        metric: of the learning curves, see `choose_metric`; None: there are none.

    Returns:
        The names of the charts, without their endings, and remarks on charts, and configurations in
        them, that are missing.
    """
    from seq2seq.analysis.comparison import choose_drawn, draw_by_length, draw_learning
    from seq2seq.runs.curves import choose_ranges

    names, remarks = [], []
    if ranges := lengths or choose_ranges(groups):
        write_figure(output / "by-length", draw_by_length(groups, ranges))
        names.append("by-length")
    else:
        remarks.append("no chart by length: no run has the exact match by length")
    if metric is not None:
        write_figure(output / "curves", draw_learning(groups, metric))
        names.append("curves")
    else:
        remarks.append("no learning curves: not all histories have a metric that tasks go by")
    if names:
        left_out = choose_drawn(groups)[1]
        remarks += [
            f"not in the charts (more configurations than colours): {group.name}"
            for group in left_out
        ]
    return names, remarks


def make_page(
    command: str,
    table: str,
    remarks: Sequence[str] = (),
    pictures: Sequence[str] = (),
    selection: str = "",
) -> str:
    """A Markdown page of a table and charts; the same runs make the same page.

    Args:
        command: the command line.
        table: see `make_table`.
        remarks: see `list_remarks`.
        pictures: names of PNG files beside the page, without their ending.
        selection: see `describe_selection`; empty: none was requested.
    """
    parts = [
        f"    {printable(command)}",
        in_markdown(table),
        in_markdown(selection),
        EXPLANATION,
        in_markdown("\n".join(f"- {remark}" for remark in remarks)),
    ]
    parts += [f"![{PICTURES[name]}]({name}.png)" for name in pictures]
    return "\n\n".join(part for part in parts if part) + "\n"


def say_command(options: argparse.Namespace) -> str:
    """The command line that has these options."""
    words = ["seq2seq", "report", *options.directories]
    for flag in ("lengths", "output", "curve", "select"):
        if value := getattr(options, flag):
            words += [f"--{flag}", value]
    words += ["--no-figure"] * options.no_figure
    words += ["--metric", *options.metric] if options.metric else []
    return shlex.join(words)
