"""Rows of pairs in memory: texts, or arrays of real values."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.data.rows import KEYS, BadRow
from seq2seq.data.task import SPLITS


class Columns(NamedTuple):
    """Columns of rows in memory, each any iterable that is read once: a list, a generator, ...

    Attributes:
        name: of the rows, for messages.
        columns: sources, targets, and maybe tags of each source.
        numbers: sides of real values, 0 for sources and 1 for targets.
    """

    name: str
    columns: tuple[Iterable, ...]
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} rows in memory"

    def rows(self) -> Iterator[list]:
        """Yield the values of each row, one of each column.

        Raises:
            ValueError: the columns differ in length.
        """
        end = object()
        iterators = [iter(column) for column in self.columns]
        number = 0
        while True:
            number += 1
            row = [next(iterator, end) for iterator in iterators]
            ended = [value is end for value in row]
            if all(ended):
                return
            if any(ended):
                short, long = KEYS[ended.index(True)], KEYS[ended.index(False)]
                raise ValueError(f"{self}: the {short}s end before row {number} of the {long}s")
            yield row

    def to_texts(self, row: list) -> list[str]:
        """The values of a row as texts.

        Raises:
            BadRow: one is neither a text nor, on a side of real values, an array of numbers.
        """
        return [
            write_steps(value, KEYS[side])
            if side in self.numbers and not isinstance(value, str)
            else _check_text(value, KEYS[side])
            for side, value in enumerate(row)
        ]


def is_in_memory(rows: Any) -> bool:
    """Whether `rows` holds the columns themselves, and not the paths of files."""
    return (
        isinstance(rows, list | tuple)
        and len(rows) in (2, 3)
        and all(isinstance(part, Iterable) and not isinstance(part, str | Path) for part in rows)
    )


def choose_train(train: Any, sources: Any, targets: Any, tags: Any) -> Any:
    """The training rows of `Pairs`: its `train`, or the columns of their own.

    Raises:
        ValueError: there are none, they are given twice, or a column is a single text.
    """
    columns = {"sources": sources, "targets": targets} | ({} if tags is None else {"tags": tags})
    if all(column is None for column in columns.values()):
        if train is None:
            raise ValueError(
                "task=pairs needs a file: task.train=my.tsv (in Python also sources=[...], "
                "targets=[...])"
            )
        return train
    if train is not None:
        raise ValueError("training rows are given twice: train, and sources or targets; choose")
    for name, column in columns.items():
        if isinstance(column, str | bytes | Path) or not isinstance(column, Iterable):
            raise ValueError(f"{name} must be several texts (or arrays of numbers), got {column!r}")
    return tuple(columns.values())


def check_tags(columns: Any, comment: Any, files: dict, in_memory: dict) -> bool:
    """Whether sources have tags, a third column.

    Args:
        columns, comment: see `Pairs`; of files alone.
        files: of each split, None where there are none.
        in_memory: columns of each split in memory.

    Raises:
        ValueError: there are columns or comments but no files, or some rows have tags and some not.
    """
    has_files = any(paths is not None for paths in files.values())
    for name, value in (("columns", columns), ("comment", comment)):
        if value is not None and not has_files:
            raise ValueError(f"rows in memory have no {name}, got {name}={value!r}")
    widths = {len(rows) for rows in in_memory.values()}
    if has_files:
        widths.add(2 if columns is None else len(columns))
    if len(widths) > 1:
        raise ValueError("either all rows have tags or none: give every split as many columns")
    return widths == {3}


def describe_pairs(arguments: dict, files: dict) -> dict:
    """Configuration of `Pairs`; `in_memory` notes that rows in memory are left out.

    Args:
        arguments: of its constructor, by name.
        files: of each split that has files, or None.
    """
    left_out = ("self", "__class__", "sources", "targets", "tags")
    config = {key: value for key, value in arguments.items() if key not in left_out}
    for split in SPLITS:
        paths = files.get(split)
        is_several = isinstance(paths, list | tuple)
        config[split] = [*map(str, paths)] if is_several else None if paths is None else str(paths)
    if config["columns"] is not None:
        config["columns"] = [*config["columns"]]
    note = {} if len(files) == len(SPLITS) else {"in_memory": True}
    return {"_target_": "seq2seq.data.Pairs", **config, **note}


def write_steps(values: Any, name: str = "source") -> str:
    """Write real values as text, with all the digits of their dtype.

    Args:
        values: (time,) or (time, features); a number is a single step.
        name: of the side, for messages.

    Raises:
        BadRow: they are no numbers, or of another shape.

    >>> write_steps([0.1, 2]), write_steps([[1, 2], [3, 4]])
    ('0.1 2', '1,2 3,4')
    """
    try:
        array = np.atleast_1d(np.asarray(values))
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "fiu" or array.ndim > 2:
        raise BadRow(
            f"the {name} must be numbers (time,) or (time, features), got {values!r:.60}".replace(
                "\n", " "
            )
        )
    steps = array if array.ndim == 2 else array[:, None]
    write = np.format_float_positional if array.dtype.kind == "f" else None
    return " ".join(
        ",".join(write(value, trim="-") if write else str(value) for value in step)
        for step in steps
    )


def _check_text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadRow(f"the {name} is no text: {value!r:.60}".replace("\n", " "))
    if half := re.search("[\ud800-\udfff]", value):
        raise BadRow(f"the {name} has {half[0]!r}, which is no character")
    return str(value)  # of a subclass, as NumPy's
