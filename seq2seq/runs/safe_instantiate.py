"""Safe instantiation of untrusted configurations.

Reading a configuration evaluates nothing. Only tasks, layers, models, search strategies, training
settings and Keras's optimizers are instantiated, and classes of extensions that the user installed
or allowed: no class that writes or deletes files, no function, nothing of any other package.
"""

import importlib
import inspect
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.utils import get_args_parser  # Hydra's own, or the two could disagree

from seq2seq.runtime import extensions
from seq2seq.runtime.manifest import NotAsWritten, read_checked

# Modules of the classes that a configuration may name, and where those may be defined.
TRUSTED_MODULES = (
    "seq2seq.data",
    "seq2seq.layers",
    "seq2seq.models",
    "seq2seq.decoding",
    "seq2seq.training.arguments",
    "seq2seq.training.curriculum",
    "seq2seq.training.teacher_forcing",
    "seq2seq.training.trackers",
    "keras.optimizers",
)
# Classes of Keras's that a configuration may name beside its optimizers; others write files.
KERAS_CLASSES = (
    "keras.callbacks.EarlyStopping",
    "keras.callbacks.ReduceLROnPlateau",
    "keras.callbacks.TerminateOnNaN",
)
KERAS_HOMES = ("keras.src.optimizers", "keras.src.callbacks")  # where Keras defines them
# Settings of Hydra's that this program does not use, and why.
REFUSED_SETTINGS = {
    r"\+*hydra\.job\.chdir=(?!false$).*": "relative paths are read where the command is given; "
    "run_dir=PATH is the run directory",
    r"\+*hydra\.(run\.dir|sweep\.dir|sweep\.subdir|output_subdir)=.*": "it would change nothing; "
    "run_dir=PATH is the run directory, and of several runs their parent",
}
LARGEST = 2**18  # bytes of a configuration: some numbers take time with the square of theirs
DEEPEST = 50  # mappings and lists of a file inside each other


def find_class(target: object) -> type:
    """The class that a `_target_` names.

    Raises:
        ValueError: it is no class of `TRUSTED_MODULES`, `KERAS_CLASSES` or of an extension; a
            configuration may make nothing else.
    """
    module, _, name = str(target).rpartition(".")
    advice = ""
    is_known = module == "seq2seq" or _stands_in(module, TRUSTED_MODULES) or target in KERAS_CLASSES
    if isinstance(target, str) and is_known:
        try:
            cls = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"_target_ {target!r} can't be found: {error}") from None
        if inspect.isclass(cls) and _stands_in(cls.__module__, (*TRUSTED_MODULES, *KERAS_HOMES)):
            return cls
    elif isinstance(target, str):
        try:
            return extensions.find_class(module, name)
        except extensions.ForeignClass as error:
            advice = f"; {error}" if str(error) else ""
        except ValueError as error:
            raise ValueError(f"_target_ {target!r} can't be found: {error}") from None
    raise ValueError(
        f"_target_ {target!r} is refused: a configuration may only name classes of "
        f"{', '.join((*TRUSTED_MODULES, *KERAS_CLASSES))}{advice}"
    )


def _stands_in(module: str, modules: tuple[str, ...]) -> bool:
    return any(module == trusted or module.startswith(trusted + ".") for trusted in modules)


def instantiate(name: str, node: dict) -> Any:
    """The object that `node` describes.

    Its values are used unchanged: no interpolation is resolved, no text is evaluated.

    Args:
        name: its name in error messages.
        node: a resolved configuration with a `_target_`.

    Raises:
        ValueError: an argument that the constructor refuses, or a target that is not allowed.
    """
    node = _leave_out_nothing(node)
    _check_values(name, node)
    for target in _targets(node):
        find_class(target)  # all are checked before anything is made
    try:
        return _make(node)
    except Exception as error:
        message = " ".join(str(error).split())
        if foreign := re.search(
            r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", message
        ):
            message = f"there is no key {foreign[2]!r} in {foreign[1]}"
        raise ValueError(message if message.startswith(name) else f"{name}: {message}") from error


def _check_values(name: str, node: Any) -> None:
    """Raise a ValueError if a constructor would get a mapping: Keras makes any object of some.

    Its arguments are plain (numbers, names of activations, lists of them), or objects with a
    `_target_` of their own.
    """
    if isinstance(node, dict):
        if "_target_" not in node:
            raise ValueError(
                f"{name} must be a plain value, or a part with a _target_; it has "
                f"{', '.join(map(str, node)) or 'nothing'}"
            )
        for key, value in node.items():
            _check_values(f"{name}.{key}", value)
    elif isinstance(node, list):
        for value in node:
            _check_values(name, value)


def _targets(node: Any) -> Iterator[object]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _targets(part)


def _leave_out_nothing(node: Any) -> Any:
    """`node` with None for every part whose `_target_` is null, as in attention=none."""
    if isinstance(node, dict):
        return {
            key: None
            if isinstance(value, dict) and value.get("_target_", "") is None
            else _leave_out_nothing(value)
            for key, value in node.items()
        }
    return node


def _make(node: Any) -> Any:
    if isinstance(node, list):
        return [_make(part) for part in node]
    if not isinstance(node, dict):
        return node
    arguments = {key: _make(value) for key, value in node.items() if key != "_target_"}
    return find_class(node["_target_"])(**arguments) if "_target_" in node else arguments


def read_config(path: Path) -> dict:
    """Read a configuration from a file: plain values, no interpolation.

    Raises:
        ValueError: the file is missing, no YAML or no mapping, is nested too deeply, or holds an
            alias (a few lines of them can stand for more values than any memory holds) or a tag.
    """
    _, config = read_plain_yaml(path)
    if config is None:
        raise ValueError(f"{path} can't be read: keys and values were expected")
    return config


def read_plain_yaml(path: Path) -> tuple[str, dict | None]:
    """Read a YAML file of one mapping of plain values, without aliases and tags.

    Returns:
        The text of the file, and its mapping; None: it is empty.

    Raises:
        ValueError: the file is missing, no such YAML, or nested too deeply.
    """
    try:
        content, depth = read_checked(path), 0
        if len(content) > LARGEST:
            raise ValueError(
                f"it has {len(content):,} bytes, a configuration has {LARGEST:,} at most"
            )
        text = content.decode("utf-8")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
                raise ValueError(f"line {line} holds an alias or a tag, plain values were expected")
            if depth == 0 and isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
                raise ValueError("keys and values were expected")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError(f"line {line} is nested deeper than {DEEPEST}")
        return text, yaml.safe_load(text)
    except NotAsWritten:
        raise
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} can't be read: {' '.join(str(error).split())}") from None


def check_arguments(arguments: Sequence[str]) -> Namespace:
    """Check the command line before Hydra reads it.

    Returns:
        Hydra's flags, and `overrides`.

    Raises:
        ValueError: configurations are added otherwise than by `--config-dir`, whose files
            `seq2seq.cli.composition` checks, or that is no directory; or a setting of Hydra's is
            given that this program does not use.
    """
    options = get_args_parser().parse_args(list(arguments))
    if options.experimental_rerun is not None:
        raise ValueError("--experimental-rerun reads a pickle, which could run anything: refused")
    keys = [override.lstrip("+~").partition("=")[0] for override in options.overrides]
    for pattern, reason in REFUSED_SETTINGS.items():
        for override in options.overrides:
            if re.fullmatch(pattern, override):
                raise ValueError(f"{override}: {reason}")
    if options.config_path is not None or {"hydra", "hydra.searchpath"} & {*keys}:
        raise ValueError("configurations of your own are added by --config-dir DIRECTORY alone")
    if options.config_dir is not None and not Path(options.config_dir).is_dir():
        raise ValueError(f"--config-dir {options.config_dir}: no such directory")
    return options
