"""The verb `interpolate`: answers from the states between those of two sources."""

import argparse
from typing import Any

from seq2seq.cli.options import add_decoding, choose_decoding, count
from seq2seq.cli.run_argument import RUN_HELP, load_run


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "interpolate",
        help="predictions from the states between those of two sources",
        description="A prediction for each step on the straight line from the first source's state "
        "to the second's. A model with attention predicts twice, attending to each source.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("sources", nargs=2, metavar="SOURCE")
    parser.add_argument(
        "--steps", type=count, default=9, metavar="N", help="both ends included (default 9)"
    )
    add_decoding(parser, ensemble=False)


def run(options: argparse.Namespace) -> None:
    """`seq2seq interpolate`: a row for each interpolated state."""
    predictor = load_run(options.run)
    from seq2seq.analysis.interpolation import interpolate_sources
    from seq2seq.data.files import escape
    from seq2seq.runs.compare import format_table

    decoding = choose_decoding(options, predictor.decoding)
    first, second = options.sources
    steps = interpolate_sources(predictor, first, second, options.steps, decoding)
    names = ["prediction"]
    if len(steps[0].answers) > 1:
        names = [f"prediction, attending to {escape(source)!r}" for source in (first, second)]
    heads = [f"weight of {escape(second)!r}"]
    for name in names:
        heads += [name, "log-probability"]
    rows = []
    for step in steps:
        row = [f"{step.weight:.3f}"]
        for answer in step.answers:
            row += [escape(answer.text), f"{answer.score:.2f}"]
        rows.append(row)
    print(format_table(heads, rows))
