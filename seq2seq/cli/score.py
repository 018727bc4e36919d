"""The verb `score`: log-probabilities of pairs, a line each and in order."""

import argparse
import sys
from dataclasses import replace
from typing import Any

from seq2seq.cli.decoding_overrides import override_decoding
from seq2seq.cli.line_batches import CHUNK, batch_lines
from seq2seq.cli.options import add_ensemble
from seq2seq.cli.pair_input import PairInput, add_pairs
from seq2seq.cli.run_argument import RUN_HELP, load_run
from seq2seq.runtime.verbosity import note
from seq2seq.runtime.vocabulary import UNKNOWN_POLICIES


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "score",
        help="log-probabilities of given targets",
        description="The log-probability of each target, a line a line; that of a blank line or "
        "of a skipped row is empty. Pairs come from --pairs or from standard input, as "
        "source<TAB>target (<TAB>tags) lines.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_pairs(parser)
    parser.add_argument(
        "--per-token", action="store_true", help="of each token and the end, separated by tabs"
    )
    parser.add_argument(
        "--unknown",
        choices=UNKNOWN_POLICIES,
        help="a symbol never seen in training: an error, or read as the unknown token "
        "(default: as in the run)",
    )
    add_ensemble(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq score`: the log-probabilities of pairs, a line a line."""
    predictor = load_run(options.run, options.others)
    decoding, choice = override_decoding(predictor.decoding, options.overrides, options)
    options.unknown = options.unknown or decoding.unknown
    if choice or replace(decoding, unknown=predictor.decoding.unknown) != predictor.decoding:
        note("note: of decoding only decoding.unknown changes the score of a known target")
    pairs = PairInput(options, predictor)
    for records in batch_lines(pairs.records(), CHUNK):
        score_records(predictor, pairs, records, options)
    pairs.print_notes()


def score_records(predictor: Any, pairs: PairInput, records: list, options: Any) -> None:
    """Print a line for each record: its scores, or nothing where the line was skipped.

    Raises:
        ValueError: a text can't be encoded and bad rows are errors; those before it are printed.
    """
    from seq2seq.inference.inputs import BadText

    good = [record for record in records if record.pair is not None]
    while True:
        sources, targets = ([record.pair[side] for record in good] for side in (0, 1))
        try:
            results = predictor.score(sources, targets, options.per_token, options.unknown)
            break
        except BadText as error:
            bad, problem = good.pop(error.number - 1), f"{error.side}: {error.reason}"
        at = records.index(bad)
        if pairs.reader.on_bad_row == "error":
            score_records(predictor, pairs, records[:at], options)
        records = [*records[:at], pairs.reject(bad, problem), *records[at + 1 :]]
    scores = {
        record.line: "\t".join(
            f"{value:.4f}" for value in (result if options.per_token else [result])
        )
        for record, result in zip(good, results, strict=True)
    }
    for record in records:
        if record.problem:
            note(f"{pairs.name}, line {record.line}: skipped: {record.problem}")
        print(scores.get(record.line, ""))
    sys.stdout.flush()
