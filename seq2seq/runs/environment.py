"""The environment of a run, on which its result depends besides its configuration."""

import hashlib
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from seq2seq.runs.compare import changes
from seq2seq.runtime.extensions import describe_extensions, imported_extensions
from seq2seq.runtime.file_format import parse_json
from seq2seq.runtime.manifest import NotAsWritten, read_checked
from seq2seq.runtime.quiet import cores

ENVIRONMENT = "environment.json"
PROGRAM_PATHS = ("seq2seq", "configs", "train.py", "pyproject.toml")  # of a checkout
VOLATILE_KEYS = ("command", "started", "resumed")  # these differ between any two runs
LONGEST_PATCH = 2**20  # characters; of a longer one the names of the files are kept


class Checkout(NamedTuple):
    """The git checkout that this package runs from.

    Attributes:
        commit: None outside of a checkout.
        patch: changes of the program and its configurations since the commit, new files included,
            for `git apply`; empty: none.
    """

    commit: str | None = None
    patch: str = ""

    @property
    def digest(self) -> str | None:
        """The checksum of the patch; None: nothing was changed."""
        return hashlib.sha256(self.patch.encode()).hexdigest()[:16] if self.patch else None


def describe_environment(seed: int, data: str, checkout: Checkout) -> dict:
    """Versions, engine, machine, threads, seed, data, git commit and command of a run.

    Args:
        seed: of the run.
        data: the fingerprint of its examples.
        checkout: see `read_checkout`.
    """
    import keras

    from seq2seq.layers.backend import count_threads

    packages = ("keras-seq2seq", "keras", "tensorflow", "jax", "numpy", "hydra-core")
    return {
        "command": sys.orig_argv,
        "seed": seed,
        "data": data,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "cores": cores(),  # how a sum is divided among them changes its last bits
        "threads": count_threads(),
        "devices": keras.distribution.list_devices(),
        "engine": keras.backend.backend(),
        "packages": {name: installed for name in packages if (installed := _version(name))},
        "extensions": describe_extensions(imported_extensions()),
        "git_commit": checkout.commit,
        "git_changes": checkout.digest,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def read_environment(path: Path) -> dict:
    """Read `environment.json` of the run directory `path`.

    Raises:
        ValueError: it can't be read.
    """
    try:
        environment = parse_json(read_checked(path / ENVIRONMENT))
    except NotAsWritten:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path / ENVIRONMENT} can't be read: {error}") from None
    if not isinstance(environment, dict):
        raise ValueError(f"{path / ENVIRONMENT} is damaged: it holds no object")
    return environment


def environment_changes(old: dict, new: dict) -> dict[str, list]:
    """Compare two environments: `[old, new]` of each key that differs, None where missing."""
    differences = changes(old, new)
    return {key: pair for key, pair in differences.items() if key not in VOLATILE_KEYS}


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


def read_checkout(package: Path = Path(__file__).parents[2]) -> Checkout:
    """Read the checkout that contains the directory `package`, and its changes.

    Outside of a checkout, or without git, there is no commit.
    """

    def git(folder: Path, *arguments: str, status: int = 0) -> str:
        command = ["git", "-C", str(folder), "-c", "core.quotePath=false", *arguments]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode not in (0, status):
            raise subprocess.CalledProcessError(done.returncode, command)
        return done.stdout.decode("utf-8", "replace")

    try:
        git(package, "ls-files", "--error-unmatch", "__init__.py")  # another project's repository?
        commit = git(package, "rev-parse", "HEAD").strip()
        root = Path(git(package, "rev-parse", "--show-toplevel").rstrip("\n"))
        parts = ["--", *(name for name in PROGRAM_PATHS if (root / name).exists())]
        patch = git(root, "diff", "HEAD", "--no-ext-diff", "--no-color", *parts)
        new = git(root, "ls-files", "--others", "--exclude-standard", "-z", *parts).split("\0")
        for name in filter(None, new):  # with differences, `git diff --no-index` ends with 1
            patch += git(root, "diff", "--no-color", "--no-index", "--", os.devnull, name, status=1)
    except (OSError, subprocess.CalledProcessError):
        return Checkout()
    return Checkout(commit, patch)


def shorten_patch(patch: str) -> str:
    """`patch`, or if it is too long the names of the files in it."""
    if len(patch) <= LONGEST_PATCH:
        return patch
    files = [line for line in patch.splitlines() if line.startswith("diff --git ")]
    head = f"# left out: {len(patch):,} characters, {LONGEST_PATCH:,} are kept; the files were:"
    return "\n".join([head, *files]) + "\n"
