"""The run directory: where a run keeps all that it made. Files appear whole or not at all."""

import contextlib
import csv
import errno
import io
import itertools
import json
import logging
import os
import shutil
import time
import weakref
from pathlib import Path

from seq2seq.arguments import check_flag, check_path
from seq2seq.training.environment import ENVIRONMENT, environment_changes, read_environment
from seq2seq.training.lock import lock
from seq2seq.training.resume import Checkpoints
from seq2seq.training.run_files import (
    CHECKPOINTS,
    CONFIG,
    FILES,
    PATCH,
    PREVIOUS,
    SUMMARY,
)
from seq2seq.training.writing import write_whole

logger = logging.getLogger("seq2seq")

RUNS, LATEST = Path("runs"), Path("runs/latest")


class RunDirectory:
    """Creates a run directory, or goes on with one, and writes its files.

    It belongs to one process: another is refused until this one has closed it or died. A run that
    is replaced is kept in `previous/` until the new one is complete.

    Args:
        path: the directory; None: `runs/<name>/<timestamp>`.
        name: for example `reverse-lstm`.
        overwrite: whether a run that is already there may be replaced.
        resume: whether a run that is already there is gone on with.

    Attributes:
        path: the directory.
        checkpoints: what training goes on from.

    Raises:
        ValueError: `path` holds a run and is neither to be replaced nor to be resumed, is a file,
            is missing where it must be named, or another process uses it.
    """

    def __init__(self, path: str | None, name: str, overwrite: bool = False, resume: bool = False):
        check_flag("overwrite", overwrite)
        check_flag("resume", resume)
        if resume and overwrite:
            raise ValueError("resume=true goes on with a run, overwrite=true replaces it: choose")
        given = None if path is None else check_path("run_dir", path)
        if path is None and resume:
            raise ValueError("resume=true needs the run that it goes on with: run_dir=PATH")
        if given is None and RUNS.exists() and not RUNS.is_dir():
            raise ValueError(f"{RUNS} is a file; name another directory for the run: run_dir=PATH")
        self.path = _create_fresh(name) if given is None else _follow_latest(given)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"run_dir={self.path} is a file, a directory was expected")
        self.path.mkdir(parents=True, exist_ok=True)
        self._unlock = weakref.finalize(self, os.close, lock(self.path))
        self._resume, self.checkpoints = resume, Checkpoints(self.path / CHECKPOINTS)
        held = [file for file in FILES if (self.path / file).exists()]
        if held and not (overwrite or resume):
            self.close()
            raise ValueError(
                f"run_dir={self.path} already holds a run ({', '.join(held)}); choose another "
                "directory, go on with the run with resume=true, or replace it with overwrite=true"
            )
        self._point_latest()
        if not resume:
            self._set_aside(held)  # last, when nothing can be refused any more

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes have the directory."""
        self._unlock()

    def describe(
        self, config: str, environment: dict, changes: dict | None = None, patch: str = ""
    ) -> None:
        """Write what the run is: `config.yaml`, `environment.json` and `changes.patch`.

        A run that goes on from a checkpoint keeps its environment, and notes what has changed.

        Args:
            config: the text of `config.yaml`.
            environment: see `describe_environment`; with `data`, what the examples are.
            changes: keys of the configuration that are no longer as they were, `[old, new]`.
            patch: what was changed in the program since its commit.

        Raises:
            ValueError: the examples are not those that the run began with, or no checkpoint is
                whole.
        """
        checkpoint = self.checkpoints.newest() if self._resume else None
        if checkpoint is None:
            if self._resume:
                logger.warning(
                    "note: %s holds no checkpoint yet; training starts from the beginning",
                    self.path,
                )
            for file in FILES:
                _remove(self.path / file)
        else:
            environment = self._go_on(checkpoint.step, environment, changes or {})
        for file in self.path.glob(".*.*"):  # what was being written when it was killed
            if file.name[1:].rpartition(".")[0] in FILES:
                _remove(file)
        self.write(CONFIG, config)
        self.write_json(ENVIRONMENT, environment)
        if patch and not (self.path / PATCH).exists():
            self.write(PATCH, patch)

    def _go_on(self, step: int, now: dict, changes: dict) -> dict:
        """The environment of a run that goes on."""
        before = read_environment(self.path)
        different = environment_changes(before, now)
        if "data" in different:
            raise ValueError(
                f"the examples are not those that the run in {self.path} began with: their data "
                "has changed since, or the version of this package; it can't be resumed"
            )
        if different:
            logger.warning(
                "warning: going on in another environment, so the result may differ from that of a "
                "run that was never stopped: %s",
                "; ".join(f"{key}: {old} -> {new}" for key, (old, new) in different.items()),
            )
        start = {"step": step, "command": now["command"], "started": now["started"]}
        start |= {"config": changes, "environment": different}
        return {**before, "resumed": [*before.get("resumed", []), start]}

    def _set_aside(self, held: list[str]) -> None:
        previous = self.path / PREVIOUS
        if previous.exists() and SUMMARY not in held:  # the run in between was never completed
            for file in held:
                _remove(self.path / file)
            return
        if held:
            _remove(previous)
            previous.mkdir()
            for file in held:
                (self.path / file).rename(previous / file)

    def reopen(self) -> None:
        """Let the run be incomplete again, now that it goes on."""
        _remove(self.path / SUMMARY)

    def complete(self, summary: dict) -> None:
        """Write the summary, which makes the run complete, and drop what it replaced."""
        self.write_json(SUMMARY, summary)
        _remove(self.path / PREVIOUS)

    def write(self, file: str, content: str) -> None:
        """Write text."""
        write_whole(self.path / file, content)

    def write_json(self, file: str, content: dict) -> None:
        """Write a dictionary as JSON."""
        self.write(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def write_rows(self, file: str, rows: list[dict]) -> None:
        """Write rows with the same keys as CSV."""
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.write(file, out.getvalue())

    def _point_latest(self) -> None:
        """Let `runs/latest` point here, without a moment at which it points nowhere."""
        temporary = LATEST.with_name(f".latest.{os.getpid()}")
        try:
            RUNS.mkdir(exist_ok=True)
            if LATEST.exists() and not LATEST.is_symlink():
                raise FileExistsError(errno.EEXIST, "something else has that name")
            temporary.symlink_to(os.path.relpath(self.path, RUNS.resolve()))
            temporary.replace(LATEST)
        except OSError as error:  # no links here, or a folder that can't be written
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            old = f"; it still points at {LATEST.resolve()}" if LATEST.is_symlink() else ""
            logger.warning(
                "note: %s can't point at this run (%s); the run is %s%s",
                *(LATEST, error.strerror, self.path, old),
            )


def _follow_latest(path: Path) -> Path:
    """`path`, or where it points if it is `runs/latest`, which will be made to point here."""
    return Path(os.path.relpath(path.resolve())) if path.absolute() == LATEST.absolute() else path


def _remove(path: Path) -> None:
    """Take a file or a directory away, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _create_fresh(name: str) -> Path:
    """A new directory, also when several runs start within the same second."""
    stamp = Path("runs", name, time.strftime("%Y-%m-%d_%H-%M-%S"))
    for number in itertools.count(1):
        path = stamp if number == 1 else stamp.with_name(f"{stamp.name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
