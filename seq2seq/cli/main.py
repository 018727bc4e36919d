"""The command line: `seq2seq VERB ...`, and `python train.py`, which is `seq2seq train`.

Answers go to standard output; progress, remarks and errors go to standard error. An error is one
line and exit status 2; SEQ2SEQ_TRACEBACK=1 shows where it came from.
"""

import argparse
import itertools
import sys
from pathlib import Path

from seq2seq import __version__
from seq2seq.cli import answers, archive, studies
from seq2seq.cli import inspect as inspection
from seq2seq.cli import report as reporting
from seq2seq.cli.options import Parser, count, names, number
from seq2seq.cli.train import cleaned_up_at_sigterm, guarded, run_training, tell_end, train
from seq2seq.runtime.paths import EXPERIMENTS
from seq2seq.runtime.progress import progress, show_progress
from seq2seq.runtime.quiet import held_back_noise, set_output_encoding
from seq2seq.runtime.validation import check_choice
from seq2seq.training.signals import Interrupted


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
    options, overrides = verbs[verb].parse_known_intermixed_args(arguments[1:])
    if words := [word for word in overrides if verb not in TAKE_OVERRIDES or "=" not in word]:
        advice = "; put -- before a text that begins with a dash"
        dashed = any(word.startswith("-") for word in words)
        verbs[verb].error(f"unrecognised arguments: {' '.join(words)}{advice if dashed else ''}")
    options.overrides = overrides
    show_progress()
    with cleaned_up_at_sigterm():
        return guarded(lambda: VERBS[verb](options), overrides)


def make_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Make the parser of the command, and those of its verbs.

    The arguments of `train` are Hydra's. A verb's are parsed by its own parser, which takes options
    and texts in any order; a parser of verbs could not.
    """
    parser = Parser(
        prog="seq2seq", description="Recurrent encoder-decoder models, built on state passing."
    )
    parser.add_argument("--version", action="version", version=f"seq2seq {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=Parser)
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
    reporting.add_verbs(verbs)
    archive.add_verbs(verbs)

    again = verbs.add_parser(
        "reproduce",
        help="an experiment of the literature with its seeds and verdicts; or a run, once more",
        usage="seq2seq reproduce EXPERIMENT [KEY=VALUE ...] [--seeds N,N] [--rows NAME,NAME] "
        "[--jobs N]\n       seq2seq reproduce RUN [--tolerance X]",
        description="Of an EXPERIMENT (configs/experiment/NAME.yaml) the runs that are missing are "
        "made, and what was published stands beside what came out, with a verdict: reproduced if "
        "our mean lies in the band that the file names. Of a RUN its config.yaml is trained again "
        "into a new directory, and each metric, the history, predictions and weights are "
        "identical, equal within tolerance, or different. The exit status is 1 if something is "
        "not reproduced, missing or different.",
    )
    again.add_argument(
        "what",
        metavar="EXPERIMENT|RUN",
        help=f"a run directory, or one of: {', '.join(EXPERIMENTS)}",
    )
    again.add_argument(
        "-o", "--output", metavar="PATH", help="where the runs go (default: in runs/)"
    )
    again.add_argument("--seeds", type=naturals, metavar="N,N", help="only these seeds")
    again.add_argument("--rows", type=names, metavar="NAME,NAME", help="only these rows")
    again.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="runs at a time (default 1)"
    )
    again.add_argument(
        "--tolerance",
        type=tolerance,
        default=0.01,
        metavar="X",
        help="how far a metric may be away: in itself up to 1, beyond as a share of it "
        "(default: 0.01, of an exact match one percentage point)",
    )
    return parser, verbs.choices


def natural(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def naturals(text: str) -> list[int]:
    """Whole numbers of at least 0, for argparse."""
    return [natural(part) for part in text.split(",")]


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

    with progress("reading the examples"), held_back_noise():
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


def reproduce(options: argparse.Namespace) -> int:
    """`seq2seq reproduce`: an experiment, or a run."""
    what = Path(options.what).expanduser()
    if (what / "config.yaml").is_file() or len(what.parts) > 1:
        if options.overrides or options.seeds or options.rows or options.jobs != 1:
            raise ValueError(
                f"{options.what} is a run, which is made again as it was; seeds, rows, jobs and "
                "overrides are for experiments"
            )
        return reproduce_run(options)
    from seq2seq.cli.reproduce import reproduce
    from seq2seq.config import compose_experiment

    check_choice("run or experiment", options.what, EXPERIMENTS)
    return reproduce(compose_experiment(options.what), options)


def reproduce_run(options: argparse.Namespace) -> int:
    """The same once more, and what came out differently."""
    from seq2seq.config import compose
    from seq2seq.runs.existing import find_begun, is_complete, read_finished_config
    from seq2seq.runs.rerun import DIFFERENT, compare_runs, render, verdict

    before = Path(options.what).expanduser()
    config = read_finished_config(before, compose([]))
    now = None if options.output is None else Path(options.output).expanduser()
    if now is not None and now.resolve() == before.resolve():
        raise ValueError(f"--output {now} is the run itself; name another directory")
    start = {"run_dir": options.output, "overwrite": False, "resume": False}
    resumed = find_begun({**config, **start}, now)  # it was stopped, or is only to be compared
    if resumed is None or not is_complete(now):
        outcome, now = run_training({**config, **start}, resumed, before)
        if isinstance(outcome.error, Interrupted):
            return tell_end(outcome, now)
    rows = compare_runs(before, now, options.tolerance)
    print("\n" + render(before, now, rows), flush=True)
    return int(verdict(rows) == DIFFERENT)


TAKE_OVERRIDES = ("examples", "reproduce")
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
    "report": reporting.report,
    "archive": archive.archive,
    "reproduce": reproduce,
}
