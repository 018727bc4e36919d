"""The verb `ablate`: exact match without the handed-over state, or parts of it."""

import argparse
from typing import Any

from seq2seq.cli.pair_input import add_pairs, read_pairs
from seq2seq.cli.run_argument import RUN_HELP, load_run, name_of, predictions_of
from seq2seq.cli.study_files import Files, add_examples, add_files, check_figures


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "ablate",
        help="exact match without the handed-over state, or parts of it",
        description="Exact match on held-out examples, as trained and with the decoder's first "
        "state zeroed, shuffled among the examples, hidden only, cell only, one layer only, with "
        "noise (in standard deviations of the state), and with attention off where there is one.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_pairs(parser)
    add_examples(parser, 2000, "held-out examples, evenly spread over all there are")
    add_files(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq ablate`: a row and a bar for each change of the state."""
    check_figures(options)
    files = Files("ablate", options.run, options)
    predictor = load_run(options.run)
    from seq2seq.analysis.ablation import ablate
    from seq2seq.data.pairs import group_by_source
    from seq2seq.data.task import evenly_spaced
    from seq2seq.evaluation.predictions import read_examples
    from seq2seq.runs.compare import format_table

    if options.pairs:
        examples = group_by_source(read_pairs(options, predictor), predictor.source.canonical)
    else:
        examples = read_examples(predictions_of(options.run))
    chosen = evenly_spaced(examples, options.examples)
    ablations = ablate(predictor, chosen, seed=options.seed)
    of = f"of {len(chosen):,} held-out examples"
    if len(chosen) < len(examples):
        of = f"{of} (of {len(examples):,}, evenly spread)"
    print(f"exact match {of}, with the decoder's first state changed\n")
    heads = ["state", "exact match", "95 % interval", "tokens"]
    table = [[each.name, *each.exact.cells(), f"{each.tokens.value:.1%}"] for each in ablations]
    print(format_table(heads, table), flush=True)

    def draw():
        from seq2seq.analysis.study_charts import draw_ablations

        return draw_ablations(ablations, name_of(predictor), of)

    rows = [
        [each.name, *each.exact, each.exact.value, *each.exact.interval, each.tokens.value]
        for each in ablations
    ]
    columns = ["state", "right", "count", "exact_match", "low", "high", "token_accuracy"]
    files.write(columns, rows, draw)
