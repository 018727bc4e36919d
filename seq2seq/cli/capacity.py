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
        description="How much goes through one vector: exact match by the length of the source, a "
        "line for each number of units and whatever else sets the runs apart. Seeds of one "
        "configuration are one line. It reads the answers that the runs kept.",
    )
    parser.add_argument(
        "places", nargs="+", metavar="RUN", help="run directories, or directories that hold some"
    )
    add_files(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq capacity`: exact match by source length and by units."""
    check_figures(options)
    quiet_engine()  # only to be quiet: nothing is computed
    from seq2seq.analysis.capacity import measure_capacity
    from seq2seq.runs.compare import find_runs, format_table
    from seq2seq.runs.existing import gather

    paths = find_runs(options.places)
    files = Files("capacity", options.places[0], options)
    series = measure_capacity(gather(paths), paths)
    lengths = sorted({length for one in series for length in one.lengths})
    rows = []
    for one in series:
        cells = [f"{one.at(n)[0]:.1%}" if n in one.lengths else "" for n in lengths]
        rows.append([one.name, str(len(one.runs)), f"{one.at()[0]:.2%}", *cells])
    print("exact match by the length of the source, in symbols\n")
    print(format_table(["", "runs", "all", *map(str, lengths)], rows), flush=True)

    def draw():
        from seq2seq.analysis.study_charts import draw_capacity

        return draw_capacity(series, len(paths))

    table = [
        [one.units, one.rest, length or "all", len(one.runs), *one.at(length)]
        for one in series
        for length in (None, *one.lengths)
    ]
    columns = ["units", "configuration", "source_length", "runs", "exact_match", "low", "high"]
    files.write(columns, table, draw)
