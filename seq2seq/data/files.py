"""Lines and pairs from files: UTF-8, with or without byte-order mark, CRLF or LF, gzip or plain.

Every error names the file and the line.
"""

import gzip
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from seq2seq.data.memory import Columns
from seq2seq.data.rows import (
    BadRow,
    Table,
    UnendedRecord,
    check_columns,
    divide_json,
    join_tags,
)
from seq2seq.runtime.validation import check_choice

BAD_ROW = ("error", "skip")
STANDARD_INPUT = "standard input"
# A text of more than `LARGE` bytes may be at most `MAX_RATIO` times larger than its packed file.
LARGE, MAX_RATIO = 2**28, 100
LONGEST = 2**26  # bytes of a line: a few packed ones may unpack to any number
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
UNESCAPES = {escaped[1]: character for character, escaped in ESCAPES.items()}


def list_paths(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """The path of a file, or those of parallel ones."""
    return [Path(item).expanduser() for item in ([path] if isinstance(path, str | Path) else path)]


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Each line of a text file with its number, counted from 1, without its line end.

    Raises:
        ValueError: the file is missing, empty, a directory, damaged gzip, or not UTF-8.
    """
    if not isinstance(path, str | Path):
        raise ValueError(f"expected the path of a file, got {path!r}")
    path = Path(path).expanduser()
    if not path.exists():
        raise ValueError(f"no such file: {path}")
    if path.is_dir():
        raise ValueError(f"{path} is a directory, a file was expected")
    number = 0
    with open(path, "rb") as file:
        for number, line in decode_lines(file, str(path)):
            yield number, line
    if number == 0:
        raise ValueError(f"{path} is empty")


def read_standard_input() -> Iterator[tuple[int, str]]:
    """Numbered lines of standard input, from the position of its handle.

    Lines that another program has read, such as a shell's `read`, are not read again.

    Raises:
        ValueError: it is closed, damaged gzip, or not UTF-8.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise ValueError("standard input is closed: there is nothing to read; give a file")
    return decode_lines(sys.stdin.buffer, STANDARD_INPUT)


def decode_lines(file: BufferedReader, name: str) -> Iterator[tuple[int, str]]:
    """Lines of an open binary file (a pipe, too), numbered; gzip is unpacked.

    Only a line feed ends a line; a carriage return before it belongs to the line end.

    Raises:
        ValueError: damaged gzip, not UTF-8, a line over 64 MiB, or a compression ratio over 100;
            `name` and the line are named.
    """
    number = 0
    try:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        stream = gzip.GzipFile(fileobj=file) if packed else file
        unpacked = 0
        for number, raw in enumerate(iter(partial(stream.readline, LONGEST + 1), b""), 1):
            unpacked += len(raw)
            if packed and unpacked > LARGE and file.seekable():
                if unpacked > MAX_RATIO * file.tell():
                    raise ValueError(
                        f"{name}, line {number}: it unpacks to more than {MAX_RATIO} times its "
                        "size, as no text does; unpack it yourself if it is right"
                    )
            if len(raw) > LONGEST:
                raise ValueError(f"{name}, line {number}: it is longer than {LONGEST:,} bytes")
            yield number, _decode(name, number, raw)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{name} is a damaged gzip file after line {number}: {error}") from None


def escape(text: str) -> str:
    """`text` as one field of one line, without tabs and line ends; `unescape` restores it."""
    return "".join(ESCAPES.get(character, character) for character in text)


def unescape(field: str) -> str:
    """Reverse `escape`."""
    return re.sub(r"\\(.)", lambda match: UNESCAPES.get(match[1], match[0]), field)


def _decode(name: str, number: int, raw: bytes) -> str:
    if number == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, line {number}: not UTF-8 (byte {raw[error.start]:#04x} at column "
            f"{error.start + 1}); convert the file, for example with iconv"
        ) from None


class Record(NamedTuple):
    """A line of a file of pairs.

    Attributes:
        line: its number, counted from 1.
        pair: source and target; None: the line was skipped.
        problem: why the row is bad; empty: it is good, a blank line or a comment.
    """

    line: int
    pair: tuple[str, str] | None = None
    problem: str = ""


class PairReader:
    """Reads (source, target) rows: a table, two parallel files, JSON Lines, columns in memory.

    Fields of a tab-separated file are read unchanged: nothing is trimmed, unquoted or dropped.
    Blank lines (without a tab, and without anything but white space) are layout, and skipped.

    Args:
        columns: which columns of a tab- or comma-separated file hold source, target and, if there
            are three, the source's tags: numbers counted from 1, or names that the first line of
            the file gives; None: the file has exactly two. Names are keys of JSON Lines, which are
            `source`, `target` and `tags` otherwise. A source with tags is read as the text
            `source<TAB>tags`.
        on_bad_row: `"error"` stops at the first bad row, `"skip"` counts it in `skipped`.
        advice: appended to errors.
        comment: lines that begin with it are skipped; None: there are no comments.
    """

    def __init__(
        self,
        columns: Sequence[int | str] | None = None,
        on_bad_row: str = "error",
        advice: str = "",
        comment: str | None = None,
    ):
        check_choice("task.on_bad_row", on_bad_row, BAD_ROW)
        if columns is not None:
            check_columns(columns)
        if comment is not None and not (isinstance(comment, str) and comment.strip()):
            raise ValueError(
                f"task.comment must be what comment lines begin with, as '#', got {comment!r}"
            )
        self.columns, self.on_bad_row, self.advice = columns, on_bad_row, advice
        self.comment = comment
        self.skipped = self.blank = self.comments = 0
        self._first_skipped = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on what was skipped."""
        counts = (
            (self.blank, "blank line", ""),
            (self.comments, "comment line", ""),
            (self.skipped, "bad row", f"; the first: {self._first_skipped}"),
        )
        return tuple(
            f"{count:,} {name}{' was' if count == 1 else 's were'} skipped{more}"
            for count, name, more in counts
            if count
        )

    def read(self, paths: str | list[str] | Columns) -> Iterator[tuple[int, str, str]]:
        """(line number, source, target) of each row of a file, two parallel files, or memory."""
        if isinstance(paths, Columns):
            for line, pair, _ in self._read_memory(paths):
                if pair is not None:
                    yield line, *pair
            return
        if isinstance(paths, str | Path):
            for line, pair, _ in self.records(read_lines(paths), paths):
                if pair is not None:
                    yield line, *pair
            return
        if not isinstance(paths, list | tuple) or len(paths) != 2:
            raise ValueError(f"expected one file or two parallel files, got {paths!r}")
        for name, value in (("columns", self.columns), ("comment", self.comment)):
            if value is not None:
                raise ValueError(f"two parallel files have no {name}, got {name}={value}")
        yield from self._read_parallel(*paths)

    def records(self, lines: Iterator[tuple[int, str]], name: str | Path) -> Iterator[Record]:
        """Each line of one file but the header; skipped ones have no pair.

        Args:
            lines: of the file, numbered.
            name: of the file, for messages; its suffix selects the format of rows.
        """
        is_json = str(name).lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))
        table = Table(str(name), self.columns)
        for number, line in lines:
            if self._is_layout(line):
                yield Record(number)
                continue
            try:
                if is_json:
                    chosen = divide_json(line, self.columns)
                else:
                    fields = table.divide(line, lines)
                    if table.waits and table.read_header(fields):
                        continue
                    chosen = table.choose(fields)
                record = Record(number, join_tags(chosen))
            except BadRow as error:
                self.bad_row(name, number, str(error))
                record = Record(number, None, str(error))
            except UnendedRecord as error:  # it contains other lines, so it can't be skipped
                raise ValueError(f"{name}, line {number}: {error}") from None
            yield record

    def _read_memory(self, columns: Columns) -> Iterator[Record]:
        """Each row in memory; nothing is layout, so an empty text is a text."""
        for number, row in enumerate(columns.rows(), 1):
            try:
                record = Record(number, join_tags(columns.to_texts(row)))
            except BadRow as error:
                self.bad_row(columns, number, str(error))
                record = Record(number, None, str(error))
            yield record

    def bad_row(self, path: str | Path | Columns, number: int, reason: str) -> None:
        """Raise a ValueError for the row, or count it, by `on_bad_row`."""
        unit = "row" if isinstance(path, Columns) else "line"
        location = f"{path}, {unit} {number}: {reason}"
        if self.on_bad_row == "error":
            raise ValueError(f"{location}{self.advice}")
        self._first_skipped = self._first_skipped or location
        self.skipped += 1

    def _is_layout(self, line: str) -> bool:
        """Whether `line` is blank or a comment, which is counted."""
        comment = self.comment is not None and line.startswith(self.comment)
        blank = not comment and "\t" not in line and not line.strip()
        self.comments += comment
        self.blank += blank
        return comment or blank

    @staticmethod
    def _read_parallel(sources: str, targets: str) -> Iterator[tuple[int, str, str]]:
        left, right = read_lines(sources), read_lines(targets)
        for number, source in left:
            _, target = next(right, (0, None))
            if target is None:
                raise ValueError(f"{targets} ends before line {number} of {sources}")
            yield number, source, target
        if extra := next(right, None):
            raise ValueError(f"{sources} ends before line {extra[0]} of {targets}")
