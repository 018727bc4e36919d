"""The verb `evaluate`: metrics of a trained model on held-out examples or on pairs."""

import argparse
import json
from typing import Any

from seq2seq.cli.options import add_decoding, choose_decoding
from seq2seq.cli.pair_input import add_pairs, read_pairs
from seq2seq.cli.run_argument import RUN_HELP, load_run, predictions_of


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "evaluate",
        help="evaluate a trained model on held-out examples",
        description="Free-running decoding of the run's test examples, or of the pairs in a file.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_pairs(parser)
    parser.add_argument("--json", action="store_true", help="print all metrics as JSON")
    add_decoding(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq evaluate`: the table of metrics, and the headline."""
    predictor = load_run(options.run, options.others)
    from seq2seq.data.pairs import group_by_source
    from seq2seq.evaluation.evaluate import evaluate
    from seq2seq.evaluation.predictions import read_examples
    from seq2seq.evaluation.summary import render

    if options.pairs:
        examples = group_by_source(read_pairs(options, predictor), predictor.source.canonical)
    else:
        examples = read_examples(predictions_of(options.run))
    decoding = choose_decoding(options, predictor.decoding)
    family = predictor.settings.get("metrics")
    oracle_length = predictor.settings.get("oracle_length", False)  # older runs lack it
    evaluation = evaluate(predictor, examples, family, decoding, oracle_length)
    if options.json:
        print(json.dumps(evaluation.metrics(), indent=2))
        return
    print(render(evaluation), flush=True)
