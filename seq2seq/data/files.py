"""Lines and pairs from files: UTF-8, with or without byte-order mark, CRLF or LF, gzip or plain.

Every error names the file and the line.
"""

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path

from seq2seq.arguments import check_choice

BAD_ROW = ("error", "skip")
STANDARD_INPUT = "standard input"
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
UNESCAPES = {escaped[1]: character for character, escaped in ESCAPES.items()}


class BadRow(ValueError):
    """A row that does not hold what it must."""


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
    """Each line of standard input with its number, from where the handle stands.

    Another program may have read the first lines, as a shell's `read` does; they don't come again.

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
        ValueError: damaged gzip or not UTF-8; says `name` and the line.
    """
    number = 0
    try:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        for number, raw in enumerate(gzip.GzipFile(fileobj=file) if packed else file, 1):
            yield number, _decode(name, number, raw)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{name} is a damaged gzip file after line {number}: {error}") from None


def escape(text: str) -> str:
    """`text` as one field of one line, without tabs and line ends; `unescape` restores it."""
    return "".join(ESCAPES.get(character, character) for character in text)


def unescape(field: str) -> str:
    """What `escape` was given."""
    return re.sub(r"\\(.)", lambda found: UNESCAPES.get(found[1], found[0]), field)


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


def check_columns(columns: Sequence[int | str]) -> None:
    """Raise a ValueError unless `columns` names source, target and maybe tags, in one manner."""
    listed = list(columns) if isinstance(columns, list | tuple) else []
    numbers = all(type(column) is int and column >= 1 for column in listed)
    names = all(isinstance(column, str) for column in listed)
    different = (numbers or names) and len(set(listed)) == len(listed)
    if len(listed) not in (2, 3) or not different:
        raise ValueError(
            "columns must be the numbers (counted from 1) or the names of two different columns, "
            f"source and target, or of three, the last for tags; got {columns!r}"
        )


def find_columns(header: list[str], names: Sequence[str], path: str | Path) -> list[int]:
    """The numbers of the columns that `names` have in the first line of a file."""
    for name in names:
        if name not in header:
            there = ", ".join(header)
            raise ValueError(f"{path} has no column {name!r} in its first line; there are: {there}")
    return [header.index(name) + 1 for name in names]


def _put_together(fields: list[str]) -> tuple[str, str]:
    """(source, target) of a row, tags behind the source."""
    source, target, *tags = fields
    if tags and "\t" in source + tags[0]:
        raise BadRow("a source with tags can't hold a tab")
    return ("\t".join([source, *tags]), target)


class PairReader:
    """Reads (source, target) rows: columns of a table, two parallel files, or JSON Lines.

    Args:
        columns: which columns of a tab-separated file hold source, target and, if there are three,
            the source's tags: numbers counted from 1, or names that the first line of the file
            gives; None: the file has exactly two. Names are keys of JSON Lines, which are `source`,
            `target` and `tags` otherwise. A source with tags is read as the text
            `source<TAB>tags`.
        on_bad_row: `"error"` stops at the first bad row, `"skip"` counts it in `skipped`.
        advice: what an error adds.
    """

    def __init__(
        self,
        columns: Sequence[int | str] | None = None,
        on_bad_row: str = "error",
        advice: str = "",
    ):
        check_choice("task.on_bad_row", on_bad_row, BAD_ROW)
        if columns is not None:
            check_columns(columns)
        self.columns, self.on_bad_row, self.advice = columns, on_bad_row, advice
        self.skipped = 0

    def read(self, paths: str | list[str]) -> Iterator[tuple[int, str, str]]:
        """(line number, source, target) of each row of one file, or of two parallel files."""
        if not isinstance(paths, str | Path):
            if not isinstance(paths, list | tuple) or len(paths) != 2:
                raise ValueError(f"expected one file or two parallel files, got {paths!r}")
            if self.columns is not None:
                raise ValueError(f"two parallel files have no columns, got columns={self.columns}")
            yield from self._read_parallel(*paths)
            return
        yield from self.read_rows(read_lines(paths), paths)

    def read_rows(
        self, lines: Iterator[tuple[int, str]], name: str | Path
    ) -> Iterator[tuple[int, str, str]]:
        """(line number, source, target) of each row of one file.

        Args:
            lines: of the file, numbered.
            name: of the file, for messages; its ending says how rows are written.
        """
        lowered = str(name).lower().removesuffix(".gz")
        if lowered.endswith((".jsonl", ".ndjson")):
            parse = self._json_row
        else:
            columns = self.columns
            if columns is not None and isinstance(columns[0], str):
                columns = find_columns(next(lines)[1].split("\t"), columns, name)
            parse = partial(self._columns_row, columns=columns)
        for number, line in lines:
            try:
                yield number, *_put_together(parse(line))
            except BadRow as error:
                self.bad_row(name, number, str(error))

    def bad_row(self, path: str | Path, number: int, reason: str) -> None:
        """Raise a ValueError for the row, or count it, as `on_bad_row` says."""
        if self.on_bad_row == "error":
            raise ValueError(f"{path}, line {number}: {reason}{self.advice}")
        self.skipped += 1

    @staticmethod
    def _columns_row(line: str, columns: Sequence[int] | None) -> list[str]:
        fields = line.split("\t")
        if columns is None:
            if len(fields) != 2:
                more = " (task.columns says which to take)" if len(fields) > 2 else ""
                raise BadRow(f"expected source<TAB>target, found {len(fields)} column(s){more}")
            return fields
        if max(columns) > len(fields):
            raise BadRow(f"column {max(columns)} was asked for, found {len(fields)}")
        return [fields[column - 1] for column in columns]

    def _json_row(self, line: str) -> list[str]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise BadRow("not JSON") from None
        keys = ("source", "target", "tags")[: 2 if self.columns is None else len(self.columns)]
        if self.columns is not None and isinstance(self.columns[0], str):
            keys = self.columns
        if not isinstance(row, dict):
            raise BadRow("expected {" + ", ".join(f'"{key}": ...' for key in keys) + "}")
        for key in keys:
            if not isinstance(row.get(key), str):
                raise BadRow(f"no text under the key {key!r}")
            if half := re.search("[\ud800-\udfff]", row[key]):
                raise BadRow(f"under the key {key!r} stands {half[0]!r}, which is no character")
        return [row[key] for key in keys]

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
