"""The command line: `seq2seq VERB ...`, and `python train.py`, which is `seq2seq train`.

Answers go to standard output; progress, remarks and errors go to standard error. An error is one
line and exit status 2; SEQ2SEQ_TRACEBACK=1 shows where it came from.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Sequence

from seq2seq import __version__, answers, inspection, studies
from seq2seq.engine import held_back_noise, quiet_engine

EXIT_ERROR, EXIT_INTERRUPTED = 2, 130


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
        "train", help="train, test and keep a run (= python train.py); train --help says more"
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


def guarded(command: Callable[[], int | None], overrides: Sequence[str] = ()) -> int:
    """Run `command`; whatever goes wrong becomes one line on standard error and an exit status."""
    try:
        return command() or 0
    except BrokenPipeError:  # the reader (head, less) has gone: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("SEQ2SEQ_TRACEBACK"):
            raise
        from seq2seq.config import explain

        print(f"error: {explain(error, overrides)}", file=sys.stderr)
        return EXIT_ERROR


def train(arguments: list[str]) -> int:
    """`python train.py ARGUMENTS`: Hydra's overrides and flags."""
    statuses, runs, failed = [], [], []

    def launch() -> int:
        from seq2seq.config import CONFIGS, VERSION_BASE, describe_job, hydra, resolve

        @hydra.main(version_base=VERSION_BASE, config_path=str(CONFIGS), config_name="train")
        def run(config) -> None:
            # Errors end here: beyond, Hydra would say more than a line, and end a multirun.
            if job := describe_job():
                print(job, file=sys.stderr)
            statuses.append(guarded(lambda: train_one(resolve(config), runs), arguments))
            if statuses[-1]:
                failed.append(job)
            if statuses[-1] == EXIT_INTERRUPTED:
                raise SystemExit(EXIT_INTERRUPTED)

        run()
        if len(runs) > 1:
            from seq2seq.evaluation.compare import compare

            print("\n" + compare(runs), flush=True)
        if len(statuses) > 1 and failed:
            print(f"{len(failed)} of {len(statuses)} runs failed:", file=sys.stderr)
            print(*failed, sep="\n", file=sys.stderr)
        return max(statuses, default=0)

    # Hydra wants its flag for several runs before the overrides; a person may put it anywhere.
    several = [one for one in arguments if one in ("-m", "--multirun")]
    sys.argv = [*sys.argv[:1], *several[:1], *(one for one in arguments if one not in several)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let exceptions come here, where they become one line
    return guarded(launch, arguments)


def train_one(config: dict, runs: list) -> int:
    """One training, and its report on standard output; it is added to `runs`."""
    from seq2seq import config as configuration
    from seq2seq.evaluation.compare import Run

    with held_back_noise():  # reading data needs no engine, fetching a dictionary does
        task = configuration.build_task(config)
    for note in task.notes:
        print(f"note: {note}", file=sys.stderr)
    quiet_engine()
    import keras

    from seq2seq.evaluation.report import render

    keras.backend.clear_session()  # of several runs, the ones before need no memory any more
    outcome, path = configuration.train(config, task)
    summary = outcome.summary
    runs.append(Run(config, summary))
    print(
        f"\n{summary['task']}-{summary['model']}  seed {summary['seed']}  "
        f"{summary['parameters']:,} parameters  {summary['train']['steps']:,} steps in "
        f"{summary['train']['seconds']:.1f} s  "
        f"{summary['train']['target_tokens_per_second']:,.0f} target tokens/s"
    )
    print(render(outcome.evaluation))
    print(f"kept in {path}", flush=True)
    if isinstance(outcome.error, KeyboardInterrupt):
        print("interrupted: what was learned so far was kept and tested", file=sys.stderr)
        return EXIT_INTERRUPTED
    if outcome.error is not None:
        print(f"error: {outcome.error}; the best weights before it were kept", file=sys.stderr)
        return 1
    return 0


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
    from seq2seq.config import read_run
    from seq2seq.evaluation.compare import compare, find_runs, parse_lengths

    lengths = parse_lengths(options.lengths) if options.lengths else []
    print(compare([read_run(path) for path in find_runs(options.places)], lengths))


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
}
