"""Flags that every verb of the command line has, and those of `train` that are not Hydra's."""

import argparse
from collections.abc import Sequence

from seq2seq import __version__
from seq2seq.cli.options import Parser
from seq2seq.runtime.verbosity import NORMAL, QUIET, VERBOSE


def add_version(parser: argparse.ArgumentParser) -> None:
    """Add the option that prints the version of this package."""
    parser.add_argument("--version", action="version", version=f"seq2seq {__version__}")


def add_allow(parser: argparse.ArgumentParser) -> None:
    """Add the option for extensions: modules of the user's own."""
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="NAME",
        help="package or .py file of your own whose classes the run may name; its code is run, so "
        "allow only what you trust (again for another)",
    )


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options of every verb: `--allow`, `--quiet`, `--verbose` and `--version`."""
    group = parser.add_mutually_exclusive_group()
    for flag, level, help in (
        ("quiet", QUIET, "errors and warnings alone on standard error: no progress, no notes"),
        ("verbose", VERBOSE, "more on standard error: a log, and the traceback of an error"),
    ):
        group.add_argument(
            f"-{flag[0]}",
            f"--{flag}",
            action="store_const",
            const=level,
            default=NORMAL,
            dest="verbosity",
            help=help,
        )
    add_version(parser)
    add_allow(parser)


def split_flags(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split the flags that are not Hydra's off the arguments of `train`.

    Returns:
        `jobs`, `allow` and `verbosity`, and the remaining arguments.
    """
    return make_train_parser().parse_known_args(list(arguments))


def make_train_parser() -> argparse.ArgumentParser:
    """Make the parser of the flags of `train` that are not Hydra's."""
    parser = Parser(prog="python train.py", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="runs at a time, with -m (default 1)"
    )
    add_common(parser)
    return parser
