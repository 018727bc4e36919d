"""Rows of tab-separated, comma-separated and JSON Lines files."""

import csv
import json
import re
from collections.abc import Iterator, Sequence

KEYS = ("source", "target", "tags")  # of JSON Lines, where columns name no others


class BadRow(ValueError):
    """Error: a row of another form."""


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


class Table:
    """A file of columns, with the columns of source, target and tags.

    Args:
        name: of the file, for messages; `.csv` is comma-separated, any other tab-separated.
        columns: numbers counted from 1, or names that the first line has; None: there are two, and
            a CSV may name them `source,target`.

    Attributes:
        waits: whether the next line may be the header.
    """

    def __init__(self, name: str, columns: Sequence[int | str] | None):
        self.name = name
        self.commas = name.lower().removesuffix(".gz").endswith(".csv")
        self.columns = columns
        self.waits = self.commas if columns is None else isinstance(columns[0], str)

    def divide(self, line: str, lines: Iterator[tuple[int, str]]) -> list[str]:
        """The fields of `line`; in a CSV they may continue in the next `lines`."""
        return divide_csv(line, lines) if self.commas else line.split("\t")

    def read_header(self, fields: list[str]) -> bool:
        """Whether `fields` are the header, which then sets the columns.

        Raises:
            ValueError: the header lacks a requested column.
        """
        self.waits = False
        if self.columns is None:
            return fields == list(KEYS[:2])
        for column in self.columns:
            if column not in fields:
                raise ValueError(
                    f"{self.name} has no column {column!r} in its first line; there are: "
                    f"{', '.join(fields)}{self._hint(fields)}"
                )
        self.columns = [fields.index(column) + 1 for column in self.columns]
        return True

    def choose(self, fields: list[str]) -> list[str]:
        """Source, target and maybe tags of a row.

        Raises:
            BadRow: it has another number of columns.
        """
        description = f"found {len(fields)} column(s)"
        if self.columns is None:
            if len(fields) == 2:
                return fields
            more = " (task.columns, or --columns, selects columns)" if len(fields) > 2 else ""
            expected = "source,target" if self.commas else "source<TAB>target"
            raise BadRow(f"expected {expected}, {description}{more}{self._hint(fields)}")
        if max(self.columns) > len(fields):
            asked = f"column {max(self.columns)} was requested"
            raise BadRow(f"{asked}, {description}{self._hint(fields)}")
        return [fields[column - 1] for column in self.columns]

    def _hint(self, fields: list[str]) -> str:
        """The likely cause where a line is a single field."""
        if len(fields) != 1:
            return ""
        if self.commas:
            return "; it holds tabs: name the file .tsv" if "\t" in fields[0] else ""
        if "," in fields[0]:
            return "; it holds no tab, this looks like comma-separated values: name the file .csv"
        return "; it holds no tab"


def divide_csv(line: str, lines: Iterator[tuple[int, str]]) -> list[str]:
    """The fields of a record of comma-separated values (RFC 4180), which may hold line ends.

    Raises:
        BadRow: a misplaced quotation mark.
        ValueError: a record of several lines never ends, or is so long that a mark must be missing.
    """
    taken: list[int] = []

    def physical_lines() -> Iterator[str]:
        yield line + "\n"
        for number, more in lines:
            taken.append(number)
            yield more + "\n"

    try:
        return next(csv.reader(physical_lines(), strict=True))
    except csv.Error as error:
        if not taken and error.args != ("unexpected end of data",):
            raise BadRow(f"not comma-separated values: {error}") from None
        raise UnendedRecord(f"a quoted field begins here and does not end ({error})") from None


class UnendedRecord(ValueError):
    """Error: a quoted field without an end, which contains the lines after it."""


def divide_json(line: str, columns: Sequence[int | str] | None) -> list[str]:
    """Source, target and maybe tags of a line of JSON.

    Args:
        line: a JSON object.
        columns: names are its keys; None or numbers: `source` and `target` (and `tags`).

    Raises:
        BadRow: it is no object, or has no text under a key.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRow("not JSON") from None
    keys = KEYS[: 2 if columns is None else len(columns)]
    if columns is not None and isinstance(columns[0], str):
        keys = columns
    if not isinstance(row, dict):
        raise BadRow("expected {" + ", ".join(f'"{key}": ...' for key in keys) + "}")
    for key in keys:
        if not isinstance(row.get(key), str):
            raise BadRow(f"no text under the key {key!r}")
        if half := re.search("[\ud800-\udfff]", row[key]):
            raise BadRow(f"the text under {key!r} has {half[0]!r}, which is no character")
    return [row[key] for key in keys]


def join_tags(fields: Sequence[str]) -> tuple[str, str]:
    """(source, target) of a row, tags behind the source.

    Raises:
        BadRow: a source with tags holds a tab itself.
    """
    source, target, *tags = fields
    if tags and "\t" in source + tags[0]:
        raise BadRow("a source with tags can't hold a tab")
    return "\t".join([source, *tags]), target
