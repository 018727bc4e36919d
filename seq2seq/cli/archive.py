"""The verb `archive`: runs in one file, to be reproduced elsewhere."""

import argparse
import gzip
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import filtered_stderr
from seq2seq.runtime.verbosity import note

ENDINGS = (".tar.gz", ".tgz")


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "archive",
        help="pack runs to be reproduced elsewhere: configuration, data, environment, results",
        description="Write one .tar.gz of finished runs: configuration, environment, changes of "
        "the program since its commit, kept data, history, predictions, summary and model. No "
        "checkpoints. Unpacked, `seq2seq reproduce DIR` trains a run again and compares.",
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="run directories, or directories that hold some"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.tar.gz", help="where to write; a new file"
    )
    parser.add_argument(
        "--data",
        action="store_true",
        help="pack also the files of examples that a run did not keep (task.keep_data=true keeps "
        "them), if they are as they were",
    )


def run(options: argparse.Namespace) -> None:
    """`seq2seq archive`: one file of runs."""
    output = Path(options.output).expanduser()
    if not output.name.endswith(ENDINGS):
        raise ValueError(f"--output {output} must end with .tar.gz")
    if output.exists():
        raise ValueError(f"{output} exists already; choose another name, or remove it first")
    if not output.parent.is_dir():
        raise ValueError(f"no such directory: {output.parent}")
    from seq2seq.runs.compare import find_runs

    paths = find_runs(options.runs)
    top = output.name[: -len(next(end for end in ENDINGS if output.name.endswith(end)))]
    with progress("packing", len(paths), "runs") as advance:
        handle, temporary = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                with (
                    gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
                    tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
                ):
                    for path, name in name_runs(paths):
                        for member, source in list_files(path, options.data):
                            add_file(tar, f"{top}/{name}{member}", source)
                        advance()
            os.replace(temporary, output)
        except BaseException:
            os.unlink(temporary)
            raise
    runs = f"{len(paths)} run{'s' if len(paths) > 1 else ''}"
    note(f"written to {output}: {runs}, {output.stat().st_size:,} bytes")


def name_runs(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each run with its directory in the archive: its relative path, empty for a single run."""
    resolved = [path.resolve() for path in paths]
    if len(paths) == 1:
        yield resolved[0], ""
        return
    above = Path(os.path.commonpath([path.parent for path in resolved]))
    for path in resolved:
        yield path, f"{path.relative_to(above).as_posix()}/"


def list_files(path: Path, with_data: bool) -> Iterator[tuple[str, Path]]:
    """Yield the files of a run to pack: the name in its directory, and the file.

    Raises:
        ValueError: the run is damaged, or its data has changed.
    """
    from seq2seq.runs.existing import read_run
    from seq2seq.runs.files import DESCRIPTION, KEPT_DATA, RESULTS, read_kept_data
    from seq2seq.runtime.manifest import MANIFEST

    config = read_run(path).config
    for name in (MANIFEST, *DESCRIPTION, *RESULTS):
        if (path / name).is_file():
            yield name, path / name
    data = read_kept_data(path) or (find_data(config, path) if with_data else {})
    for key, files in data.items():
        for number, file in enumerate(files, 1):
            yield f"{KEPT_DATA}/{key}/{number}/{file.name}", file
    if config.get("init_from") is not None:
        note(
            f"note: {path}: the model that it starts from is not in the archive "
            f"(init_from={config['init_from']})"
        )
    named = {key: config["task"].get(key) for key in ("train", "validation", "test", "path")}
    if missing := [f"task.{key}={value}" for key, value in named.items() if value and not data]:
        note(
            f"note: {path}: the data is not in the archive ({', '.join(missing)}); --data packs it"
        )


def find_data(config: dict, path: Path) -> dict[str, list[Path]]:
    """The files of examples that a run was trained on, by the keys of the task that name them.

    Raises:
        ValueError: they are missing or changed.
    """
    from seq2seq.config import build_task
    from seq2seq.data.fingerprint import fingerprint
    from seq2seq.runs.environment import read_environment

    with filtered_stderr():
        task = build_task(config)
    if task.files and fingerprint(task) != read_environment(path).get("data"):
        raise ValueError(
            f"{path}: the examples are not those that it was trained on: their files have changed "
            "since, or the version of this package; archive it without --data"
        )
    return {key: [*files] for key, files in task.files.items()}


def add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """Add a file with its content and time, without its owner."""
    member = tarfile.TarInfo(name)
    member.size, member.mtime = path.stat().st_size, int(path.stat().st_mtime)
    with open(path, "rb") as file:
        tar.addfile(member, file)
