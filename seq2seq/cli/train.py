"""`python train.py` from its arguments to its exit status: one training, or several.

Errors are one line, see `report_errors`.
"""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq.cli.flags import split_flags
from seq2seq.runtime.extensions import allow
from seq2seq.runtime.paths import CONFIGS
from seq2seq.runtime.progress import show_progress
from seq2seq.runtime.quiet import filtered_stderr, log_engine, quiet_engine, set_output_encoding
from seq2seq.runtime.validation import check_count
from seq2seq.runtime.verbosity import has_tracebacks, note, set_verbosity, verbosity_flags
from seq2seq.training.signals import (
    EXIT_ERROR,
    EXIT_SIGNAL,
    Interrupted,
    restore_handlers,
    set_handlers,
)

EXIT_INTERRUPTED = EXIT_SIGNAL + signal.SIGINT
# Groups of Hydra's plugins that are not supported, and why.
HYDRAS_PLUGINS = {
    "hydra/launcher": "this program begins the runs itself; --jobs N lets N run at once",
    "hydra/sweeper": "runs are trained when all are known, so a search would get no results; name "
    "the values, as in optimizer.learning_rate=0.003,0.01",
}


def train(arguments: list[str]) -> int:
    """`python train.py ARGUMENTS`: Hydra's overrides and flags, and ours."""
    set_output_encoding()
    flags, remaining = split_flags(arguments)
    set_verbosity(flags.verbosity)
    show_progress()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let exceptions come here, where they become one line

    def run() -> int:
        allow(*flags.allow)
        return launch(remaining, flags.jobs)

    return report_errors(run, remaining)


def launch(arguments: Sequence[str], at_once: int = 1) -> int:
    """Compose the configurations of Hydra's arguments, and train; the exit status.

    Args:
        arguments: Hydra's overrides and flags, and `--resume`.
        at_once: number of runs at the same time.

    Raises:
        ValueError: anything wrong with the arguments.
    """
    from seq2seq.cli.composition import checked_composition
    from seq2seq.config import BASE, describe_job, hydra, overrides, resolve
    from seq2seq.runs.overrides import follow_latest
    from seq2seq.runs.safe_instantiate import check_arguments

    statuses, jobs = [], []
    check_count("--jobs", at_once)
    check_resumed(arguments)
    sys.argv = [*sys.argv[:1], *to_hydra_arguments(follow_latest(arguments))]
    options = check_arguments(sys.argv[1:])
    check_launcher(options, at_once)

    @hydra.main(config_path=str(CONFIGS), config_name="train", **BASE)
    def run(config) -> None:
        # Errors end here: beyond, Hydra would print more than a line.
        if not any(statuses):
            statuses.append(report_errors(lambda: train_or_plan(config), arguments))

    def train_or_plan(config) -> int:
        if job := describe_job(config, options.overrides):
            jobs.append(job)
            return 0
        return train_one(resolve(config), overrides())

    with checked_composition():
        run()
    status = max(statuses, default=0)
    if status or not jobs:
        return status
    from seq2seq.cli.multirun import Multirun

    names = ("config_dir", "config_name")
    values = {f"--{name.replace('_', '-')}": getattr(options, name) for name in names}
    flags = [f"{flag}={value}" for flag, value in values.items() if value]
    return train_several(jobs, Multirun(at_once, [*flags, *verbosity_flags()]))


def report_errors(command: Callable[[], int | None], overrides: Sequence[str] = ()) -> int:
    """Run `command`; whatever goes wrong becomes one line on standard error and an exit status."""
    try:
        return command() or 0
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if has_tracebacks():
            raise
        from seq2seq.config_errors import explain

        print(f"error: {explain(error, overrides)}", file=sys.stderr)
        return EXIT_ERROR


@contextlib.contextmanager
def cleaned_up_at_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that unfinished files are removed."""
    handlers = set_handlers([signal.SIGTERM], lambda number, _: sys.exit(EXIT_SIGNAL + number))
    try:
        yield
    finally:
        restore_handlers(handlers)


def check_launcher(options: argparse.Namespace, at_once: int) -> None:
    """Raise a ValueError if runs are to be launched or chosen by anything but this program."""
    several = options.multirun or "hydra.mode=MULTIRUN" in options.overrides
    if at_once > 1 and not several:
        raise ValueError(f"--jobs {at_once} is for several runs: add -m (python train.py -m ...)")
    for key, reason in HYDRAS_PLUGINS.items():
        plugins = [o for o in options.overrides if o.lstrip("+").startswith(f"{key}=")]
        if plugins and plugins[-1].partition("=")[2] != "basic":
            raise ValueError(f"{plugins[-1]}: {reason}")


def train_several(jobs: Sequence[Any], multirun: Any) -> int:
    """Train several runs, each in a process of its own, and print a table of them.

    Args:
        jobs: the runs.
        multirun: a `Multirun`, which trains them.

    Returns:
        The worst exit status, or that of the signal that ended them.
    """
    from seq2seq.cli.multirun import is_finished, plan
    from seq2seq.runs.compare import group_runs
    from seq2seq.runs.existing import is_complete, read_run, with_data_files
    from seq2seq.runs.tables import make_table

    planned = plan(jobs)
    left = [run for run in planned if not is_finished(run)]
    check_tasks([with_data_files(run.job.config, run.path) for run in left])
    ended = multirun.train(planned)
    complete = [
        run
        for run in ended
        if run.status != EXIT_ERROR and not run.in_use and is_complete(run.path)
    ]
    if len(complete) > 1:
        runs = [read_run(run.path) for run in complete]
        print("\n" + make_table(group_runs(runs)), flush=True)
    if in_use := [run.name for run in ended if run.in_use]:
        heading = (
            f"{len(in_use)} of {len(ended)} runs are in use by other processes, and not in the "
            "table; the same command with resume=true shows them once they have ended:"
        )
        note("\n".join([heading, *in_use]))
    cut = multirun.received
    failed = [run.name for run in ended if run.status and not (cut and run.status > EXIT_SIGNAL)]
    if failed:
        print(f"{len(failed)} of {len(ended)} runs failed:", *failed, sep="\n", file=sys.stderr)
    if cut is None:
        return max(run.status for run in ended)
    print(
        f"interrupted by {signal.Signals(cut).name}: {len(complete)} of {len(ended)} runs are "
        "complete; with run_dir=PATH resume=true the same command resumes the others",
        file=sys.stderr,
    )
    return EXIT_SIGNAL + cut


def check_tasks(configs: Sequence[dict]) -> None:
    """Raise a ValueError if there are several runs and none has a task that can be read or drawn.

    The first run whose task can be made ends the check: a mistake that all runs share is reported
    once, before any process is started.
    """
    from seq2seq.config import build_task
    from seq2seq.config_errors import explain

    errors = []
    for config in configs if len(configs) > 1 else ():
        try:
            with filtered_stderr():
                task = build_task(config)
                for split in ("validation", "test"):
                    task.examples(split)
        except Exception as error:
            errors.append(explain(error))
        else:
            return
    if errors:
        raise ValueError(f"none of {len(errors)} runs can begin: {errors[0]}")


def to_hydra_arguments(arguments: Sequence[str]) -> list[str]:
    """`arguments` of `seq2seq train` as Hydra takes them.

    >>> to_hydra_arguments(["runs/latest", "--resume", "training.epochs=20", "-m"])
    ['-m', 'training.epochs=20', "run_dir='runs/latest'", 'resume=true']
    """
    from seq2seq.runs.overrides import quote, quote_overrides

    # Hydra needs its flag for several runs before the overrides; here it may be anywhere.
    several = [argument for argument in arguments if argument in ("-m", "--multirun")]
    remaining = [argument for argument in arguments if argument not in (*several, "--resume")]
    if "--resume" in arguments:
        run = _resumed_run(remaining)
        remaining.remove(run)
        if not several:
            from seq2seq.cli.resumption import check_overrides

            remaining = check_overrides(Path(run).expanduser(), quote_overrides(remaining))
        remaining += [f"run_dir={quote(run)}", "resume=true"]
    return [*several[:1], *quote_overrides(remaining, is_multirun=bool(several))]


def check_resumed(arguments: Sequence[str]) -> None:
    """Raise a ValueError if `--resume` names a path that holds no run.

    `run_dir=PATH resume=true` may begin a run; after `--resume` a path without one is a mistake,
    and the defaults would be trained there.
    """
    if "--resume" not in arguments:
        return
    run = _resumed_run(
        [argument for argument in arguments if argument not in ("-m", "--multirun", "--resume")]
    )
    path = Path(run).expanduser()
    if not (path / "config.yaml").is_file() and not any(path.glob("*/config.yaml")):
        raise ValueError(
            f"no such run: {run} (--resume needs a run that exists; "
            "run_dir=PATH resume=true resumes one or begins it)"
        )


def _resumed_run(arguments: Sequence[str]) -> str:
    """Return the one run that `arguments` beside `--resume` name."""
    runs = [
        argument
        for argument in arguments
        if "=" not in argument or Path(argument).expanduser().is_dir()
    ]
    if len(runs) != 1:
        raise ValueError("--resume needs one run: seq2seq train runs/latest --resume")
    return runs[0]


def train_one(config: dict, overrides: Sequence[str] = ()) -> int:
    """One training, new or resumed; its exit status."""
    from seq2seq.training_run import find_resumed

    config, resumed = find_resumed(config, overrides)
    if resumed is not None and resumed.complete:
        return 0
    return report_outcome(*run_training(config, resumed))


def run_training(
    config: dict, resumed: Any = None, original: Path | None = None
) -> tuple[Any, Path]:
    """Train, and report on standard output; the outcome and the run directory.

    Args:
        config: of the run.
        resumed: the run that is resumed; None: a new run.
        original: a run whose data is read, if it keeps some.
    """
    from seq2seq.training_from_config import train_from_config
    from seq2seq.training_run import format_outcome, note_smoke_test, print_notes, read_task

    task = read_task(config, original if resumed is None else resumed.path)
    print_notes(task)
    quiet_engine()
    log_engine()
    import keras

    keras.backend.clear_session()  # of several runs, the ones before need no memory any more
    outcome, path = train_from_config(config, task, resumed)
    print(format_outcome(outcome, path), flush=True)
    for text in note_smoke_test(config):
        note(text)
    return outcome, path


def report_outcome(outcome: Any, path: Path) -> int:
    """Print why a training ended and what its curves show; its exit status."""
    if isinstance(outcome.error, Interrupted):
        print(
            f"{outcome.error}: the model so far was saved and tested; to resume: "
            f"seq2seq train {path} --resume",
            file=sys.stderr,
        )
        return EXIT_SIGNAL + outcome.error.number
    if outcome.error is not None:
        print(f"error: {outcome.error}; the best weights before it were kept", file=sys.stderr)
        return 1
    for remark in outcome.remarks:
        note(remark)
    return 0
