"""The run directory: all files of a run, written atomically."""

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

from seq2seq.runs.checkpoints import OWN_FILES, Checkpoints
from seq2seq.runs.environment import ENVIRONMENT, environment_changes, read_environment
from seq2seq.runs.files import (
    CHECKPOINTS,
    CONFIG,
    DESCRIPTION,
    FILES,
    KEPT_DATA,
    LATEST,
    MODEL,
    PATCH,
    PREVIOUS,
    RESULTS,
    RUNS,
    SUMMARY,
    TENSORBOARD,
)
from seq2seq.runs.lock import lock
from seq2seq.runtime.atomic import write_whole
from seq2seq.runtime.manifest import MANIFEST, NotAsWritten, describe_files
from seq2seq.runtime.validation import check_flag, check_path

logger = logging.getLogger("seq2seq")


class RunDirectory:
    """Creates a run directory, or resumes one, and writes its files.

    It belongs to one process: another is refused until this one has closed it or died. A run that
    is replaced is kept in `previous/` until the new one is complete.

    Args:
        path: the directory; None: `runs/<name>/<timestamp>`.
        name: for example `reverse-lstm`.
        overwrite: whether a run that is already there may be replaced.
        resume: whether a run that is already there is resumed.

    Attributes:
        path: the directory.
        checkpoints: those that training resumes from.

    Raises:
        ValueError: `path` holds a run and is neither to be replaced nor to be resumed, is a file,
            is missing where it must be named, or another process uses it.
    """

    def __init__(self, path: str | None, name: str, overwrite: bool = False, resume: bool = False):
        check_flag("overwrite", overwrite)
        check_flag("resume", resume)
        if resume and overwrite:
            raise ValueError("resume=true resumes a run, overwrite=true replaces it: choose")
        chosen = None if path is None else check_path("run_dir", path)
        if path is None and resume:
            raise ValueError("resume=true needs the run to resume: run_dir=PATH")
        if chosen is None and RUNS.exists() and not RUNS.is_dir():
            raise ValueError(f"{RUNS} is a file; name another directory for the run: run_dir=PATH")
        self.path = _create_fresh(name) if chosen is None else _follow_latest(chosen)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"run_dir={self.path} is a file, a directory was expected")
        self.path.mkdir(parents=True, exist_ok=True)
        self._unlock = weakref.finalize(self, os.close, lock(self.path))
        self._resume, self.checkpoints = resume, Checkpoints(self.path / CHECKPOINTS)
        held = [file for file in FILES if (self.path / file).exists()]
        try:
            self._check_held(held, overwrite)
        except ValueError:
            self.close()
            raise
        self._point_latest()
        if not resume:
            self._set_aside(held)  # last, when nothing can be refused any more

    def _check_held(self, held: list[str], overwrite: bool) -> None:
        """Raise a ValueError unless the content is a run that may be replaced or resumed."""
        for name in (*FILES, PREVIOUS, TENSORBOARD):
            if (self.path / name).is_symlink():
                raise ValueError(
                    f"{self.path / name} is a link, and is not followed: nothing is written or "
                    "removed elsewhere; put the run itself there (run_dir=PATH may be a link)"
                )
        if held and not (overwrite or self._resume):
            raise ValueError(
                f"run_dir={self.path} already holds a run ({', '.join(held)}); choose another "
                "directory, resume the run with resume=true, or replace it with overwrite=true"
            )
        if held and not is_run(self.path):
            raise ValueError(
                f"run_dir={self.path} holds {', '.join(held)}, and no run of this program (it has "
                f"no {ENVIRONMENT}): nothing of it is touched; choose another directory"
            )
        if self._resume and SUMMARY in held and not self.checkpoints.files():
            raise ValueError(
                f"run_dir={self.path} has ended, and has no checkpoint to resume from; "
                "overwrite=true trains it from the beginning"
            )

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Release the directory for other processes."""
        self._unlock()

    def describe(
        self, config: str, environment: dict, changes: dict | None = None, patch: str = ""
    ) -> None:
        """Write `config.yaml`, `environment.json` and `changes.patch`.

        A run resumed from a checkpoint keeps its environment, and adds what has changed.

        Args:
            config: the text of `config.yaml`.
            environment: see `describe_environment`; with `data`, their fingerprint.
            changes: changed keys of the configuration, `[old, new]`.
            patch: changes of the program since its commit.

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
            held = [file for file in FILES if (self.path / file).exists()]
            if not {*held} <= {MANIFEST, *DESCRIPTION, KEPT_DATA}:  # something was learned
                self._set_aside([file for file in held if file != KEPT_DATA])
        else:
            environment = self._resume_environment(checkpoint.step, environment, changes or {})
        for file in self.path.glob(".*.*"):  # unfinished files of a killed process
            if file.name[1:].rpartition(".")[0] in FILES:
                _remove_own(file)
        (self.path / MANIFEST).unlink(missing_ok=True)  # before any file that it describes changes
        self.write_json(ENVIRONMENT, environment)  # by which a run is known, see `is_run`
        self.write(CONFIG, config)
        if patch and not (self.path / PATCH).exists():
            self.write(PATCH, patch)
        self.write(MANIFEST, describe_files(self.path, DESCRIPTION))

    def _resume_environment(self, step: int, current: dict, changes: dict) -> dict:
        """The environment of a resumed run."""
        original = read_environment(self.path)
        different = environment_changes(original, current)
        if "data" in different:
            raise ValueError(
                f"the examples are not those that the run in {self.path} began with: their data "
                "has changed since, or the version of this package; it can't be resumed"
            )
        if "init_from.sha256" in different:
            raise ValueError(
                f"init_from is not the model that the run in {self.path} began with: its file has "
                "changed since, or another was named; the run can't be resumed"
            )
        if different:
            logger.warning(
                "warning: resuming in another environment, so the result may differ from that of a "
                "run that was never stopped: %s",
                "; ".join(f"{key}: {old} -> {new}" for key, (old, new) in different.items()),
            )
        start = {"step": step, "command": current["command"], "started": current["started"]}
        start |= {"config": changes, "environment": different}
        return {**original, "resumed": [*original.get("resumed", []), start]}

    def _set_aside(self, held: list[str]) -> None:
        previous = self.path / PREVIOUS
        if previous.exists() and SUMMARY not in held:  # the run in between was never completed
            for file in held:
                _remove_own(self.path / file)
            return
        if held:
            _remove_own(previous)
            previous.mkdir(exist_ok=True)
            for file in held:
                (self.path / file).rename(previous / file)
            logger.warning(
                "note: earlier files are in %s until this run is complete: %s",
                *(previous, ", ".join(held)),
            )

    def reopen(self) -> None:
        """Mark the run as incomplete again: it is resumed."""
        _remove_own(self.path / SUMMARY)

    def complete(self, summary: dict) -> None:
        """Write the summary, which makes the run complete, and drop what it replaced."""
        self.write_json(SUMMARY, summary)
        texts = [name for name in (*DESCRIPTION, *RESULTS) if name != MODEL]  # it has its own
        self.write(MANIFEST, describe_files(self.path, texts))
        _remove_own(self.path / PREVIOUS)

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
        """Point `runs/latest` here, atomically."""
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
    """`path`, or if it is `runs/latest`, the run that this link points to."""
    return Path(os.path.relpath(path.resolve())) if path.absolute() == LATEST.absolute() else path


def is_run(path: Path) -> bool:
    """Whether a directory holds a run of this program, whole or not."""
    try:
        return "packages" in read_environment(path)
    except NotAsWritten:
        raise
    except ValueError:
        return False


def _remove_own(path: Path) -> None:
    """Remove a file, or those files of a directory that this program wrote."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for file in path.iterdir():
        if path.name == PREVIOUS and file.name in FILES:
            _remove_own(file)
        elif path.name == CHECKPOINTS and OWN_FILES.fullmatch(file.name) and not file.is_dir():
            file.unlink()
    if KEPT_DATA in path.name:
        shutil.rmtree(path)
    elif not any(path.iterdir()):
        path.rmdir()


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
