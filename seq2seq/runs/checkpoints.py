"""Checkpoints: what training goes on from, whole or not at all, and checked before it is used.

A checkpoint is one file of plain arrays and JSON, like `model.npz`; see `keep` for what is in it.
"""

import logging
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.inference.artifact import write_arrays
from seq2seq.runtime.numpy_runtime import DIGEST, HEADER, parse_header, read_members

logger = logging.getLogger("seq2seq")

FORMAT = 1
NAME, PATTERN = "step-{:09d}.npz", "step-*.npz"
# What `write` leaves: checkpoints, damaged ones, and those that it was writing when it was killed.
OWN = re.compile(r"step-\d+\.(npz|damaged)|\.step-\d+\.npz\.\w+")
KEPT = 2
FIELDS = {"step": int, "record": dict, "arrays": dict, "checksums": dict}


class Checkpoint(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        path: its file.
        step: updates that were done.
        record: what each part of the training remembers, as JSON knows it.
        arrays: variables, and the file of the best model.
    """

    path: Path
    step: int
    record: dict
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of a run: the last two, each with the best model so far.

    Args:
        path: their directory; it is made when the first is written.
    """

    def __init__(self, path: Path):
        self.path = path

    def files(self) -> list[Path]:
        """Those that are there, whole or not, the newest first."""
        return sorted((file for file in self.path.glob(PATTERN) if file.is_file()), reverse=True)

    def newest(self) -> Checkpoint | None:
        """The last one that is whole; None: there are none.

        A damaged one after it is named in a warning, and set aside as `.damaged`.

        Raises:
            ValueError: there are some, and all are damaged.
        """
        damaged: dict[Path, ValueError] = {}
        for path in self.files():
            try:
                found = read_checkpoint(path)
            except ValueError as error:
                damaged[path] = error
                continue
            for other, error in damaged.items():
                logger.warning("warning: %s; the one before it is used, %s", error, path.name)
                other.rename(other.with_suffix(".damaged"))
            return found
        if damaged:
            raise ValueError(
                f"no checkpoint of {self.path} is whole: {'; '.join(map(str, damaged.values()))}; "
                "overwrite=true instead of resume=true trains from the beginning"
            )
        return None

    def write(self, step: int, record: dict, arrays: dict[str, np.ndarray]) -> None:
        """Add one, and drop all but the one before it.

        Raises:
            OSError: it can't be written; the ones before are as they were.
        """
        path = self.path / NAME.format(step)
        try:
            self.path.mkdir(exist_ok=True)
            write_arrays(path, {"format": FORMAT, "step": step, "record": record}, arrays)
        except OSError as error:
            before = self.files()
            has = f"the one before it, {before[0].name}, is whole" if before else "there was none"
            raise OSError(f"a checkpoint could not be written ({error}); {has}") from error
        kept = [file for file in self.files() if file <= path][:KEPT]
        for other in self.path.iterdir():  # also what is damaged, or was being written when killed
            if other not in kept and OWN.fullmatch(other.name) and not other.is_dir():
                other.unlink()


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint of a file, after everything in it was verified.

    Raises:
        ValueError: it is damaged or of another format.
    """
    members = read_members(path)
    stored, digest = members.pop(HEADER, None), members.pop(DIGEST, None)
    if stored is None or digest is None or stored.digest() != bytes(digest.data).decode("latin-1"):
        raise ValueError(f"{path} is damaged: its header has another checksum")
    header = parse_header(path, stored, (FORMAT,), FIELDS)
    for name in sorted(members.keys() | header["arrays"].keys()):
        one = members.get(name)
        said = None if one is None else [str(one.dtype), *one.shape]
        if said != header["arrays"].get(name) or one.digest() != header["checksums"].get(name):
            raise ValueError(f"{path} is damaged: {name} is not what its header says")
    arrays = {name: one.array() for name, one in members.items()}
    return Checkpoint(path, header["step"], header["record"], arrays)
