"""The verb `interpolate`: answers from the states between those of two sources."""

import argparse
from typing import Any

from seq2seq.cli.options import add_decoding, choose_decoding, count
from seq2seq.cli.run_argument import RUN_HELP, load_run


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "interpolate",
        help="what is said from the states between those of two sources",
        description="One answer for each step on the straight line from the first source's state "
        "to the second's. A model that looks at its source answers twice, looking at each.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("sources", nargs=2, metavar="SOURCE")
    parser.add_argument(
        "--steps", type=count, default=9, metavar="N", help="both ends included (default 9)"
    )
    add_decoding(parser, ensemble=False)


def run(options: argparse.Namespace) -> None:
    """`seq2seq interpolate`: a row for each state on the way."""
    predictor = load_run(options.run)
    from seq2seq.analysis.interpolation import walk
    from seq2seq.data.files import escape
    from seq2seq.runs.compare import format_table

    decoding = choose_decoding(options, predictor.decoding)
    one, other = options.sources
    stops = walk(predictor, one, other, options.steps, decoding)
    answers = ["answer"]
    if len(stops[0].answers) > 1:
        answers = [f"answer, looking at {escape(source)!r}" for source in (one, other)]
    heads = [f"share of {escape(other)!r}"]
    for name in answers:
        heads += [name, "log-probability"]
    rows = []
    for stop in stops:
        row = [f"{stop.share:.3f}"]
        for answer in stop.answers:
            row += [escape(answer.text), f"{answer.score:.2f}"]
        rows.append(row)
    print(format_table(heads, rows))
