"""Overrides of decoding on the command line of a verb (`decoding=beam decoding.width=5`).

They are those of `train`, with its composition and its checks, but laid over the run's own
settings: what they don't name stays as the run was configured, as with the flags.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

GROUP = "decoding"
OVERRIDE = re.compile(rf"{GROUP}(\.\w+)*=")


def split_overrides(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Split the overrides of decoding off the arguments of a verb.

    A word that begins with `decoding=` or `decoding.KEY=` is one, unless it is the value of the
    option before it or stands after `--`.

    Args:
        parser: of the verb.
        arguments: of the verb.

    Returns:
        The overrides, and the remaining arguments.
    """
    arguments = [*arguments]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    taken, remaining = [], []
    for previous, word in zip(["", *arguments], arguments[:end], strict=False):
        option = parser._option_string_actions.get(previous)
        is_value = option is not None and option.nargs is None
        (taken if OVERRIDE.match(word) and not is_value else remaining).append(word)
    return taken, [*remaining, *arguments[end:]]


def read_overrides(words: Sequence[str], strategy: str) -> tuple[dict[str, Any], str | None]:
    """Read overrides of decoding.

    Args:
        words: as they are on the command line.
        strategy: of the run, as in `decoding=NAME`.

    Returns:
        The values of the keys that are set, and the strategy that is chosen; None: that of the run.

    Raises:
        ValueError, HydraException: a word can't be read, a strategy or key is unknown, or a value
            is invalid.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from seq2seq.config import build_decoding, compose
    from seq2seq.runs.overrides import quote_overrides

    choice, keys, settings = None, [], []
    for override in OverridesParser.create().parse_overrides(quote_overrides(words)):
        target, text = override.key_or_group, override.input_line
        if override.is_sweep_override():
            raise ValueError(
                f"{text}: one value was expected; a comma that belongs to it needs quotes "
                f"(\"{target}='a,b'\")"
            )
        if target == GROUP:
            choice = text.partition("=")[2].strip("'\"")
        else:
            keys.append(target.removeprefix(f"{GROUP}."))
            settings.append(text)
    name = strategy if choice is None else choice
    chosen = f"{GROUP}={name}"
    known = compose([chosen])[GROUP]
    for key in keys:
        check_key(key, name, known)
    built = build_decoding(compose([chosen, *settings]))
    values = {
        key: getattr(built if key in built.to_config() else built.strategy, key) for key in keys
    }
    return values, choice


def check_key(key: str, name: str, known: dict) -> None:
    """Raise a ValueError if a strategy lacks a key."""
    from seq2seq.config_errors import suggest_key
    from seq2seq.inference.decoding_options import STRATEGIES

    if key in known and key != "_target_":
        return
    owners = [
        owner
        for owner, strategy in STRATEGIES.items()
        if key in {field.name for field in fields(strategy)}
    ]
    advice = f"it belongs to {GROUP}={owners[0]}" if owners else None
    raise ValueError(
        f"{GROUP}={name} has no key {key!r}; "
        + (advice or suggest_key(f"{GROUP}.{key}", {GROUP: known}))
    )


def check_flags(
    words: Sequence[str], values: dict[str, Any], choice: str | None, options: argparse.Namespace
) -> None:
    """Raise a ValueError if a flag and an override set one thing to different values.

    Args:
        words: the overrides as they are on the command line.
        values, choice: see `read_overrides`.
        options: of the command line.
    """
    settings = {} if choice is None else {GROUP: choice}
    settings |= {f"{GROUP}.{key}": value for key, value in values.items()}
    for name, value in settings.items():
        flag = "strategy" if name == GROUP else name.removeprefix(f"{GROUP}.")
        flag_value = getattr(options, flag, None)
        if flag_value is None:
            continue
        parts = flag_value if isinstance(flag_value, list) else [flag_value]
        compared = tuple(parts) if isinstance(flag_value, list) else flag_value
        if (flag, compared) == ("unknown", "skip"):  # an error of the text, whose line is left out
            compared = "error"
        if compared != value:
            word = next(word for word in reversed(words) if word.startswith(f"{name}="))
            shown = "" if flag_value is True else " " + ",".join(map(str, parts))
            flag = f"--{flag.replace('_', '-')}{shown}"
            raise ValueError(f"{flag} and {word} contradict each other; leave one out")


def override_decoding(
    decoding: Any, words: Sequence[str], options: argparse.Namespace
) -> tuple[Any, str | None]:
    """Lay overrides over the settings of a run.

    Args:
        decoding: the settings of the run.
        words: the overrides.
        options: of the command line.

    Returns:
        The settings, and the strategy that the overrides choose; None: they choose none.

    Raises:
        ValueError, HydraException: an override is invalid, or contradicts a flag.
    """
    if not words:
        return decoding, None
    from seq2seq.inference.decoding_options import STRATEGIES

    kinds = {type(None): "greedy", **{kind: name for name, kind in STRATEGIES.items()}}
    current = kinds.get(type(decoding.strategy))  # None: one of the user's own
    values, choice = read_overrides(words, current or "greedy")
    check_flags(words, values, choice, options)
    shared = {key: value for key, value in values.items() if key in decoding.to_config()}
    of_strategy = {key: value for key, value in values.items() if key not in shared}
    strategy = decoding.strategy
    if choice not in (None, current):
        strategy = None if choice == "greedy" else STRATEGIES[choice]()
    if of_strategy:
        strategy = replace(strategy, **of_strategy)
    return replace(decoding, strategy=strategy, **shared), choice
