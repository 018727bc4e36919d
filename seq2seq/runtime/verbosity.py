"""Amount of text on standard error: quiet, normal or verbose.

Errors and warnings are always printed. Quiet commands print no progress and no notes; verbose ones
print the log of `seq2seq` from level INFO on, and the traceback of an error.
"""

from __future__ import annotations

import logging
import os
import sys

QUIET, NORMAL, VERBOSE = -1, 0, 1
FLAGS = {QUIET: ["--quiet"], NORMAL: [], VERBOSE: ["--verbose"]}
TRACEBACK = "SEQ2SEQ_TRACEBACK"  # an environment variable: errors are raised

logger = logging.getLogger("seq2seq")


class _Current:
    """Verbosity of this process, and the handler of its log.

    Attributes:
        level: `QUIET`, `NORMAL` or `VERBOSE`.
        handler: of the log of a verbose command; None: Python's own prints warnings.
    """

    level = NORMAL
    handler: logging.Handler | None = None


def set_verbosity(level: int) -> None:
    """Set the verbosity of this process: `QUIET`, `NORMAL` or `VERBOSE`."""
    if _Current.handler is not None:
        logger.removeHandler(_Current.handler)
        logger.setLevel(logging.NOTSET)
        _Current.handler = None
    logger.removeFilter(_is_no_note)
    if level == QUIET:
        logger.addFilter(_is_no_note)
    if level == VERBOSE:
        _Current.handler = logging.StreamHandler(sys.stderr)
        logger.addHandler(_Current.handler)
        logger.setLevel(logging.INFO)
    _Current.level = level


def _is_no_note(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("note:")


def is_quiet() -> bool:
    """Whether progress and notes are left out."""
    return _Current.level == QUIET


def has_tracebacks() -> bool:
    """Whether an error shows its traceback."""
    return _Current.level == VERBOSE or bool(os.environ.get(TRACEBACK))


def verbosity_flags() -> list[str]:
    """Flags of a command that has the verbosity of this process."""
    return [*FLAGS[_Current.level]]


def note(text: str) -> None:
    """Print a line on standard error, unless the command is quiet."""
    if not is_quiet():
        print(text, file=sys.stderr, flush=True)
