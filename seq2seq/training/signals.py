"""Signals that end a run: the first after the current step, the second at once.

SIGINT (Ctrl-C), SIGTERM, SIGHUP, and SIGUSR1 and SIGUSR2, which batch systems send before a time
limit. On Windows SIGBREAK (Ctrl-Break) replaces SIGTERM, which no process can be sent.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGUSR1", "SIGUSR2")
CAUGHT = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
PARENT = "SEQ2SEQ_PARENT"  # environment variable: the process that started this one
EXIT_ERROR, EXIT_SIGNAL = 2, 128  # exit statuses; the signal's number is added to the latter


def handled_signals() -> tuple[int, ...]:
    """Signals that end a run: SIGHUP among them unless it is ignored, as under `nohup`."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    is_handled = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return (*CAUGHT, hangup) if is_handled else CAUGHT


def set_handlers(numbers: Iterable[int], handler: Callable) -> dict[int, Any]:
    """Handle signals by `handler`, and return the old handlers; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in numbers}


def restore_handlers(handlers: dict[int, Any]) -> None:
    """Set the handlers that `set_handlers` returned."""
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


class Interrupted(Exception):
    """Error: a signal ended training, after a whole step and with a checkpoint.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int):
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Signals:
    """Context manager that records the first of `handled_signals`.

    After it signals have their old handlers: a second Ctrl-C is a KeyboardInterrupt.
    """

    def __init__(self):
        self._received: int | None = None
        self._old_handlers: dict = {}
        # Removed from the environment: a process that this one starts has another parent.
        self._parent = os.environ.pop(PARENT, None)

    @property
    def received(self) -> int | None:
        """The signal; SIGTERM if the process that started this one is gone."""
        is_orphan = self._parent is not None and str(os.getppid()) != self._parent
        if self._received is None and is_orphan:
            self._received = signal.SIGTERM
        return self._received

    def __enter__(self) -> "Signals":
        self._old_handlers = set_handlers(handled_signals(), self._handle)
        return self

    def __exit__(self, *_) -> None:
        restore_handlers(self._old_handlers)

    def _handle(self, number: int, frame) -> None:
        self._received = number
        restore_handlers(self._old_handlers)
        message = "finishing the current step; press Ctrl-C again to abort"
        with contextlib.suppress(OSError):  # the reader of standard error may be gone
            os.write(2, f"\n{signal.Signals(number).name}: {message}\n".encode())
