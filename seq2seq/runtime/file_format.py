"""The file format of `model.npz`, checkpoints and states: plain arrays and JSON, verified.

Nothing in a file is executed or unpacked: arrays are views of its content.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FORMAT = 4  # of model.npz
HEADER, DIGEST = "header.json", "header.sha256"  # members that are no weights
WEIGHTS = ("float32", "float16", "int8")  # dtypes of stored weights
SCALE = ":scale"  # suffix of the name of the scales of an int8 array
MAX_CONTAINERS = 2**18  # lists and mappings of a JSON text, each thirty times as large in memory
FIELDS = {"arrays": dict, "checksums": dict, "model": dict, "source": dict, "target": dict}
FIELDS |= {"settings": dict, "weights": str}
# Header of an array in NumPy's format; strict, so that nothing has to be evaluated.
ARRAY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '[<|](f[248]|[iu][1248])', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,18}, )*(?:\d{1,18},?)?)\), \} *\n",
    re.DOTALL,
)


def align(*sequences: Sequence) -> Iterator[tuple]:
    """Return `zip(*sequences)`; its `strict=True` needs Python 3.10.

    Raises:
        ValueError: the sequences differ in length.
    """
    lengths = [len(sequence) for sequence in sequences]
    if len(set(lengths)) > 1:
        raise ValueError(f"sequences of {', '.join(map(str, lengths))} elements do not align")
    return zip(*sequences)


class StoredArray(NamedTuple):
    """Array in a file: its dtype, its shape, and its bytes."""

    dtype: np.dtype
    shape: tuple
    data: memoryview

    def array(self) -> np.ndarray:
        """Copy of the array, aligned."""
        return np.frombuffer(self.data, self.dtype).reshape(self.shape).copy()

    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


def read_artifact(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Read the header and the arrays of `model.npz`, and verify everything in it.

    Weights that were stored as float16 or int8 become float32.

    Raises:
        ValueError: the file is missing, damaged or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is damaged or no model file")
    members = read_members(path)
    header = _read_header(path, members)
    shapes = {name: [str(array.dtype), *array.shape] for name, array in members.items()}
    _compare(path, "arrays differ from its header", shapes, header["arrays"])
    digests = {name: array.digest() for name, array in members.items()}
    _compare(path, "arrays have other checksums than in its header", digests, header["checksums"])
    return header, _restore(path, members)


def read_members(path: Path, check: bool = False) -> dict[str, StoredArray]:
    """Read all arrays of a zip file, as views of its content: nothing is unpacked.

    Args:
        path: of the file.
        check: whether to check the zip file's own checksums, and that its members have one name
            each and fill it; where there are no better checksums.

    Raises:
        ValueError: the file is damaged, or holds anything but arrays of plain numbers.
    """
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries, directory = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error) as e:
        raise ValueError(f"{path} is damaged or no model file: {e}") from e
    members, ends = {}, []
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1
        if not plain or entry.compress_size != entry.file_size or name in members:
            raise ValueError(f"{path} is damaged: {name!r} is compressed, or occurs twice")
        first = entry.header_offset + 30  # of its name
        lengths = content[first - 4 : first]
        if first < 30 or len(lengths) < 4:
            raise ValueError(f"{path} is damaged: {name!r} lies outside of it")
        named, more = struct.unpack("<HH", lengths)
        start = first + named + more
        if start + entry.file_size > len(content):
            raise ValueError(f"{path} is damaged: {name!r} is larger than the file")
        member = memoryview(content)[start : start + entry.file_size]
        has_one_name = content[first : first + named] == entry.orig_filename.encode()
        if check and not (has_one_name and zlib.crc32(member) == entry.CRC):
            raise ValueError(f"{path} is damaged: {name!r} has another checksum, or two names")
        ends.append(start + entry.file_size)
        members[name] = _parse(path, name, member)
    if sum(len(array.data) for array in members.values()) > len(content):
        raise ValueError(f"{path} is damaged: its arrays lie one over the other")
    starts = sorted(entry.header_offset for entry in entries)
    if check and [*starts, directory] != [0, *sorted(ends)]:
        raise ValueError(f"{path} is damaged: a part of it is listed nowhere")
    return members


def _parse(path: Path, name: str, member: memoryview) -> StoredArray:
    """Parse an array of NumPy's format, version 1.0, in C order, of plain numbers."""
    match = ARRAY_HEADER.match(member)
    if not match or 10 + struct.unpack("<H", match[1])[0] != match.end():
        raise ValueError(f"{path} is damaged: {name!r} is no array of plain numbers")
    dtype = np.dtype(match[2].decode())
    shape = tuple(int(size) for size in match[3].decode().split(",") if size.strip())
    stored = StoredArray(dtype, shape, member[match.end() :])
    if math.prod(shape) * dtype.itemsize != len(stored.data):
        raise ValueError(f"{path} is damaged: {name!r} has another size than its shape {shape}")
    return stored


def _read_header(path: Path, members: dict[str, StoredArray]) -> dict:
    """Read and verify the header, which is removed from `members`."""
    if HEADER not in members:
        raise ValueError(f"{path} is damaged or no model file: it has no {HEADER}")
    stored, digest = members.pop(HEADER), members.pop(DIGEST, None)
    if digest is None:
        raise ValueError(f"{path} is damaged, or of a format before 2: it has no {DIGEST}")
    if stored.digest() != bytes(digest.data).decode("ascii", "replace"):
        raise ValueError(f"{path} is damaged: its header has another checksum")
    header = parse_header(path, stored, FORMAT, FIELDS)
    if header["weights"] not in WEIGHTS:
        dtypes = ", ".join(WEIGHTS)
        raise ValueError(
            f"{path} has weights of {header['weights']!r}, this version reads {dtypes}"
        )
    return header


def parse_header(path: Path, stored: StoredArray, version: int, fields: dict[str, type]) -> dict:
    """Parse a header; a ValueError unless it is of the format's `version` and has all `fields`."""
    try:
        header = parse_json(bytes(stored.data))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its header is no JSON ({error})") from error
    stored_version = header.get("format") if isinstance(header, dict) else None
    if stored_version != version:
        raise ValueError(f"{path} has format {stored_version}, this version reads format {version}")
    if missing := [key for key, kind in fields.items() if not isinstance(header.get(key), kind)]:
        raise ValueError(f"{path} is damaged: its header lacks {', '.join(missing)}")
    return header


def parse_json(content: bytes) -> Any:
    """Parse an untrusted JSON text.

    Raises:
        ValueError: it is no JSON in UTF-8, is nested too deeply, or has so many lists and mappings
            that they would take far more memory than the text.
    """
    if (count := content.count(b"[") + content.count(b"{")) > MAX_CONTAINERS:
        raise ValueError(f"it has {count:,} lists and mappings, {MAX_CONTAINERS:,} at most")
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _compare(path: Path, problem: str, actual: dict, expected: dict) -> None:
    keys = actual.keys() | expected
    if wrong := sorted(key for key in keys if actual.get(key) != expected.get(key)):
        raise ValueError(f"{path} is damaged: {problem}: {', '.join(map(str, wrong[:3]))}")


def _restore(path: Path, members: dict[str, StoredArray]) -> dict[str, np.ndarray]:
    """Weights as float32, from how they are stored."""
    arrays = {}
    for name, stored in members.items():
        if name.endswith(SCALE):
            continue
        array = stored.array()
        if array.dtype == "int8":
            scale = members.get(name + SCALE)
            if scale is None or scale.shape != array.shape[-1:]:
                raise ValueError(f"{path} is damaged: {name} has no scale for each column")
            array = array * scale.array()
        arrays[name] = array.astype("float32") if array.dtype == "float16" else array
    return arrays
