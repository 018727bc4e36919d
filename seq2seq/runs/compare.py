"""Comparison of runs: differences of configuration, and seeds of one configuration."""

import csv
import io
import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.runtime.escaping import in_one_cell
from seq2seq.runtime.file_format import parse_json
from seq2seq.runtime.manifest import NotAsWritten, read_checked

SEEDS = ("seed", "task.seed")
NOT_COMPARED = ("run_dir", "overwrite", "resume", "tracker")
FAILURES = {"nan": "its loss was no number", "interrupted": "interrupted"}  # by what stopped it


class Run(NamedTuple):
    """A run, finished or not.

    Attributes:
        config: content of `config.yaml`, as plain dictionaries.
        summary: content of `summary.json`; None: there is none.
        path: its directory; None: unknown.
    """

    config: dict
    summary: dict | None
    path: Path | None = None

    @property
    def failure(self) -> str:
        """The reason why its results do not count; empty if they do."""
        if self.summary is None:
            return "not finished"
        return FAILURES.get(self.summary["train"]["stopped"], "")


class Group(NamedTuple):
    """Runs of one configuration, which differ in their seeds alone.

    Attributes:
        settings: the settings that differ from other groups, by key.
        runs: those whose results count.
        failed: the others.
    """

    settings: dict[str, str]
    runs: list[Run]
    failed: list[Run]

    @property
    def name(self) -> str:
        """Name, as in `attention Dot, units 8`; of a single group as in `reverse-lstm`."""
        ends = [key.rpartition(".")[2] for key in self.settings]
        words = [
            f"{end if ends.count(end) == 1 else key} {value}"
            for end, (key, value) in zip(ends, self.settings.items(), strict=True)
        ]
        if words:
            return ", ".join(words)
        first = (*self.runs, *self.failed)[0]
        names = (str(value) for key, value in flatten(first.config) if key.startswith("names."))
        return "-".join(names) or "all runs"


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Group runs by configuration, in the order of first occurrence.

    Args:
        runs: at least one.
    """
    keys, labels = differences([run.config for run in runs])
    groups: dict[tuple, Group] = {}
    for run, label in zip(runs, labels, strict=True):
        group = groups.setdefault(label, Group(dict(zip(keys, label, strict=True)), [], []))
        (group.failed if run.failure else group.runs).append(run)
    return list(groups.values())


def find_runs(folders: Iterable[str | Path], finished: bool = True) -> list[Path]:
    """The directories of runs at or below `folders`, in order of their names.

    Args:
        folders: directories; a run that is found twice is listed once.
        finished: whether those without a summary are left out.

    Raises:
        ValueError: a directory that does not exist, or holds no such run.
    """
    marks = ("summary.json",) if finished else ("config.yaml", "summary.json")
    runs: dict[Path, Path] = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise ValueError(f"no such directory: {folder}")
        candidates = {path.parent for mark in marks for path in folder.rglob(mark)}
        links = {path for path in candidates if path.is_symlink() and path != folder}  # runs/latest
        candidates = {path for path in candidates - links if path.name != "previous"}
        if not candidates:
            kind = "finished run" if finished else "run"
            raise ValueError(f"{folder} holds no {kind} (no {' or '.join(marks)})")
        for path in sorted(candidates, key=lambda path: [_natural(part) for part in path.parts]):
            runs.setdefault(path.resolve(), path)
    return list(runs.values())


def _natural(text: str) -> list:
    parts = re.split(r"(\d+)", text)
    return [(int(part[:100]), part) if part.isdecimal() else (-1, part) for part in parts]


def differences(configs: Sequence[dict]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Keys other than the seed in which configurations differ, and the values of each.

    Of keys that change together one is named: the task or model, the shortest, or all parts that
    were chosen, as in `attention none, bridge Dense`.
    """
    flat = [dict(flatten(config)) for config in configs]
    candidates: dict[tuple, list[str]] = {}  # by which runs agree
    for key in sorted(
        {key for values_of_run in flat for key in values_of_run},
        key=lambda key: (key.count("."), key),
    ):
        if key in SEEDS or key.split(".")[0] in NOT_COMPARED:
            continue
        values = [_show(values_of_run.get(key)) for values_of_run in flat]
        if len(set(values)) > 1:
            candidates.setdefault(tuple(map(values.index, values)), []).append(key)
    patterns = _leave_out_implied(candidates)
    keys = [key for pattern in patterns for key in _choose(candidates[pattern])]
    labels = [tuple(_show(values_of_run.get(key)) for key in keys) for values_of_run in flat]
    return [key.removesuffix("._target_").removeprefix("names.") for key in keys], labels


def _choose(keys: Sequence[str]) -> list[str]:
    """Choose one of the keys that always change together."""

    def rank(key: str) -> tuple:
        kind = 0 if key.startswith("names.") else 1 if key.endswith("._target_") else 2
        return kind, key.count("."), "decoder" in key, len(key)  # decoders follow their encoders

    best = min(keys, key=rank)
    parts = [key for key in keys if re.fullmatch(r"\w+\._target_", key)]
    return parts if best in parts else [best]


def _leave_out_implied(patterns: Collection[tuple]) -> list[tuple]:
    """The patterns without those that another one fixes already."""
    chosen: list[tuple] = []
    for pattern in sorted(patterns, key=lambda pattern: -len(set(pattern))):
        implied = any(
            len(set(zip(earlier, pattern, strict=True))) == len(set(earlier)) for earlier in chosen
        )
        if not implied:
            chosen.append(pattern)
    return [pattern for pattern in patterns if pattern in chosen]


def flatten(node: dict, prefix: str = "") -> Iterable[tuple[str, object]]:
    """The values of nested dictionaries, with their keys joined by dots."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def changes(old: dict, new: dict) -> dict[str, list]:
    """Compare nested dictionaries: `[old, new]` of each key that differs, None where missing.

    >>> changes({"seed": 0, "packages": {"a": "1"}}, {"seed": 0, "packages": {}})
    {'packages.a': ['1', None]}
    """
    old, new = dict(flatten(old)), dict(flatten(new))
    pairs = {key: [old.get(key), new.get(key)] for key in {**old, **new}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _show(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"(seq2seq|keras)\.[\w.]+", value):
        return value.rpartition(".")[2]  # a class
    for known, shown in ((None, "none"), (True, "true"), (False, "false")):
        if value is known:
            return shown
    return in_one_cell(str(value))


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown table, aligned for reading as plain text.

    >>> print(format_table(["a", "b"], [["1", "22"]]))
    | a | b  |
    | - | -- |
    | 1 | 22 |
    """
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [heads, ["-" * width for width in widths], *rows]
    padded = [
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}
LATEX |= {"±": r"$\pm$", "–": "--", "→": r"$\to$", "×": r"$\times$"}


def format_latex(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """LaTeX table with the rules of the package `booktabs`.

    >>> print(format_latex(["a_b", "%"], [["1", "22 ± 3"]]))
    \\begin{tabular}{ll}
    \\toprule
    a\\_b & \\% \\\\
    \\midrule
    1 & 22 $\\pm$ 3 \\\\
    \\bottomrule
    \\end{tabular}
    """
    lines = [
        " & ".join("".join(LATEX.get(c, c) for c in cell) for cell in line) + r" \\"
        for line in (heads, *rows)
    ]
    start, end = rf"\begin{{tabular}}{{{'l' * len(heads)}}}", r"\end{tabular}"
    return "\n".join([start, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", end])


def read_summary(path: Path) -> dict:
    """Read `summary.json` of a run directory.

    Raises:
        ValueError: it is missing or damaged.
    """
    file = path / "summary.json"
    try:
        content = read_checked(file)
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from None
    try:
        summary = parse_json(content)
    except ValueError as error:
        raise ValueError(f"{file} is damaged: it is not JSON ({error})") from None
    for wrong in _find_wrong(summary):
        raise ValueError(f"{file} is damaged: {wrong}")
    return summary


def _find_wrong(summary: object) -> Iterator[str]:
    """Yield a description of each missing or damaged value of a summary."""
    parts = summary if isinstance(summary, dict) else {}
    test, train = (parts.get(name) for name in ("test", "train"))
    if not isinstance(test, dict) or not isinstance(train, dict):
        yield "it lacks test or train"
        return
    by_length = test.get("by_length")
    if not isinstance(by_length, dict):
        yield "test lacks by_length"
        return
    for length, row in by_length.items():
        metrics = row if isinstance(row, dict) else {}
        if not re.fullmatch(r"\d{1,9}", length) or not _is_number(metrics.get("count")):
            yield f"by_length holds {length!r}, which is no length with its metrics"
        elif wrong := [name for name, value in row.items() if not _is_number(value)]:
            yield f"{wrong[0]} of length {length} is no number"
    if not isinstance(train.get("stopped"), str):
        yield "train lacks stopped"
    validation = parts.get("validation") or {}  # older runs lack it, others had no examples
    if not isinstance(validation, dict):
        yield "validation holds no metrics"
        return
    numbers = {f"validation {name}": value for name, value in validation.items()}
    numbers |= {name: value for name, value in test.items() if name != "by_length"}
    numbers |= {"parameters": parts.get("parameters")}
    numbers |= {name: train.get(name) for name in ("seconds", "steps")}
    yield from (f"{name} is no number" for name, value in numbers.items() if not _is_number(value))


def _is_number(value: object) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and not abs(value) > 1e300  # a whole number can be too large to be shown


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a run directory's `history.csv`; none if it was stopped before the first.

    Raises:
        ValueError: it is damaged.
    """
    file = path / "history.csv"
    if not file.is_file():
        return []
    try:
        lines = io.StringIO(read_checked(file).decode("utf-8"), newline="")
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(lines)]
    except NotAsWritten:
        raise
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{file} is damaged: {error}") from None
    for column in ("epoch", "step"):
        if not all(math.isfinite(row.get(column, math.nan)) for row in rows):
            raise ValueError(f"{file} is damaged: its column {column} is missing or no number")
    return rows
