"""The run directory: where a run keeps all that it made. Files appear whole or not at all."""

import csv
import io
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from seq2seq.training.checkpoints import write_whole

MODEL = "model.npz"
FILES = (
    "config.yaml",
    "environment.json",
    "history.csv",
    MODEL,
    "predictions.tsv",
    "summary.json",
)


class RunDirectory:
    """Creates a run directory and writes its files.

    Args:
        path: the directory; None: `runs/<name>/<timestamp>`.
        name: for example `reverse-lstm`.
        overwrite: whether a run that is already there may be replaced.

    Raises:
        ValueError: `path` holds a run and `overwrite` is not set, or is a file.
    """

    def __init__(self, path: str | None, name: str, overwrite: bool = False):
        self.path = _fresh(name) if path is None else Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"run_dir={self.path} is a file, a directory was expected")
        held = [file for file in FILES if (self.path / file).exists()]
        if held and not overwrite:
            raise ValueError(
                f"run_dir={self.path} already holds a run ({', '.join(held)}); choose another "
                "directory, or replace the run with overwrite=true"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        for file in held:
            (self.path / file).unlink()
        self._point_latest()

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
        latest = Path("runs/latest")
        latest.parent.mkdir(exist_ok=True)
        if latest.exists() and not latest.is_symlink():
            raise ValueError(f"{latest} is no link; it must be free to point at the newest run")
        temporary = latest.with_name(f".latest.{os.getpid()}")
        temporary.symlink_to(os.path.relpath(self.path, latest.parent.resolve()))
        temporary.replace(latest)


def _fresh(name: str) -> Path:
    stamp = Path("runs", name, time.strftime("%Y-%m-%d_%H-%M-%S"))
    path, number = stamp, 1
    while path.exists():
        number += 1
        path = stamp.with_name(f"{stamp.name}-{number}")
    return path


def describe_environment(seed: int) -> dict:
    """Versions, engine, machine, seed, git commit and command: what a run ran on."""
    import keras

    packages = ("seq2seq", "keras", "tensorflow", "jax", "numpy", "hydra-core")
    return {
        "command": sys.argv,
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
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
