"""Progress of slow commands on standard error.

On a terminal a bar appears after two seconds and disappears at the end; in a log file, lines appear
after twenty seconds and then at growing intervals. From Python nothing is printed until
`show_progress` is called, and nothing from a quiet command.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from seq2seq.runtime.verbosity import is_quiet

TERMINAL_DELAY = 2.0  # seconds before anything is shown on a terminal
LOG_DELAY = 20.0  # the same elsewhere
LONGEST_INTERVAL = 60.0  # seconds between two lines of a log


class _Display:
    """Destination of progress, and whether a bar is shown.

    Attributes:
        file: standard error at the start of the command, since a bar is drawn while it is
            captured; None: nothing is shown.
        busy: whether a bar is shown; nested work shows no bar.
    """

    file: IO | None = None
    busy = False


def show_progress() -> None:
    """Show the progress of this process from now on."""
    if _Display.file is not None:
        return
    with contextlib.suppress(OSError):  # there is no standard error
        _Display.file = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")


@contextlib.contextmanager
def busy() -> Iterator[bool]:
    """Suppress other progress in the block; yield False if progress is shown already."""
    if _Display.busy:
        yield False
        return
    _Display.busy = True
    try:
        yield True
    finally:
        _Display.busy = False


@contextlib.contextmanager
def progress(
    description: str, total: int | None = None, unit: str = ""
) -> Iterator[Callable[[int], None]]:
    """Show the progress of the work inside the `with` block.

    Args:
        description: of the work, as in `"predicting"`.
        total: how much there is to do; None: unknown.
        unit: of it, as in `"sources"`.

    Yields:
        A function that adds finished work (1 by default).

    Example:
        >>> with progress("predicting", total=2, unit="sources") as advance:
        ...     for source in ("abc", "bca"):
        ...         advance()
    """
    with busy() as is_first:
        if _Display.file is None or is_quiet() or not is_first:
            yield lambda count=1: None
            return
        shown = _Shown(_Display.file, description, total, unit)
        try:
            yield shown.advance
        finally:
            shown.end()


class _Shown:
    """Thread that shows the progress of work, if it is slow."""

    def __init__(self, file: IO, description: str, total: int | None, unit: str):
        self.file, self.description, self.total, self.unit = file, description, total, unit
        self.done, self.began, self.ended = 0, time.monotonic(), threading.Event()
        show = self._show_bar if file.isatty() else self._print_lines
        self.thread = threading.Thread(target=show, daemon=True)
        self.thread.start()

    def advance(self, count: int = 1) -> None:
        """Add finished work."""
        self.done += count

    def end(self) -> None:
        """Remove the bar."""
        self.ended.set()
        self.thread.join()

    def _show_bar(self) -> None:
        if self.ended.wait(TERMINAL_DELAY):
            return
        from rich import progress as columns
        from rich.console import Console

        bar = columns.Progress(
            columns.TextColumn(self.description),
            columns.BarColumn(),
            *([columns.MofNCompleteColumn()] if self.total else []),
            columns.TextColumn(self.unit),
            *([columns.TextColumn("left"), columns.TimeRemainingColumn()] if self.total else []),
            console=Console(file=self.file, highlight=False),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with bar:
            task = bar.add_task(self.description, total=self.total)
            while not self.ended.wait(0.1):
                bar.update(task, completed=self.done)

    def _print_lines(self) -> None:
        interval = LOG_DELAY
        while not self.ended.wait(interval):
            print(self.describe(time.monotonic() - self.began), file=self.file, flush=True)
            interval = min(2 * interval, LONGEST_INTERVAL)

    def describe(self, seconds: float) -> str:
        """Format a line of a log."""
        parts = [self.description]
        if self.total is not None:
            parts.append(f"{self.done:,} of {self.total:,} {self.unit}".rstrip())
        elif self.done:
            parts.append(f"{self.done:,} {self.unit}".rstrip())
        return f"{parts[0]}: " + ", ".join([*parts[1:], f"{seconds:.0f} s"])
