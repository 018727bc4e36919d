"""The manifest of a run: the checksum of each of its text files, which its readers compare.

It is written last, without files that may still change. A file that was edited on purpose can be
read once its line is removed.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

MANIFEST = "manifest.json"


class NotAsWritten(ValueError):
    """A file of a run is not what the run wrote."""


def describe_files(path: Path, files: Sequence[str]) -> str:
    """Manifest of the existing `files` of the run directory `path`."""
    existing = [name for name in files if (path / name).is_file()]
    return (
        json.dumps({name: checksum((path / name).read_bytes()) for name in existing}, indent=2)
        + "\n"
    )


def checksum(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(path: Path) -> dict[str, str] | None:
    """The checksums of the files of the run directory `path`; None: the run has no manifest.

    Raises:
        ValueError: it can't be read.
    """
    if not (path / MANIFEST).is_file():
        return None
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise ValueError(f"{path / MANIFEST} is damaged: it holds no checksums by file; remove it")
    return manifest


def read_checked(path: Path) -> bytes:
    """Content of a file, verified by the manifest beside it, if there is one.

    Raises:
        OSError: it can't be read.
        NotAsWritten: its checksum is not the manifest's.
        ValueError: it is no file.
    """
    if not path.is_file() and path.exists():
        raise ValueError(f"{path} can't be read: it is no file")  # a pipe would wait for ever
    content = path.read_bytes()
    # In this order: a resumed run removes its manifest before it changes a file.
    expected = (read_manifest(path.parent) or {}).get(path.name)
    if expected is not None and expected != checksum(content):
        raise NotAsWritten(
            f"{path} is not what the run wrote: it is damaged, or was edited; if it was edited on "
            f"purpose, take its line out of {path.parent / MANIFEST}"
        )
    return content
