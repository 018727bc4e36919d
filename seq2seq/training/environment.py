"""The environment of a run: what its result may depend on beside its configuration."""

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from seq2seq.evaluation.compare import changes

ENVIRONMENT = "environment.json"
OF_ONE_START = ("command", "started", "resumed")  # these differ between any two runs


def describe_environment(seed: int, data: str) -> dict:
    """Versions, engine, machine, threads, seed, data, git commit and command of a run.

    Args:
        seed: of the run.
        data: the fingerprint of its examples.
    """
    import keras

    from seq2seq.layers.kernels import count_threads

    packages = ("seq2seq", "keras", "tensorflow", "jax", "numpy", "hydra-core")
    return {
        "command": sys.orig_argv,
        "seed": seed,
        "data": data,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "cores": _cores(),
        "threads": count_threads(),
        "devices": keras.distribution.list_devices(),
        "engine": keras.backend.backend(),
        "packages": {name: found for name in packages if (found := _version(name))},
        "git_commit": _git_commit(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def read_environment(path: Path) -> dict:
    """What `environment.json` of the run directory `path` holds.

    Raises:
        ValueError: it can't be read.
    """
    try:
        found = json.loads((path / ENVIRONMENT).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path / ENVIRONMENT} can't be read: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path / ENVIRONMENT} is damaged: it holds no object")
    return found


def environment_changes(before: dict, now: dict) -> dict[str, list]:
    """What sets two environments apart: of each key `[before, now]`, None where it is missing."""
    found = changes(before, now)
    return {key: pair for key, pair in found.items() if key not in OF_ONE_START}


def _cores() -> int | None:
    """Cores that this process may use: how a sum is divided among them changes its last bits."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _processor() -> str:
    """The processor's name: another kind may compute other bits."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


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
