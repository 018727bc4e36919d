"""Checkpoint files of a run: written atomically, and verified before they are used.

A checkpoint is one file of plain arrays and JSON, like `model.npz`; for its content see
`seq2seq.training.checkpoint_writer`.
"""

import logging
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.inference.artifact import write_arrays
from seq2seq.runtime.file_format import DIGEST, HEADER, parse_header, read_members

logger = logging.getLogger("seq2seq")

FORMAT = 2
NAME, PATTERN = "step-{:09d}.npz", "step-*.npz"
# Files of `write`: checkpoints, damaged ones, and unfinished ones of a killed process.
OWN_FILES = re.compile(r"step-\d+\.(npz|damaged)|\.step-\d+\.npz\.\w+")
KEEP_LAST = 2
FIELDS = {"step": int, "states": dict, "arrays": dict, "checksums": dict}


class Checkpoint(NamedTuple):
    """Content of a checkpoint.

    Attributes:
        path: its file.
        step: number of updates.
        states: `state_dict` of each part of the training.
        arrays: variables, and the file of the best model.
    """

    path: Path
    step: int
    states: dict
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """Checkpoints of a run: the last two, each with the best model so far.

    Args:
        path: their directory; the first checkpoint creates it.
    """

    def __init__(self, path: Path):
        self.path = path

    def files(self) -> list[Path]:
        """Checkpoint files, damaged or not, the newest first."""
        return sorted((file for file in self.path.glob(PATTERN) if file.is_file()), reverse=True)

    def newest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is not damaged; None: there are none.

        A newer one that is damaged is named in a warning, and renamed to `.damaged`.

        Raises:
            ValueError: all are damaged.
        """
        damaged: dict[Path, ValueError] = {}
        for path in self.files():
            try:
                checkpoint = read_checkpoint(path)
            except ValueError as error:
                damaged[path] = error
                continue
            for file, error in damaged.items():
                logger.warning("warning: %s; using the previous checkpoint %s", error, path.name)
                file.rename(file.with_suffix(".damaged"))
            return checkpoint
        if damaged:
            raise ValueError(
                f"all checkpoints of {self.path} are damaged: "
                f"{'; '.join(map(str, damaged.values()))}; "
                "overwrite=true instead of resume=true trains from the beginning"
            )
        return None

    def write(self, step: int, states: dict, arrays: dict[str, np.ndarray]) -> None:
        """Write a checkpoint, and delete all but the previous one.

        Raises:
            OSError: it can't be written; the previous ones are unchanged.
        """
        path = self.path / NAME.format(step)
        try:
            self.path.mkdir(exist_ok=True)
            write_arrays(path, {"format": FORMAT, "step": step, "states": states}, arrays)
        except OSError as error:
            files = self.files()
            previous = (
                f"the previous one, {files[0].name}, is intact" if files else "it is the first"
            )
            raise OSError(f"a checkpoint could not be written ({error}); {previous}") from error
        newest = [file for file in self.files() if file <= path][:KEEP_LAST]
        for file in self.path.iterdir():
            if file not in newest and OWN_FILES.fullmatch(file.name) and not file.is_dir():
                file.unlink()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, and verify everything in it.

    Raises:
        ValueError: it is damaged or of another format.
    """
    members = read_members(path)
    stored, digest = members.pop(HEADER, None), members.pop(DIGEST, None)
    if stored is None or digest is None or stored.digest() != bytes(digest.data).decode("latin-1"):
        raise ValueError(f"{path} is damaged: its header has another checksum")
    header = parse_header(path, stored, FORMAT, FIELDS)
    for name in sorted(members.keys() | header["arrays"].keys()):
        array = members.get(name)
        actual = None if array is None else [str(array.dtype), *array.shape]
        expected, checksum = header["arrays"].get(name), header["checksums"].get(name)
        if actual != expected or array.digest() != checksum:
            raise ValueError(f"{path} is damaged: {name} does not match its header")
    arrays = {name: array.array() for name, array in members.items()}
    return Checkpoint(path, header["step"], header["states"], arrays)
