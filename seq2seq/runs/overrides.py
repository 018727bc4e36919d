"""Overrides of the command line (`key=value`), as Hydra's grammar can read them.

Many characters of file names and symbols have a meaning in that grammar: a value that it cannot
read is text, and is put in quotes.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException

from seq2seq.runs.files import LATEST

# Keys that hold text: what looks like a number or a list of choices is text there, too.
PATH_KEYS = ("run_dir", "init_from", "task.train", "task.validation", "task.test", "task.path")
TEXT_KEYS = (*PATH_KEYS, "task.tag_separator")


def quote(text: str) -> str:
    """Return `text` as a value of Hydra's command line, whatever its characters.

    >>> quote("it's")
    "'it\\\\'s'"
    """
    # In quotes Hydra takes a backslash as it is, unless it stands before a quote.
    inside = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + "\\'" * bool(m[2]), text)
    return f"'{inside}'"


def quote_overrides(arguments: Sequence[str], is_multirun: bool = False) -> list[str]:
    """Return `arguments` with quotes around each value that Hydra cannot read.

    Args:
        arguments: overrides and flags; flags stay as they are.
        is_multirun: whether a comma separates the values of several runs.

    >>> quote_overrides(["task.train=a(1).tsv", "task.tag_separator=;", "decoding.banned=[!,a]"])
    ["task.train='a(1).tsv'", "task.tag_separator=';'", "decoding.banned=['!',a]"]
    >>> quote_overrides(["run_dir=1e3", "seed=1,2", "task.train=null"])
    ["run_dir='1e3'", 'seed=1,2', 'task.train=null']
    """
    return [_quote_override(argument, is_multirun) for argument in arguments]


def follow_latest(arguments: Sequence[str]) -> list[str]:
    """Return `arguments` with the name of the run that `init_from=runs/latest` means.

    The link soon points at the run that begins.
    """
    return [_follow_latest(argument) for argument in arguments]


def _follow_latest(argument: str) -> str:
    key, _, value = argument.partition("=")
    if key != "init_from" or not Path(value).absolute().is_relative_to(LATEST.absolute()):
        return argument
    return f"{key}={os.path.relpath(Path(value).resolve())}"


def _quote_override(argument: str, is_multirun: bool) -> str:
    key, equals, value = argument.partition("=")
    if argument.startswith("-") or not equals or not _can_read(f"{key}=1"):
        return argument
    if _can_read(argument):
        is_text = key.lstrip("+") in TEXT_KEYS and _looks_otherwise(argument, is_multirun)
        return f"{key}={quote(value)}" if is_text else argument
    if value.startswith("[") and value.endswith("]"):
        parts = [part.strip() for part in value[1:-1].split(",")]
        parts = [part if _can_read(f"{key}=[{part}]") else quote(part) for part in parts]
        quoted = f"{key}=[{','.join(parts)}]"
    elif is_multirun and "," in value:
        return argument  # one text, or several? The error shows how to write either
    else:
        quoted = f"{key}={quote(value)}"
    return quoted if _can_read(quoted) else argument


def _can_read(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _looks_otherwise(override: str, is_multirun: bool) -> bool:
    """Whether Hydra reads the value of a text as a number, as true or false, or as a sweep."""
    parsed = OverridesParser.create().parse_override(override)
    if parsed.is_sweep_override():
        return not is_multirun
    value = parsed.value()
    return isinstance(value, bool | int | float) and not isinstance(value, QuotedString)
