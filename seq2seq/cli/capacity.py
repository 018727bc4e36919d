"""The verb `capacity`: exact match by source length and by units."""

import argparse
from typing import Any

from seq2seq.cli.study_files import Files, add_files, check_figures
from seq2seq.runtime.quiet import quiet_engine


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "capacity",
        help="exact match by source length and by units, of one run or many",
        description="How much a state of fixed size can hold: exact match by the length of "
        "the source, one line for each number of units and other difference in configuration, with "
        "all seeds of a configuration on one line. It reads the predictions of the runs.",
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="run directories, or directories that hold some"
    )
    add_files(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq capacity`: exact match by source length and by units."""
    check_figures(options)
    quiet_engine()  # only to be quiet: nothing is computed
    from seq2seq.analysis.capacity import measure_capacity
    from seq2seq.runs.compare import find_runs, format_table
    from seq2seq.runs.existing import gather

    paths = find_runs(options.runs)
    files = Files("capacity", options.runs[0], options)
    series = measure_capacity(gather(paths), paths)
    lengths = sorted({length for group in series for length in group.lengths})
    rows = []
    for group in series:
        cells = [f"{group.at(n)[0]:.1%}" if n in group.lengths else "" for n in lengths]
        rows.append([group.name, str(len(group.runs)), f"{group.at()[0]:.2%}", *cells])
    print("exact match by the length of the source, in symbols\n")
    print(format_table(["", "runs", "all", *map(str, lengths)], rows), flush=True)

    def draw():
        from seq2seq.analysis.study_charts import draw_capacity

        return draw_capacity(series, len(paths))

    table = [
        [group.units, group.label, length or "all", len(group.runs), *group.at(length)]
        for group in series
        for length in (None, *group.lengths)
    ]
    columns = ["units", "configuration", "source_length", "runs", "exact_match", "low", "high"]
    files.write(columns, table, draw)
