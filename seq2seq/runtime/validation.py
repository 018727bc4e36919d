"""Validation of arguments: a ValueError names the argument, the received value and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


def check_count(name: str, value: int, minimum: int = 1, maximum: int | None = None) -> int:
    """Return `value` if it is a whole number of at least `minimum` and at most `maximum`.

    >>> check_count("units", 0)
    Traceback (most recent call last):
    ValueError: units must be a whole number of at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{name} must be a whole number of at least {minimum}, got {value!r}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {value}")
    return value


def check_flag(name: str, value: bool) -> bool:
    """Return `value` if it is true or false; text such as "no" is neither."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}")
    return value


def check_rate(name: str, value: float) -> float:
    """Return `value` if it is a rate from 0 up to (not including) 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {value!r}")
    return value


def check_fraction(name: str, value: float) -> float:
    """Return `value` if it is a fraction from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a fraction from 0 to 1, got {value!r}")
    return value


def check_number(
    name: str,
    value: float,
    minimum: float = 0,
    maximum: float | None = None,
    exclusive: bool = False,
) -> float:
    """Return `value` if it is a number of at least `minimum`, or above it, and at most `maximum`.

    >>> check_number("temperature", 0, exclusive=True)
    Traceback (most recent call last):
    ValueError: temperature must be a number above 0, got 0
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if (
        not number
        or not (value > minimum if exclusive else value >= minimum)
        or value > (maximum or value)
    ):
        upper = "" if maximum is None else f" and at most {maximum}"
        raise ValueError(
            f"{name} must be a number {'above' if exclusive else 'of at least'} {minimum}{upper}, "
            f"got {value!r}"
        )
    return value


def check_range(lowest: str, low: int, highest: str, high: int, minimum: int = 0) -> None:
    """Raise a ValueError that names the wrong argument unless `minimum <= low <= high`."""
    check_count(lowest, low, minimum)
    check_count(highest, high, minimum)
    if high < low:
        raise ValueError(f"{highest}={high} is less than {lowest}={low}")


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`; if not, the error names the nearest.

    >>> check_choice("split", "tset", ["train", "test"])
    Traceback (most recent call last):
    ValueError: unknown split 'tset'; did you mean 'test'? There are: train, test
    """
    choices = list(choices)
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1, 0.4)
        hint = f"; did you mean {near[0]!r}? There are: " if near else "; there are: "
        raise ValueError(f"unknown {name} {value!r}{hint}{', '.join(choices)}")
    return value


def check_path(name: str, value: object) -> Path:
    """Return `value` as the path of a directory, `~` expanded; a number is a name of digits."""
    named = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    if not named:
        raise ValueError(f"{name} must be the path of a directory, got {value!r}")
    return Path(str(value)).expanduser()
