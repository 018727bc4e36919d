"""Names of the files of a run directory, and the copies of its data; needs no engine."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq.runs.environment import ENVIRONMENT
from seq2seq.runtime.atomic import UMASK, where_supported
from seq2seq.runtime.manifest import MANIFEST

CONFIG, PATCH, KEPT_DATA = "config.yaml", "changes.patch", "kept_data"
MODEL, SUMMARY, HISTORY, PREDICTIONS = "model.npz", "summary.json", "history.csv", "predictions.tsv"
CHECKPOINTS, PREVIOUS, TENSORBOARD = "checkpoints", "previous", "tensorboard"
DESCRIPTION, RESULTS = (CONFIG, ENVIRONMENT, PATCH), (HISTORY, MODEL, PREDICTIONS, SUMMARY)
RUNS, LATEST = Path("runs"), Path("runs/latest")
FILES = (MANIFEST, *DESCRIPTION, KEPT_DATA, CHECKPOINTS, *RESULTS)


def keep_data(path: Path, files: Mapping[str, Sequence[Path]]) -> None:
    """Copy the files of examples into the run directory `path`, unless they are there.

    Args:
        path: of the run.
        files: by the keys of the task that name them; see `read_kept_data`.
    """
    if (path / KEPT_DATA).exists():
        return
    folder = Path(tempfile.mkdtemp(dir=path, prefix=f".{KEPT_DATA}."))
    for key, paths in files.items():
        for number, file in enumerate(paths, 1):
            copy_folder = folder / key / str(number)
            copy_folder.mkdir(parents=True)
            shutil.copyfile(file, copy_folder / file.name)
    where_supported(folder.chmod, 0o777 & ~UMASK)
    folder.rename(path / KEPT_DATA)


def read_kept_data(path: Path) -> dict[str, list[Path]]:
    """Copies of the files of examples in a run, by the keys of the task that name them.

    Links out of the directory are ignored: a run keeps copies.
    """
    files: dict[str, list[Path]] = {}
    for file in sorted((path / KEPT_DATA).glob("*/*/*")):
        if file.is_file() and file.resolve().is_relative_to((path / KEPT_DATA).resolve()):
            files.setdefault(file.parents[1].name, []).append(file)
    return files
