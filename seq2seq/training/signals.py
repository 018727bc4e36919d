"""Signals that end a run: the first lets it end in good order, the second acts at once.

SIGINT (Ctrl-C), SIGTERM, SIGHUP, and SIGUSR1 and SIGUSR2, which batch systems send before a time
limit. On Windows SIGBREAK (Ctrl-Break) takes the place of SIGTERM, which no process can be sent.
"""

import contextlib
import os
import signal
import threading

NAMES = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGUSR1", "SIGUSR2")
CAUGHT = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
PARENT = "SEQ2SEQ_PARENT"  # the process that started this one, in its environment
EXIT_ERROR, EXIT_SIGNAL = 2, 128  # exit statuses; to the latter the signal's number is added


def heeded() -> tuple[int, ...]:
    """The signals that end a run: SIGHUP unless it is ignored, as `nohup` wants it."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    is_heeded = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return (*CAUGHT, hangup) if is_heeded else CAUGHT


class Interrupted(Exception):
    """A signal ended training, after a whole step and with a checkpoint.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int):
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Signals:
    """Remembers the first signal of `heeded` that comes while it is entered.

    From then on signals do what they did before: a second Ctrl-C is a KeyboardInterrupt.
    """

    def __init__(self):
        self._received: int | None = None
        self._before: dict = {}
        # Of a run among several. Taken out: a process that this one starts has another parent.
        self._parent = os.environ.pop(PARENT, None)

    @property
    def received(self) -> int | None:
        """The signal; a process that lost the one which started it ends as by SIGTERM."""
        lost = self._parent is not None and str(os.getppid()) != self._parent
        if self._received is None and lost:
            self._received = signal.SIGTERM
        return self._received

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            self._before = {number: signal.signal(number, self._remember) for number in heeded()}
        return self

    def __exit__(self, *_) -> None:
        self._give_back()

    def _remember(self, number: int, frame) -> None:
        self._received = number
        self._give_back()
        name = signal.Signals(number).name
        with contextlib.suppress(OSError):  # whoever read standard error may be gone
            os.write(
                2, f"\n{name}: what is begun is finished first; again ends it at once\n".encode()
            )

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
