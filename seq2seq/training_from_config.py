"""Training from a configuration: its parts are made, and its run directory is written."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq import config as configuration
from seq2seq.runs.existing import Resumed
from seq2seq.runs.files import MODEL
from seq2seq.runs.safe_instantiate import instantiate
from seq2seq.runtime.validation import check_choice, check_flag
from seq2seq.runtime.verbosity import note

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def train_from_config(
    config: dict,
    task: Any,
    resumed: Resumed | None = None,
    callbacks: Sequence[Any] = (),
    show_progress: bool = True,
) -> tuple[Any, Path]:
    """Run a whole configuration: train, test, and write the run directory.

    Process-wide settings are afterwards what they were, see `restored_settings`.

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
    from seq2seq.layers.backend import restored_settings

    with restored_settings():
        return _train(config, task, resumed, callbacks, show_progress)


def _train(
    config: dict, task: Any, resumed: Resumed | None, callbacks: Sequence[Any], show_progress: bool
) -> tuple[Any, Path]:
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
    check_callbacks(callbacks)
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


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Raise a ValueError unless all are a `keras.callbacks.Callback`, in a list."""
    import keras

    if not isinstance(callbacks, list | tuple):
        raise ValueError(f"callbacks must be a list of keras.callbacks.Callback, got {callbacks!r}")
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(f"a callback must be a keras.callbacks.Callback, got {callback!r}")
