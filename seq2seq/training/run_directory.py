"""The run directory: where a run keeps all that it made. Files appear whole or not at all."""

import csv
import io
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from seq2seq.arguments import check_flag
from seq2seq.training.checkpoints import write_whole

MODEL, SUMMARY, PREVIOUS = "model.npz", "summary.json", "previous"
LATEST = Path("runs/latest")
FILES = (
    "config.yaml",
    "environment.json",
    "history.csv",
    MODEL,
    "predictions.tsv",
    SUMMARY,
)


class RunDirectory:
    """Creates a run directory and writes its files.

    A run that is replaced is kept in `previous/` until the new one is complete.

    Args:
        path: the directory; None: `runs/<name>/<timestamp>`.
        name: for example `reverse-lstm`.
        overwrite: whether a run that is already there may be replaced.

    Raises:
        ValueError: `path` holds a run and `overwrite` is not set, or is a file.
    """

    def __init__(self, path: str | None, name: str, overwrite: bool = False):
        check_flag("overwrite", overwrite)
        named = isinstance(path, str | int) and not isinstance(path, bool) and path != ""
        if path is not None and not named:  # a name of digits alone reaches us as a number
            raise ValueError(f"run_dir must be the path of a directory, got {path!r}")
        self._check_latest()
        self.path = _create_fresh(name) if path is None else Path(str(path))
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"run_dir={self.path} is a file, a directory was expected")
        held = [file for file in FILES if (self.path / file).exists()]
        if held and not overwrite:
            raise ValueError(
                f"run_dir={self.path} already holds a run ({', '.join(held)}); choose another "
                "directory, or replace the run with overwrite=true"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._set_aside(held)
        self._point_latest()

    def _set_aside(self, held: list[str]) -> None:
        previous = self.path / PREVIOUS
        if previous.exists() and SUMMARY not in held:  # the run in between was never completed
            for file in held:
                (self.path / file).unlink()
            return
        if held:
            shutil.rmtree(previous, ignore_errors=True)
            previous.mkdir()
            for file in held:
                (self.path / file).rename(previous / file)

    def complete(self, summary: dict) -> None:
        """Write the summary, which makes the run complete, and drop what it replaced."""
        self.write_json(SUMMARY, summary)
        shutil.rmtree(self.path / PREVIOUS, ignore_errors=True)

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

    @staticmethod
    def _check_latest() -> None:
        if LATEST.parent.exists() and not LATEST.parent.is_dir():
            raise ValueError(f"{LATEST.parent} is a file; it must be free to hold {LATEST}")
        if LATEST.exists() and not LATEST.is_symlink():
            raise ValueError(f"{LATEST} is no link; it must be free to point at the newest run")

    def _point_latest(self) -> None:
        """Let `runs/latest` point here, without a moment at which it points nowhere."""
        LATEST.parent.mkdir(exist_ok=True)
        temporary = LATEST.with_name(f".latest.{os.getpid()}")
        temporary.symlink_to(os.path.relpath(self.path, LATEST.parent.resolve()))
        temporary.replace(LATEST)


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


def describe_environment(seed: int) -> dict:
    """Versions, engine, machine, seed, git commit and command: what a run ran on."""
    import keras

    packages = ("seq2seq", "keras", "tensorflow", "jax", "numpy", "hydra-core")
    return {
        "command": sys.orig_argv,
        "seed": seed,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "engine": keras.backend.backend(),
        "packages": {name: found for name in packages if (found := _version(name))},
        "git_commit": _git_commit(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of the checkout that this package runs from; None outside one."""
    here = Path(__file__)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # installed in somebody else's repository?
        return git("rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return None
