"""Several runs of one command, each a directory and a process of its own.

Hydra composes their configurations. Each run is then started as the command that trains it alone,
so runs share no memory and no compiled code, and one that fails does not end the others.
"""

import contextlib
import hashlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote as percent_encode

from seq2seq.config import Job
from seq2seq.runs.existing import default_name, resume
from seq2seq.runs.lock import is_in_use
from seq2seq.runs.overrides import quote
from seq2seq.runtime.extensions import allowed_sources
from seq2seq.runtime.validation import check_path
from seq2seq.runtime.verbosity import is_quiet
from seq2seq.training.signals import (
    EXIT_ERROR,
    EXIT_SIGNAL,
    PARENT,
    handled_signals,
    restore_handlers,
    set_handlers,
)

LONGEST = 200  # of a name; file systems take 255 bytes
# -P: no file of the current directory is taken for a module.
COMMAND = [sys.executable, "-P", "-m", "seq2seq", "train"]


class Planned(NamedTuple):
    """A run before it begins: its job, its name among the others, and its directory."""

    job: Job
    name: str
    path: Path


class Ended(NamedTuple):
    """A run after its end.

    Attributes:
        name, path: of the run.
        status: the exit status of its process.
        in_use: whether another process trains it; then it was skipped.
    """

    name: str
    path: Path
    status: int
    in_use: bool = False


def name_run(swept: Sequence[str]) -> str:
    """Unique name of a directory from `key=value` texts, in their order.

    >>> name_run(["bridge=copy", "task.train=a/b,c.tsv"])
    'bridge=copy,task.train=a%2Fb%2Cc.tsv'
    """
    pairs = [text.lstrip("+").partition("=") for text in swept]
    name = ",".join(
        f"{percent_encode(key, safe='')}={percent_encode(value, safe='+')}"
        for key, _, value in pairs
    )
    if len(name) < LONGEST:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{name[: LONGEST - len(digest) - 1]}~{digest}"


def plan(jobs: Sequence[Job]) -> list[Planned]:
    """Directory of each run: in `run_dir`, named by its overrides; or in `runs/`, as of one alone.

    Raises:
        ValueError: two would be the same run, `run_dir` is no directory for runs, or is missing
            with `resume=true`.
    """
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    planned: dict[Path, Planned] = {}
    for number, job in enumerate(jobs, 1):
        name = name_run(job.swept or [f"seed={job.config['seed']}"])
        if job.config["run_dir"] is not None:
            path = _directory_of(check_path("run_dir", job.config["run_dir"]), name)
        elif job.config["resume"]:
            raise ValueError("resume=true needs the runs to resume: run_dir=PATH")
        else:
            folder = stamp if number == 1 else f"{stamp}-{number}"
            path = Path("runs", default_name(job.config), folder)
        if path in planned:
            raise ValueError(f"{name} is given twice")
        planned[path] = Planned(job, name, path)
    return list(planned.values())


def _directory_of(parent: Path, name: str) -> Path:
    if (parent / "config.yaml").is_file():
        raise ValueError(
            f"run_dir={parent} holds a run itself; several runs need a directory of their own, in "
            "which each has one"
        )
    return parent / name


class Multirun:
    """Trains the runs of one command, one after the other or several at once.

    After the first signal that ends a run (see `handled_signals`) no more begin. It reaches those
    that are running as a SIGTERM, which they take as a single run does; it ends a run that is just
    starting, too, where a KeyboardInterrupt could come up in some library's callback, and be lost.

    Args:
        at_once: number of runs at the same time. Each has an equal share of the cores; the lines
            that it writes to standard error begin with its name, and what it writes to standard
            output comes as a whole.
        flags: of the command, that each run is started with.
        stdout: standard output of a single run at a time; None: that of this process.

    Attributes:
        received: the number of the first signal; None: there was none.
    """

    def __init__(self, at_once: int = 1, flags: Sequence[str] = (), stdout: IO | None = None):
        self.at_once, self.flags, self.stdout = at_once, flags, stdout
        self.received: int | None = None
        self._going: list[subprocess.Popen] = []
        self._changing = threading.RLock()  # a signal may come while another is being passed on
        self._speaking = threading.Lock()
        self._shares: queue.SimpleQueue = queue.SimpleQueue()
        for cores in divide_cores(self.at_once):
            self._shares.put(cores)

    def train(self, runs: Sequence[Planned]) -> list[Ended]:
        """Train all, even if some fail."""
        numbers = [f"run {number} of {len(runs)}" for number in range(1, len(runs) + 1)]
        with self._passing_signals_on(), ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self._train, runs, numbers))

    def _train(self, run: Planned, number: str) -> Ended:
        if is_finished(run):
            self._note(f"{number}: {run.name} is complete")
            return Ended(run.name, run.path, 0)
        if is_in_use(run.path):
            return self._skip(run, number)
        cores = self._shares.get()
        try:
            if cores is not None:
                os.sched_setaffinity(0, cores)  # of this thread, and of the process that it starts
            status = self._run_process(run, number)
        finally:
            self._shares.put(cores)
        if status == EXIT_ERROR and is_in_use(run.path):  # another process was faster
            return self._skip(run, number)
        return Ended(run.name, run.path, status)

    def _skip(self, run: Planned, number: str) -> Ended:
        self._note(f"{number}: {run.name} is in use by another process, and is skipped")
        return Ended(run.name, run.path, 0, in_use=True)

    def _run_process(self, run: Planned, number: str) -> int:
        """Train in a new process; its exit status."""
        with tempfile.TemporaryFile() as output:
            with self._changing:
                if self.received is not None:
                    return EXIT_SIGNAL + self.received
                self._note(f"{number}: {run.name}")
                try:
                    process = self._start(run, output)
                except OSError as error:  # no memory, too many processes
                    self._log(f"{run.name}: error: {error}")
                    return EXIT_ERROR
                self._going.append(process)
            with process:
                for line in process.stderr or ():
                    if line.strip():
                        self._log(f"{run.name}: {line.decode('utf-8', 'replace').rstrip()}")
            with self._changing:
                self._going.remove(process)
            output.seek(0)
            with self._speaking:
                print(output.read().decode("utf-8", "replace"), end="", flush=True)
        if process.returncode < 0:
            self._log(f"{run.name}: ended by {signal.Signals(-process.returncode).name}")
            return EXIT_SIGNAL - process.returncode
        return process.returncode

    def _start(self, run: Planned, output: IO) -> subprocess.Popen:
        overrides = [
            override
            for override in run.job.overrides
            if override.lstrip("+").partition("=")[0] != "run_dir"
        ]
        is_parallel = self.at_once > 1
        allowed = [f"--allow={source}" for source in allowed_sources()]
        return subprocess.Popen(
            [*COMMAND, *allowed, *self.flags, *overrides, f"run_dir={quote(str(run.path))}"],
            env={**environment(), PARENT: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=output if is_parallel else self.stdout,
            stderr=subprocess.PIPE if is_parallel else None,
            # The terminal's signals come once: they are passed on.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # of Windows
        )

    def _note(self, line: str) -> None:
        if not is_quiet():
            self._log(line)

    def _log(self, line: str) -> None:
        with self._speaking:
            print(line, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def _passing_signals_on(self) -> Iterator[None]:
        handlers = set_handlers(handled_signals(), self._pass_on)
        try:
            yield
        finally:
            restore_handlers(handlers)

    def _pass_on(self, number: int, frame) -> None:
        with self._changing:
            if self.received is None:
                self.received = number
            for process in self._going:
                process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM))


def is_finished(run: Planned) -> bool:
    """Whether it is to be resumed and is complete."""
    if run.job.config["resume"] is not True:
        return False
    try:
        _, resumed = resume({**run.job.config, "run_dir": str(run.path)}, run.job.overrides)
    except ValueError:
        return False  # the run itself reports the error
    return resumed is not None and resumed.complete


def divide_cores(parts: int) -> list[set[int] | None]:
    """The cores of this process in `parts` equal parts; None: nothing is to be divided, or can be.

    How a sum is divided among cores changes its last bits, so no part is larger than another. Where
    there are fewer cores than parts, some parts are the same core.
    """
    if parts == 1 or not hasattr(os, "sched_getaffinity"):
        return [None] * parts
    cores = sorted(os.sched_getaffinity(0))
    size = max(1, len(cores) // parts)
    firsts = [number * size % len(cores) for number in range(parts)]
    return [set(cores[first : first + size]) for first in firsts]


def environment() -> dict[str, str]:
    """Environment variables of a run: those of this process, with the path of this package."""
    paths = [os.environ.get("PYTHONPATH"), str(Path(__file__).parents[2])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
