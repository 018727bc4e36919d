"""Options that verbs of the command line share, and parsers of their values."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NoReturn

from seq2seq.cli.decoding_overrides import override_decoding
from seq2seq.runtime.vocabulary import UNKNOWN_POLICIES

STRATEGIES = ("greedy", "beam", "sample")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line; an option takes `--` as a value (`--banned=--`)."""

    def error(self, message: str) -> NoReturn:
        """Print an error and where there is help, and exit with status 2."""
        if message.endswith("expected one argument"):
            message += " (a value that begins with a dash is written --option=VALUE)"
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and arg_strings == ["--"]:  # argparse takes it away
            return self._get_value(action, "--")
        return super()._get_values(action, arg_strings)


def add_format(parser: argparse.ArgumentParser, description: str) -> None:
    """Add the option for the format of the output."""
    parser.add_argument(
        "--format", choices=("text", "tsv", "jsonl"), default="text", help=description
    )


def names(text: str) -> list[str]:
    """Names separated by commas, for argparse."""
    return text.split(",")


def natural(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def naturals(text: str) -> list[int]:
    """Whole numbers of at least 0, for argparse."""
    return [natural(part) for part in text.split(",")]


def tolerance(text: str) -> float:
    """A number of at least 0, for argparse."""
    value = number(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return value


def add_ensemble(parser: argparse.ArgumentParser) -> None:
    """Add the option for further runs."""
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        dest="others",
        metavar="RUN",
        help="another run of the same task, for an ensemble (repeatable)",
    )


def add_decoding(
    parser: argparse.ArgumentParser, ensemble: bool = True, skip: bool = False
) -> None:
    """Add the decoding options; those that are absent keep the run's values.

    Args:
        parser: of a verb.
        ensemble: whether several runs may answer together.
        skip: whether `--unknown skip` is a choice.
    """
    if ensemble:
        add_ensemble(parser)
    group = parser.add_argument_group(
        "decoding (default: as the run was configured; overrides of train are taken too, as "
        "decoding=beam decoding.width=5)"
    )

    def add(flag: str, metavar: str, type: Callable, help: str) -> None:
        group.add_argument(flag, metavar=metavar, type=type, help=help)

    group.add_argument("--strategy", choices=STRATEGIES, help="how answers are searched for")
    add("--width", "N", count, "beam: hypotheses followed for each source")
    add("--length-penalty", "ALPHA", penalty, 'beam: of Wu et al. 2016, or "average"')
    add("--coverage-penalty", "BETA", number, "beam: of Wu et al. 2016")
    group.add_argument(
        "--early-stopping",
        action="store_true",
        default=None,
        help="beam: stop with the first answers that end",
    )
    add("--num-groups", "N", count, "beam: groups that avoid the tokens of earlier groups")
    add(
        "--diversity-penalty",
        "X",
        number,
        "beam: penalty of a token for each earlier group that has it",
    )
    add("--temperature", "T", number, "sample: below 1 likely tokens become likelier")
    add("--top-k", "N", count, "sample: only the N likeliest tokens")
    add("--top-p", "P", number, "sample: only the likeliest tokens that together reach P")
    add("--min-p", "P", number, "sample: only tokens with this share of the likeliest's")
    add("--seed", "N", int, "sample: of the draws")
    add("--num-samples", "N", count, "sample: number of answers drawn for each source")
    add(
        "--max-length",
        "N",
        length,
        'tokens after which an answer is cut off, or "2x" the source\'s',
    )
    add("--min-length", "N", length, 'tokens before which no answer ends, or "0.5x" the source\'s')
    add("--no-repeat-ngram-size", "N", count, "no sequence of N symbols occurs twice in an answer")
    add("--lexicon", "FILE", str, "only answers of this file, one a line")
    for flag, words in (("--banned", "never occurs"), ("--allowed", "may occur, and no other")):
        group.add_argument(
            flag, action="append", metavar="SYMBOL", help=f"a symbol that {words} (repeatable)"
        )
    group.add_argument(
        "--unknown",
        choices=(*UNKNOWN_POLICIES, "copy", *(["skip"] if skip else [])),
        help="a symbol never seen in training: an error; read the unknown token instead; or also "
        "copy it where the model writes the unknown token"
        + ("; or leave the answer empty, which is no error then" if skip else ""),
    )


def count(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def number(text: str) -> float:
    """A number, for argparse."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None


def penalty(text: str) -> float | str:
    """A number or "average", for argparse."""
    return text if text == "average" else number(text)


def length(text: str) -> int | str:
    """A length in tokens, or in relation to the source's; `Decoding` checks it."""
    return int(text) if text.isdigit() else text


def choose_decoding(options: argparse.Namespace, decoding: Any) -> Any:
    """`decoding` with the overrides and the values of the options.

    Raises:
        ValueError: an option belongs to another strategy, contradicts an override, or its value is
            invalid.
    """
    from seq2seq.decoding import Beam, Greedy, Sample

    strategies = {"greedy": Greedy, "beam": Beam, "sample": Sample}
    decoding, overriding = override_decoding(decoding, options.overrides, options)
    named = options.strategy or overriding
    values = {name: value for name, value in vars(options).items() if value is not None}
    chosen = decoding.strategy
    if named and not isinstance(chosen, strategies[named]):
        chosen = None if named == "greedy" else strategies[named]()
    elif named == "greedy":
        chosen = None
    if chosen is None and named is None and values.get("n_best", 1) > 1:
        chosen = Beam(width=max(Beam.width, values["n_best"]))  # the likeliest one has no second
    for name, strategy in (("beam", Beam), ("sample", Sample)):
        settings = {f.name: values[f.name] for f in fields(strategy) if f.name in values}
        settings.pop("n_best", None)  # `Predictor.predict` takes care of it
        if not settings:
            continue
        if chosen is None and named is None:
            chosen = strategy()  # --width 5 alone means beam search
        if not isinstance(chosen, strategy):
            flag = "--" + next(iter(settings)).replace("_", "-")
            raise ValueError(f"{flag} belongs to --strategy {name}")
        chosen = replace(chosen, **settings)
    if values.get("unknown") == "skip":
        values["unknown"] = "error"  # of the text; the line is then left empty
    shared = ("max_length", "min_length", "no_repeat_ngram_size", "unknown", "banned", "allowed")
    changes = {name: values[name] for name in shared if name in values}
    if options.lexicon:
        from seq2seq.data.files import read_lines

        changes["lexicon"] = [line for _, line in read_lines(options.lexicon)]
    return replace(decoding, strategy=chosen, **changes)
