"""The command line: `seq2seq VERB ...`, and `python train.py`, which is `seq2seq train`.

Answers go to standard output; progress, remarks and errors go to standard error. An error is one
line and exit status 2; SEQ2SEQ_TRACEBACK=1 shows where it came from.
"""

import argparse
import functools
import itertools
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2seq import __version__, answers, inspection, reporting, studies
from seq2seq.arguments import check_choice, check_flag
from seq2seq.engine import held_back_noise, quiet_engine
from seq2seq.flags import count, number
from seq2seq.places import CONFIGS, EXPERIMENTS
from seq2seq.training.signals import Interrupted

EXIT_ERROR, EXIT_SIGNAL = 2, 128  # the signal's number is added
EXIT_INTERRUPTED = EXIT_SIGNAL + signal.SIGINT


def main(arguments: list[str] | None = None) -> int:
    """The console script."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["train"]:
        return train(arguments[1:])
    options, overrides = make_parser().parse_known_args(arguments)
    words = [word for word in overrides if options.verb not in TAKE_OVERRIDES or "=" not in word]
    if words:
        make_parser().error(f"unrecognised arguments: {' '.join(words)}")
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
    reporting.add_verbs(verbs)

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
    return parser


def natural(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def naturals(text: str) -> list[int]:
    """Whole numbers of at least 0, for argparse."""
    return [natural(part) for part in text.split(",")]


def names(text: str) -> list[str]:
    """Names, for argparse."""
    return text.split(",")


def tolerance(text: str) -> float:
    """A number of at least 0, for argparse."""
    value = number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return value


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
        from seq2seq.config import VERSION_BASE, describe_job, hydra, overrides, resolve
        from seq2seq.trust import check_arguments

        sys.argv = [*sys.argv[:1], *in_hydras_words(arguments)]
        check_arguments(sys.argv[1:])

        @hydra.main(version_base=VERSION_BASE, config_path=str(CONFIGS), config_name="train")
        def run(config) -> None:
            # Errors end here: beyond, Hydra would say more than a line, and end a multirun.
            if job := describe_job():
                print(job, file=sys.stderr)
            train_this = functools.partial(train_one, resolve(config), runs, overrides())
            statuses.append(guarded(train_this, arguments))
            if statuses[-1]:
                failed.append(job)
            if statuses[-1] > EXIT_SIGNAL:
                raise SystemExit(statuses[-1])

        run()
        if len(runs) > 1:
            from seq2seq.evaluation.compare import group_runs
            from seq2seq.evaluation.tables import make_table

            print("\n" + make_table(group_runs(runs)), flush=True)
        if len(statuses) > 1 and failed:
            print(f"{len(failed)} of {len(statuses)} runs failed:", file=sys.stderr)
            print(*failed, sep="\n", file=sys.stderr)
        return max(statuses, default=0)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # let exceptions come here, where they become one line
    return guarded(launch, arguments)


def in_hydras_words(arguments: Sequence[str]) -> list[str]:
    """`arguments` of `seq2seq train` as Hydra takes them.

    >>> in_hydras_words(["runs/latest", "--resume", "training.epochs=20", "-m"])
    ['-m', 'training.epochs=20', "run_dir='runs/latest'", 'resume=true']
    """
    # Hydra wants its flag for several runs before the overrides; a person may put it anywhere.
    several = [one for one in arguments if one in ("-m", "--multirun")]
    rest = [one for one in arguments if one not in (*several, "--resume")]
    if "--resume" in arguments:
        runs = [one for one in rest if "=" not in one or Path(one).is_dir()]
        if len(runs) != 1:
            raise ValueError("--resume needs one run: seq2seq train runs/latest --resume")
        rest.remove(runs[0])
        # In quotes Hydra takes a backslash as it is, unless it stands before a quote.
        quoted = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + "\\'" * bool(m[2]), runs[0])
        rest += [f"run_dir='{quoted}'", "resume=true"]
    return [*several[:1], *rest]


def train_one(config: dict, runs: list, overrides: Sequence[str] = ()) -> int:
    """One training, new or resumed; its exit status. It is added to `runs`."""
    from seq2seq.evaluation.compare import Run
    from seq2seq.runs import read_run, resume

    resumed = None
    if check_flag("resume", config["resume"]):
        config, resumed = resume(config, overrides)
        if resumed is not None and resumed.complete:
            print(f"note: {resumed.path} is complete; there is nothing to do", file=sys.stderr)
            runs.append(read_run(resumed.path))
            return 0
        for key, (old, new) in resumed.changes.items() if resumed else ():
            print(f"note: it goes on with {key}={new} in place of {old}", file=sys.stderr)
    outcome, path = run_training(config, resumed)
    runs.append(Run(config, outcome.summary))
    return tell_end(outcome, path)


def run_training(config: dict, resumed: Any = None) -> tuple[Any, Path]:
    """Train, and report on standard output; the outcome and the run directory."""
    from seq2seq import config as configuration

    with held_back_noise():  # reading data needs no engine, fetching a dictionary does
        task = configuration.build_task(config)
    for note in task.notes:
        print(f"note: {note}", file=sys.stderr)
    quiet_engine()
    import keras

    from seq2seq.evaluation.report import render

    keras.backend.clear_session()  # of several runs, the ones before need no memory any more
    outcome, path = configuration.train(config, task, resumed)
    summary = outcome.summary
    print(
        f"\n{summary['task']}-{summary['model']}  seed {summary['seed']}  "
        f"{summary['parameters']:,} parameters  {summary['train']['steps']:,} steps in "
        f"{summary['train']['seconds']:.1f} s  "
        f"{summary['train']['target_tokens_per_second']:,.0f} target tokens/s"
    )
    print(render(outcome.evaluation))
    print(f"kept in {path}", flush=True)
    if (most := config["training"].get("most_steps")) is not None:  # older runs lack the key
        print(
            f"note: a smoke test of at most {most} updates: its numbers mean nothing",
            file=sys.stderr,
        )
    return outcome, path


def tell_end(outcome: Any, path: Path) -> int:
    """Say what ended a training, if it did not end by itself; its exit status."""
    if isinstance(outcome.error, Interrupted):
        print(
            f"{outcome.error}: what was learned so far was kept and tested; to go on: "
            f"seq2seq train {path} --resume",
            file=sys.stderr,
        )
        return EXIT_SIGNAL + outcome.error.number
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


def reproduce(options: argparse.Namespace) -> int:
    """`seq2seq reproduce`: an experiment, or a run."""
    if (Path(options.what) / "config.yaml").is_file() or os.sep in options.what:
        if options.overrides or options.seeds or options.rows or options.jobs != 1:
            raise ValueError(
                f"{options.what} is a run, which is made again as it was; seeds, rows, jobs and "
                "overrides are for experiments"
            )
        return reproduce_run(options)
    from seq2seq.config import compose_experiment
    from seq2seq.experiments import reproduce

    check_choice("run or experiment", options.what, EXPERIMENTS)
    return reproduce(compose_experiment(options.what), options)


def reproduce_run(options: argparse.Namespace) -> int:
    """The same once more, and what came out differently."""
    from seq2seq.config import compose
    from seq2seq.evaluation.reproduction import DIFFERENT, compare_runs, render, verdict
    from seq2seq.runs import read_finished_config

    before = Path(options.what)
    config = read_finished_config(before, compose([]))
    start = {"run_dir": options.output, "overwrite": False, "resume": False}
    outcome, now = run_training({**config, **start})
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
    "reproduce": reproduce,
}
