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
from seq2seq.runs.files import MODEL
from seq2seq.runs.overrides import follow_latest
from seq2seq.runs.safe_instantiate import instantiate
from seq2seq.runtime import progress as work
from seq2seq.runtime.quiet import filtered_stderr, quiet_engine
from seq2seq.runtime.validation import check_choice, check_flag
from seq2seq.runtime.verbosity import logger, note

if TYPE_CHECKING:
    import keras

    from seq2seq.data.task import Task
    from seq2seq.inference.predictor import Predictor

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
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
    _check_callbacks(callbacks)
    check_flag("progress", progress)
    from seq2seq.inference.loading import load
    from seq2seq.layers.backend import restored_settings

    with _errors_in_one_line(overrides), restored_settings():
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


def _check_callbacks(callbacks: Sequence[Any]) -> None:
    import keras

    if not isinstance(callbacks, list | tuple):
        raise ValueError(f"callbacks must be a list of keras.callbacks.Callback, got {callbacks!r}")
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(f"a callback must be a keras.callbacks.Callback, got {callback!r}")


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


def train_from_config(
    config: dict,
    task: Any,
    resumed: Resumed | None = None,
    callbacks: Sequence[Any] = (),
    show_progress: bool = True,
) -> tuple[Any, Path]:
    """Run a whole configuration: train, test, and write the run directory.

    It changes process-wide settings, see `seq2seq.layers.backend.restored_settings`.

    Args:
        config: resolved, as `seq2seq.config.compose` returns it.
        task: what `seq2seq.config.build_task` made of it.
        resumed: the run that is resumed; None: a new one.
        callbacks: of Keras, see `Trainer.run`.
        show_progress: whether a bar and a line for each epoch are shown on standard error.

    Returns:
        The `seq2seq.training.trainer.TrainingResult`, and the path of the run directory.

    Raises:
        ValueError: anything wrong with the configuration or the data.
    """
    from seq2seq.layers.backend import make_deterministic
    from seq2seq.training.fine_tuning import load_pretrained

    if check_flag("deterministic", config["deterministic"]):
        make_deterministic()
    tracker = build_tracker(config)
    callbacks = [*build_callbacks(config), *callbacks]
    pretrained = None
    if config.get("init_from") is not None:  # older runs lack the key
        pretrained = load_pretrained(config["init_from"])
    trainer, notes = _build_trainer(config, task, pretrained)
    if show_progress:
        for text in notes:
            note(text)
    with _start_run(config, task, resumed, pretrained, tracker) as directory:
        if tracker is not None:
            callbacks = [*callbacks, tracker]
        result = trainer.run(directory, callbacks, show_progress)
        if tracker is not None:
            tracker.finish(result.summary, directory.path / MODEL)
    return result, directory.path


def build_callbacks(config: dict) -> list:
    """The callbacks of a configuration.

    Raises:
        ValueError: one can't be made, or is no `keras.callbacks.Callback`.
    """
    nodes = config.get("callbacks") or ()  # older runs lack the key
    if not isinstance(nodes, list | tuple) or not all(isinstance(node, dict) for node in nodes):
        raise ValueError(
            "callbacks must be a list, as callbacks=[{_target_: keras.callbacks.TerminateOnNaN}], "
            f"got {nodes!r}"
        )
    callbacks = [instantiate(f"callbacks[{number}]", node) for number, node in enumerate(nodes)]
    _check_callbacks(callbacks)
    return callbacks


def build_tracker(config: dict) -> Any:
    """The tracker of a configuration; None: it has none.

    Raises:
        ValueError: what it needs is not installed.
    """
    node = config.get("tracker")  # older runs lack the key
    return instantiate("tracker", node) if node and node["_target_"] else None


def _build_trainer(config: dict, task: Any, pretrained: Any) -> tuple[Any, list[str]]:
    """The trainer of a configuration, with notes on its weights.

    Args:
        config: of the run.
        task: of the run.
        pretrained: a `Pretrained` whose weights the model starts from; None: fresh weights.
    """
    import keras

    from seq2seq.training.fine_tuning import copy_weights, extend_vocabularies, freeze
    from seq2seq.training.trainer import Trainer

    for split in ("validation", "test"):
        task.examples(split)  # a space too small for them is an error before anything is written
    if pretrained is not None:
        task = extend_vocabularies(task, pretrained.predictor)
    keras.utils.set_random_seed(config["seed"])
    training = instantiate("training", config["training"])
    decoding = configuration.build_decoding(config)
    check_choice("precision", config["precision"], PRECISIONS)
    keras.config.set_dtype_policy(config["precision"])
    try:
        model = configuration.build_model(config, task)
    finally:
        keras.config.set_dtype_policy("float32")  # of whatever else is made while it trains
    trainer = Trainer(
        task,
        model,
        configuration.build_optimizer(config),
        training,
        names=config["names"],
        decoding=decoding,
        seed=config["seed"],
    )
    notes = []
    if pretrained is not None:
        counts = copy_weights(model, task, pretrained.predictor)
        notes.append("; ".join([f"note: starts from {pretrained.origin['path']}", *counts]))
    if config.get("freeze") is not None:
        freeze(model, config["freeze"])
    return trainer, notes


@contextlib.contextmanager
def _start_run(
    config: dict, task: Any, resumed: Resumed | None, pretrained: Any, tracker: Any
) -> Iterator[Any]:
    """Open the `RunDirectory` of a configuration, start its tracker, and describe the run there."""
    from seq2seq.data.fingerprint import fingerprint
    from seq2seq.runs.directory import RunDirectory
    from seq2seq.runs.environment import describe_environment, read_checkout, shorten_patch
    from seq2seq.runs.existing import default_name
    from seq2seq.runs.files import keep_data

    name = default_name(config)
    if resumed is None:
        start = (config["run_dir"], name, config["overwrite"], config["resume"])
    else:
        start = (str(resumed.path), name, False, True)
    checkout = read_checkout()
    environment = describe_environment(config["seed"], fingerprint(task), checkout)
    if pretrained is not None:
        environment["init_from"] = pretrained.origin
    with RunDirectory(*start) as directory, _tracked(tracker, config, environment, directory):
        changed = {} if resumed is None else resumed.changes
        patch = shorten_patch(checkout.patch)
        directory.describe(configuration.to_yaml(config), environment, changed, patch)
        if task.keep_data:
            keep_data(directory.path, task.files)
        yield directory


@contextlib.contextmanager
def _tracked(tracker: Any, config: dict, environment: dict, directory: Any) -> Iterator[None]:
    """Start a tracker before anything is written, and end it if the run fails."""
    from seq2seq.runs.environment import ENVIRONMENT, read_environment
    from seq2seq.training.trackers import TrackedRun

    if tracker is None:
        yield
        return
    is_resumed = (directory.path / ENVIRONMENT).is_file()  # that of a new run is written later
    original = read_environment(directory.path) if is_resumed else environment
    tracker.start(TrackedRun(directory.path.resolve(), config, original["started"]))
    try:
        yield
    except BaseException:
        tracker.finish(None, directory.path / MODEL)
        raise
