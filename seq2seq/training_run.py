"""A whole training, from reading the examples to the report; `seq2seq.train`."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq import config as configuration
from seq2seq.config_errors import ERRORS, explain
from seq2seq.runs.existing import Resumed, resume, with_data_files
from seq2seq.runs.overrides import follow_latest
from seq2seq.runtime import progress as work
from seq2seq.runtime.quiet import filtered_stderr, quiet_engine
from seq2seq.runtime.validation import check_flag
from seq2seq.runtime.verbosity import logger, note
from seq2seq.training_from_config import check_callbacks, train_from_config

if TYPE_CHECKING:
    import keras

    from seq2seq.data.task import Task
    from seq2seq.inference.predictor import Predictor

EXAMPLE = 'seq2seq.train("task=pairs", "task.train=my.tsv")'


def train(
    *overrides: str,
    task: "Task | None" = None,
    callbacks: "Sequence[keras.callbacks.Callback]" = (),
    progress: bool = True,
) -> "Predictor":
    """Train a model, and return it as `load` does: `python train.py OVERRIDES` from Python.

    The run directory is the command line's. Process-wide settings (dtype policy, deterministic
    operations, Hydra, the global generators of Python and NumPy) are afterwards what they were;
    Keras's global seed is set to `seed`, 0 by default.

    Ctrl-C, a notebook's interrupt, and `KeyboardInterrupt` in a thread end training: the best model
    so far is tested and returned, with a warning that has the call to resume the run. A second
    Ctrl-C is a `KeyboardInterrupt`.

    Args:
        overrides: `"KEY=VALUE"` each, as on the command line; none: the default run.
        task: an object, as `Pairs(sources=[...], targets=[...])`, in place of the overrides of
            `task`. Other settings are by default those of `task=pairs`. `config.yaml` notes if its
            rows are in memory; such a run is resumed with the same task.
        callbacks: any of Keras's, called as `fit` does; they see the metrics of `history.csv`.
        progress: whether notes, a bar, a line for each epoch and the test are shown on standard
            error.

    Raises:
        ValueError: an override, the data or the run directory can't be used, or the loss was not
            finite: the command line's message, one line.

    Example:
        >>> run = train("task=pairs", "task.train=my.tsv")  # doctest: +SKIP
        >>> run.predict(["hello"])  # doctest: +SKIP
        ['olleh']
    """
    _check_overrides(overrides, task)
    check_callbacks(callbacks)
    check_flag("progress", progress)
    from seq2seq.inference.loading import load
    from seq2seq.layers.backend import restored_settings

    with _errors_in_one_line(overrides), restored_settings():  # loading draws numbers, too
        overrides = follow_latest(overrides)
        config, resumed = find_resumed(_compose(overrides, task), overrides)
        if resumed is not None and resumed.complete:
            return load(resumed.path)
        if task is None:
            task = read_task(config, None if resumed is None else resumed.path)
        return load(_train(config, task, resumed, callbacks, progress))


def _compose(overrides: Sequence[str], task: "Task | None") -> dict:
    """The configuration of `overrides`; a task object has the defaults of `task=pairs`."""
    if task is None:
        return configuration.compose([*overrides])
    config = configuration.compose(["task=pairs", *overrides])
    names = {**config["names"], "task": type(task).__name__.lower()}
    return {**config, "task": task.to_config(), "names": names}


def _train(
    config: dict,
    task: "Task",
    resumed: Resumed | None,
    callbacks: Sequence[Any],
    show_progress: bool,
) -> Path:
    """Train, report on standard error, and return the run directory."""
    if show_progress:
        print_notes(task)
    quiet_engine()
    outcome, path = train_from_config(config, task, resumed, callbacks, show_progress)
    if show_progress:
        print(format_outcome(outcome, path), file=sys.stderr)
        for line in (*note_smoke_test(config), *outcome.remarks):
            print(line, file=sys.stderr)
    _report_error(outcome.error, path, config)
    return path


def _report_error(error: BaseException | None, path: Path, config: dict) -> None:
    """Warn of an interruption; any other end before the last update is a ValueError."""
    from seq2seq.training.signals import Interrupted

    if isinstance(error, Interrupted):
        logger.warning(
            "warning: %s: the model so far was saved and tested; to resume: "
            'seq2seq.train("run_dir=%s", "resume=true"%s)',
            *(error, path, ", task=TASK" if config["task"].get("in_memory") else ""),
        )
    elif error is not None:
        raise ValueError(
            f'{error}; the best weights before it were kept: seq2seq.load("{path}")'
        ) from error


@contextlib.contextmanager
def _errors_in_one_line(overrides: Sequence[str]) -> Iterator[None]:
    """Turn errors of the configuration and of the data into the command line's one-line message.

    Others, as of a callback, pass unchanged.
    """
    try:
        yield
    except (*ERRORS, KeyError) as error:
        removed = any(override.startswith("~") for override in overrides)
        if type(error) is KeyError and not removed:
            raise
        message = explain(error, overrides)
        if isinstance(error, ValueError) and message == str(error):
            raise
        raise ValueError(message) from error


def _check_overrides(overrides: Sequence[str], task: Any) -> None:
    """Raise a ValueError unless all are `"KEY=VALUE"`, and none is of Hydra or beside a `task`."""
    from seq2seq.data.task import Task

    if task is not None and not isinstance(task, Task):
        raise ValueError(f"task must be a seq2seq.Task, got {task!r}")
    for override in overrides:
        if not isinstance(override, str):
            raise ValueError(f"an override is a text KEY=VALUE, got {override!r}; as in {EXAMPLE}")
        if override.startswith("-") or not ("=" in override or override.startswith("~")):
            raise ValueError(
                f"{override!r} is no KEY=VALUE: flags and runs are for the command line; as in "
                f'{EXAMPLE}, or to resume a run "run_dir=PATH", "resume=true"'
            )
        if override.lstrip("+~").startswith("hydra"):
            raise ValueError(f"{override}: Hydra's own settings are for the command line")
        if task is not None and re.match(r"[+~]*task\b", override):
            raise ValueError(f"{override}: the task is an object; set it there")


# ---- parts that the command line has too


def find_resumed(config: dict, overrides: Sequence[str]) -> tuple[dict, Resumed | None]:
    """The configuration of a training, and the run that it resumes; None: a new one.

    Notes on a complete run and on changed settings go to standard error.

    Args:
        config: of `overrides`, with the defaults.
        overrides: `KEY=VALUE` each.

    Raises:
        ValueError: see `seq2seq.runs.existing.resume`.
    """
    if not check_flag("resume", config["resume"]):
        return config, None
    config, resumed = resume(config, overrides)
    if resumed is not None and resumed.complete:
        note(f"note: {resumed.path} is complete; there is nothing to do")
    for key, (old, new) in resumed.changes.items() if resumed else ():
        note(f"note: resuming with {key}={new} in place of {old}")
    return config, resumed


def read_task(config: dict, folder: Path | None = None) -> Any:
    """The task of a configuration.

    Args:
        config: of the run.
        folder: a run whose copies of the data are read, if it keeps some; None: the files.
    """
    # Reading data needs no engine, fetching a dictionary does.
    with work.progress("reading the examples"), filtered_stderr():
        return configuration.build_task(with_data_files(config, folder) if folder else config)


def print_notes(task: Any) -> None:
    """Print the notes on the data of a task on standard error."""
    for text in task.notes:
        note(f"note: {text}")


def format_outcome(outcome: Any, path: Path) -> str:
    """Format the size and speed of a training, its test, and where it was saved.

    Args:
        outcome: a `TrainingResult`.
        path: the run directory.
    """
    from seq2seq.evaluation.summary import render

    summary = outcome.summary
    return (
        f"\n{summary['task']}-{summary['model']}  seed {summary['seed']}  "
        f"{summary['parameters']:,} parameters  {summary['train']['steps']:,} steps in "
        f"{summary['train']['seconds']:.1f} s  "
        f"{summary['train']['target_tokens_per_second']:,.0f} target tokens/s\n"
        f"{render(outcome.evaluation)}\nsaved to {path}"
    )


def note_smoke_test(config: dict) -> list[str]:
    """A note on a smoke test; none on any other training."""
    max_steps = config["training"].get("max_steps")  # older runs lack the key
    if max_steps is None:
        return []
    return [f"note: a smoke test of at most {max_steps} updates: its numbers mean nothing"]
