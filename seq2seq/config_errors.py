"""Errors of configurations, described in one line with the nearest valid choice."""

import difflib
import re
from collections.abc import Iterator, Sequence

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from seq2seq.config import GROUPS, compose
from seq2seq.runs.overrides import quote

# Errors of bad input; a loss that is no number is a FloatingPointError.
ERRORS = (ValueError, FloatingPointError, OSError, HydraException, OmegaConfBaseException)


def explain(error: Exception, overrides: Sequence[str] = ()) -> str:
    """Describe an error in one line, with the nearest valid choice.

    Args:
        error: the exception.
        overrides: the command line; the groups chosen there have the valid keys.
    """
    text = " ".join(str(error).split())
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        near = difflib.get_close_matches(option, error.options, 1, 0.4)
        return (
            f"unknown {group} {option!r}"
            + (f"; did you mean {near[0]!r}?" if near else ";")
            + f" There are: {', '.join(error.options)}"
        )
    if "Ambiguous value for argument" in text:
        return (
            "several values for one key are several runs: add -m (python train.py -m ...); a comma "
            "that belongs to the value needs quotes (\"key='a,b'\")"
        )
    if isinstance(error, OverrideParseException) and "=" not in error.override:
        return (
            f"{error.override!r} is no KEY=VALUE; to resume a run: "
            f"seq2seq train {error.override} --resume"
        )
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        return f'{error.override} can\'t be read; put text in quotes: "{key}={quote(value)}"'
    taken = [override for override in overrides if override.startswith("~")]
    if taken and isinstance(error, KeyError | InterpolationKeyError):
        return (
            f"{taken[0]}: the program needs this key, and takes none away; to leave a part out "
            "choose none, as in attention=none, or null for a value"
        )
    if isinstance(error, KeyError):
        return (
            f"the configuration lacks the key {text}: another version of this package wrote it "
            "(SEQ2SEQ_TRACEBACK=1 shows where it came from)"
        )
    unknown = re.search(r"[Cc]ould not override '([^']+)'", text)
    if unknown:
        return f"unknown key {unknown[1]!r}; {suggest_key(unknown[1], _chosen(overrides))}"
    if not isinstance(error, ERRORS):
        return f"{type(error).__name__}: {text} (SEQ2SEQ_TRACEBACK=1 shows where it came from)"
    return text


def _chosen(overrides: Sequence[str]) -> dict:
    """Configuration of the groups chosen in `overrides`, without their other keys."""
    try:
        return compose([override for override in overrides if override.partition("=")[0] in GROUPS])
    except ERRORS:  # the choice is invalid, or several: use the defaults
        return compose([])


def suggest_key(key: str, config: dict) -> str:
    """Suggest the key of a configuration nearest to an unknown one, or list its keys."""
    known = [*_keys(config)]
    short = ".".join(key.split(".")[-2:])
    if short in known and short != key:  # model.decoder.cell.kind is an interpolation of cell.kind
        return f"did you mean {short!r}?"
    if key in known:  # of a default; the chosen file lacks it
        return f"the chosen {key.partition('.')[0]} has no such key; +{key}=VALUE adds it"
    group, _, last = key.rpartition(".")
    inside = [name for name in known if name.startswith(f"{group.split('.')[0]}.")]
    alike = [name for name in inside if name.rpartition(".")[2] == last]
    if near := alike[:1] or difflib.get_close_matches(key, inside if inside else known, 1, 0.8):
        return f"did you mean {near[0]!r}?"
    if inside:
        keys = [name.partition(".")[2] for name in inside if not name.endswith("._target_")]
        if not keys:
            return f"{group.split('.')[0]} as it is chosen has no keys"
        return f"{group.split('.')[0]} has {', '.join(keys)}"
    if near := difflib.get_close_matches(key, known, 1, 0.5):
        return f"did you mean {near[0]!r}?"
    return "`python train.py --cfg job` shows all keys of a configuration"


def _keys(node: dict, prefix: str = "") -> Iterator[str]:
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
