"""Overrides of a resumed run are laid over its own configuration, not over the defaults."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from seq2seq.config_errors import suggest_key
from seq2seq.runs.existing import MAY_CHANGE
from seq2seq.runs.safe_instantiate import read_config

FLAGS = "-"  # their first character


def check_overrides(path: Path, arguments: Sequence[str]) -> list[str]:
    """Keep the overrides that a run may be resumed with.

    An override with the run's own value is left out.

    Args:
        path: the directory of the run.
        arguments: the overrides of `seq2seq train RUN --resume`, and flags.

    Returns:
        The flags, and the overrides of keys that may change.

    Raises:
        ValueError: the run lacks a key, or it may not change.
    """
    if not (path / "config.yaml").is_file():
        return list(arguments)  # several runs: each checks its own
    saved = read_config(path / "config.yaml")
    return [
        argument
        for argument in arguments
        if argument.startswith(FLAGS) or "=" not in argument or _changes(path, saved, argument)
    ]


def _changes(path: Path, saved: dict, argument: str) -> bool:
    override = OverridesParser.create().parse_override(argument)
    key = override.key_or_group
    if key in MAY_CHANGE or key.startswith("hydra"):
        return True
    names = saved.get("names", {})
    current = names.get(key) if key in names else OmegaConf.select(OmegaConf.create(saved), key)
    parent = saved
    for part in key.split("."):
        if key not in names and not (isinstance(parent, dict) and part in parent):
            raise ValueError(f"unknown key {key!r} of {path}; {suggest_key(key, saved)}")
        parent = parent.get(part) if isinstance(parent, dict) else None
    value = override.value()
    if current == value:
        return False
    shown = f"{current!r} in the run, now {value!r}" if not isinstance(current, dict) else "a group"
    raise ValueError(
        f"{path} can't be resumed with another {key} ({shown}); only its length (training.steps, "
        ".epochs, .patience) and its logging may change: what else differs is another run"
    )
