"""The command line: `seq2seq VERB ...`, and `python train.py`, which is `seq2seq train`.

Answers go to standard output; progress, remarks and errors go to standard error. An error is one
line and exit status 2; SEQ2SEQ_TRACEBACK=1 shows where it came from.
"""

import argparse
import itertools
import sys
from pathlib import Path

from seq2seq import __version__, answers, inspection, studies
from seq2seq.engine import held_back_noise
from seq2seq.flags import number
from seq2seq.launch import guarded, run_training, tell_end, train
from seq2seq.training.signals import Interrupted


def main(arguments: list[str] | None = None) -> int:
    """The console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["train"]:
        return train(arguments[1:])
    options, overrides = make_parser().parse_known_args(arguments)
    if options.verb != "examples" and overrides:
        make_parser().error(f"unrecognised arguments: {' '.join(overrides)}")
    if options.verb == "examples":
        options.overrides = overrides
    return guarded(lambda: VERBS[options.verb](options), overrides)


def make_parser() -> argparse.ArgumentParser:
    """The parser of every verb but `train`, whose arguments are Hydra's."""
    parser = argparse.ArgumentParser(
        prog="seq2seq", description="Recurrent encoder-decoder models, built on state passing."
    )
    parser.add_argument("--version", action="version", version=f"seq2seq {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser(
        "train",
        help="train, test and keep a run (= python train.py), or go on with one (train RUN "
        "--resume); train --help says more",
    )

    examples = verbs.add_parser(
        "examples",
        help="show the examples of a task",
        usage="seq2seq examples task=NAME [task.KEY=VALUE ...] [--split SPLIT] [-n COUNT]",
        description="Print examples as source<TAB>target lines (with tags, "
        "source<TAB>target<TAB>tags), one for each right answer.",
    )
    examples.add_argument("--split", default="train", choices=("train", "validation", "test"))
    examples.add_argument(
        "-n", type=natural, metavar="COUNT", help="how many (default: all, or 10 of endless ones)"
    )

    answers.add_verbs(verbs)
    inspection.add_verbs(verbs)
    studies.add_verbs(verbs)

    again = verbs.add_parser(
        "reproduce",
        help="train a run again from its configuration, and compare",
        description="Trains again from RUN's config.yaml into a new directory, and says of each "
        "metric, of the history, predictions and weights: identical, equal within tolerance, or "
        "different. The exit status is 1 if a metric is different.",
    )
    again.add_argument("run", metavar="RUN", help="a run directory, for example runs/latest")
    again.add_argument(
        "-o", "--output", metavar="PATH", help="the new run directory (default: in runs/)"
    )
    again.add_argument(
        "--tolerance",
        type=tolerance,
        default=0.01,
        metavar="X",
        help="how far a metric may be away: in itself up to 1, beyond as a share of it "
        "(default: 0.01, of an exact match one percentage point)",
    )

    report = verbs.add_parser(
        "report",
        help="compare runs: one table, a row for all seeds of one configuration",
        description="A Markdown table of the finished runs at or below the given directories: what "
        "sets them apart, and their results (mean, least and greatest over the seeds).",
    )
    report.add_argument("places", nargs="+", metavar="DIRECTORY")
    report.add_argument(
        "--lengths", metavar="RANGES", help="exact match by length, for example 1-20,20,21-30"
    )
    return parser


def natural(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def tolerance(text: str) -> float:
    """A number of at least 0, for argparse."""
    value = number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return value


def show_examples(options: argparse.Namespace) -> None:
    """`seq2seq examples`: what a person sees before training."""
    from seq2seq.config import build_task, compose
    from seq2seq.data.tags import Tagged
    from seq2seq.data.task import Stream

    with held_back_noise():
        task = build_task(compose(options.overrides))
    for note in task.notes:
        print(f"note: {note}", file=sys.stderr)
    examples, count = task.examples(options.split), options.n
    if isinstance(examples, Stream) and count is None:
        count = 10
        print("training examples have no end; here are 10 (-n COUNT shows more)", file=sys.stderr)
    for example in itertools.islice(examples, count):
        source, tags = example.source, []
        if isinstance(task.source, Tagged):  # tags come last, as in files of inflections
            source, *tags = source.split("\t")
        for target in example.references:
            print(source, target, *tags, sep="\t")


def report(options: argparse.Namespace) -> None:
    """`seq2seq report`: runs side by side."""
    from seq2seq.evaluation.compare import compare, find_runs, parse_lengths
    from seq2seq.runs import read_run

    lengths = parse_lengths(options.lengths) if options.lengths else []
    print(compare([read_run(path) for path in find_runs(options.places)], lengths))


def reproduce(options: argparse.Namespace) -> int:
    """`seq2seq reproduce`: the same once more, and what came out differently."""
    from seq2seq.config import compose
    from seq2seq.evaluation.reproduction import DIFFERENT, compare_runs, render, verdict
    from seq2seq.runs import read_finished_config

    before = Path(options.run)
    config = read_finished_config(before, compose([]))
    start = {"run_dir": options.output, "overwrite": False, "resume": False}
    outcome, now = run_training({**config, **start})
    if isinstance(outcome.error, Interrupted):
        return tell_end(outcome, now)
    rows = compare_runs(before, now, options.tolerance)
    print("\n" + render(before, now, rows), flush=True)
    return int(verdict(rows) == DIFFERENT)


VERBS = {
    "examples": show_examples,
    "predict": answers.predict,
    "score": answers.score,
    "evaluate": answers.evaluate,
    "export": answers.export,
    "inspect": inspection.inspect,
    "ablate": studies.ablate,
    "probe": studies.probe,
    "interpolate": studies.interpolate,
    "capacity": studies.capacity,
    "report": report,
    "reproduce": reproduce,
}
