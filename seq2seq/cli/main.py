"""The command line: `seq2seq VERB ...`, and `python train.py`, which is `seq2seq train`.

Answers go to standard output; progress, remarks and errors go to standard error. An error is one
line and exit status 2; -v or SEQ2SEQ_TRACEBACK=1 shows where it came from.
"""

import argparse
import sys

from seq2seq.cli import (
    ablate,
    archive,
    capacity,
    completion,
    evaluate,
    examples,
    export,
    inspect,
    interpolate,
    predict,
    probe,
    report,
    reproduce,
    score,
)
from seq2seq.cli import list as list_verb
from seq2seq.cli.decoding_overrides import split_overrides
from seq2seq.cli.flags import add_common, add_version
from seq2seq.cli.options import Parser
from seq2seq.cli.train import cleaned_up_at_sigterm, report_errors, train
from seq2seq.runtime.extensions import allow
from seq2seq.runtime.progress import show_progress
from seq2seq.runtime.quiet import set_output_encoding
from seq2seq.runtime.verbosity import set_verbosity

TAKE_OVERRIDES = ("examples", "reproduce")
TAKE_DECODING = ("predict", "score", "evaluate", "inspect", "interpolate")  # `decoding.*` alone
VERBS = {
    "list": list_verb,
    "examples": examples,
    "predict": predict,
    "score": score,
    "evaluate": evaluate,
    "export": export,
    "inspect": inspect,
    "ablate": ablate,
    "probe": probe,
    "interpolate": interpolate,
    "capacity": capacity,
    "report": report,
    "archive": archive,
    "reproduce": reproduce,
    "completion": completion,
}


def main(arguments: list[str] | None = None) -> int:
    """The console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    set_output_encoding()
    if arguments[:1] == ["train"]:
        return train(arguments[1:])
    parser, verbs = make_parsers()
    verb = arguments[0] if arguments else None
    if verb not in VERBS:  # --help, --version, or no verb at all
        parser.parse_args(arguments)
        return 0
    decoding, remaining = [], arguments[1:]
    if verb in TAKE_DECODING:
        decoding, remaining = split_overrides(verbs[verb], remaining)
    options, overrides = verbs[verb].parse_known_intermixed_args(remaining)
    if words := [word for word in overrides if verb not in TAKE_OVERRIDES or "=" not in word]:
        advice = "; put -- before a text that begins with a dash"
        dashed = any(word.startswith("-") for word in words)
        verbs[verb].error(f"unrecognised arguments: {' '.join(words)}{advice if dashed else ''}")
    options.overrides = [*decoding, *overrides]
    set_verbosity(options.verbosity)
    show_progress()

    def run() -> int | None:
        allow(*options.allow)
        return VERBS[verb].run(options)

    with cleaned_up_at_sigterm():
        return report_errors(run, options.overrides)


def make_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Make the parser of the command, and those of its verbs.

    The arguments of `train` are Hydra's. A verb's are parsed by its own parser, which takes options
    and texts in any order; a parser of verbs could not.
    """
    parser = Parser(
        prog="seq2seq", description="Recurrent encoder-decoder models, built on state passing."
    )
    add_version(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=Parser)
    verbs.add_parser(
        "train",
        help="train, test and save a run (= python train.py), or resume one (train RUN "
        "--resume); see train --help",
    )

    for name, verb in VERBS.items():
        verb.add_parser(verbs)
        add_common(verbs.choices[name])
    verbs.choices["completion"].set_defaults(command=parser)
    return parser, verbs.choices
