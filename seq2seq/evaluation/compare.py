"""Several runs side by side: a row for all seeds of one configuration."""

import json
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SEEDS = ("seed", "task.seed")
NOT_COMPARED = ("run_dir", "overwrite", "resume")
METRICS = {  # of `summary.json`'s test: the heading, and whether it is a share
    "exact_match": ("exact match", True),
    "word_error_rate": ("WER", True),
    "phone_error_rate": ("PER", True),
    "mae": ("MAE", False),
    "rmse": ("RMSE", False),
}


class Run(NamedTuple):
    """A finished run.

    Attributes:
        config: what `config.yaml` holds, as plain dictionaries.
        summary: what `summary.json` holds.
    """

    config: dict
    summary: dict


def find_runs(places: Iterable[str | Path]) -> list[Path]:
    """The directories of finished runs at or below `places`, in order of their names.

    Raises:
        ValueError: a place that does not exist, or holds no finished run.
    """
    found: list[Path] = []
    for place in map(Path, places):
        if not place.is_dir():
            raise ValueError(f"no such directory: {place}")
        here = [path.parent for path in place.rglob("summary.json")]
        links = [path for path in here if path.is_symlink() and path != place]  # runs/latest
        here = [path for path in here if path.name != "previous" and path not in links]
        if not here:
            raise ValueError(f"{place} holds no finished run (no summary.json)")
        found += sorted(here, key=lambda path: [_natural(part) for part in path.parts])
    return list(dict.fromkeys(found))


def _natural(text: str) -> list:
    parts = re.split(r"(\d+)", text)
    return [(int(part[:100]), part) if part.isdecimal() else (-1, part) for part in parts]


def compare(runs: Sequence[Run], lengths: Sequence[tuple[int, int]] = ()) -> str:
    """A Markdown table: what sets the runs apart, and their results over seeds.

    Where there are several seeds a result is the mean, with least and greatest in brackets.

    Args:
        runs: at least one.
        lengths: ranges of lengths; of each, one column with the exact match there.
    """
    keys, labels = differences([run.config for run in runs])
    groups: dict[tuple, list[dict]] = {}
    for run, label in zip(runs, labels, strict=True):
        groups.setdefault(label, []).append(run.summary)
    tests = [run.summary["test"] for run in runs]
    metrics = [name for name in METRICS if all(name in test for test in tests)]
    heads = [*keys, "runs", "parameters", *(METRICS[name][0] for name in metrics)]
    heads += [f"length {low}" if low == high else f"length {low}-{high}" for low, high in lengths]
    rows = []
    for label, summaries in groups.items():
        row = [*label, str(len(summaries))]
        row.append(spread([summary["parameters"] for summary in summaries], "{:,.0f}"))
        for name in metrics:
            values = [summary["test"][name] for summary in summaries]
            row.append(spread(values, "{:.2%}" if METRICS[name][1] else "{:.4f}"))
        for bounds in lengths:
            values = [match_at(summary["test"], *bounds) for summary in summaries]
            row.append(spread(values, "{:.2%}"))
        row.append(spread([summary["train"]["seconds"] for summary in summaries], "{:.0f}"))
        rows.append(row)
    return format_table([*heads, "seconds"], rows)


def differences(configs: Sequence[dict]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The keys that set configurations apart beside their seeds, and each one's values.

    Of keys that change together one is named: the task or model, a choice of class, the shortest.
    """
    flat = [dict(flatten(config)) for config in configs]
    candidates: dict[tuple, str] = {}
    for key in sorted({key for one in flat for key in one}, key=lambda key: (key.count("."), key)):
        if key in SEEDS or key.split(".")[0] in NOT_COMPARED:
            continue
        values = [_show(one.get(key)) for one in flat]
        pattern = tuple(values.index(value) for value in values)  # which runs agree
        if len(set(values)) > 1:
            known = candidates.get(pattern)
            if known is None or _rank(key) < _rank(known):
                candidates[pattern] = key
    keys = _leave_out_implied(candidates)
    labels = [tuple(_show(one.get(key)) for key in keys) for one in flat]
    return [key.removesuffix("._target_").removeprefix("names.") for key in keys], labels


def _rank(key: str) -> tuple:
    kind = 0 if key.startswith("names.") else 1 if key.endswith("._target_") else 2
    return kind, key.count("."), "decoder" in key, len(key)  # decoders follow their encoders


def _leave_out_implied(candidates: dict[tuple, str]) -> list[str]:
    """The keys without those whose values another key's values fix already."""
    kept: list[tuple] = []
    for pattern in sorted(candidates, key=lambda pattern: -len(set(pattern))):
        implied = any(
            len(set(zip(other, pattern, strict=True))) == len(set(other)) for other in kept
        )
        if not implied:
            kept.append(pattern)
    return [key for pattern, key in candidates.items() if pattern in kept]


def flatten(node: dict, prefix: str = "") -> Iterable[tuple[str, object]]:
    """The values of nested dictionaries, with their keys joined by dots."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def changes(before: dict, now: dict) -> dict[str, list]:
    """Of two nested dictionaries, each key with other values: `[before, now]`, None where missing.

    >>> changes({"seed": 0, "packages": {"a": "1"}}, {"seed": 0, "packages": {}})
    {'packages.a': ['1', None]}
    """
    old, new = dict(flatten(before)), dict(flatten(now))
    pairs = {key: [old.get(key), new.get(key)] for key in {**old, **new}}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _show(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"(seq2seq|keras)\.[\w.]+", value):
        return value.rpartition(".")[2]  # a class
    for known, shown in ((None, "none"), (True, "true"), (False, "false")):
        if value is known:
            return shown
    return str(value)


def match_at(test: dict, low: int, high: int) -> float:
    """The exact match over all examples with targets of `low` to `high` tokens.

    Raises:
        ValueError: there are none.
    """
    inside = [row for length, row in test["by_length"].items() if low <= int(length) <= high]
    if any("exact_match" not in row for row in inside):
        raise ValueError("of real values there is no exact match by length")
    count = sum(row["count"] for row in inside)
    if not count:
        raise ValueError(f"no test example has a length of {low} to {high}")
    return sum(row["exact_match"] * row["count"] for row in inside) / count


def spread(values: Sequence[float], form: str) -> str:
    """The mean, and where values differ the least and the greatest.

    >>> spread([0.5, 0.75], "{:.0%}"), spread([3, 3], "{}")
    ('62% (50%-75%)', '3')
    """
    if len(set(values)) == 1:
        return form.format(values[0])
    mean, low, high = (form.format(f(values)) for f in (statistics.fmean, min, max))
    return f"{mean} ({low}-{high})"


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, aligned for reading as it is.

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


def parse_lengths(text: str) -> list[tuple[int, int]]:
    """Ranges of lengths.

    >>> parse_lengths("1-20,20,21-30")
    [(1, 20), (20, 20), (21, 30)]
    """
    ranges = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not match or int(match[1]) > int(match[2] or match[1]):
            raise ValueError(f"lengths must be like 1-20,20,21-30; got {text!r}")
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return ranges


def read_summary(path: Path) -> dict:
    """What `summary.json` of a run directory holds.

    Raises:
        ValueError: it is missing or damaged; the error says what is wrong.
    """
    file = path / "summary.json"
    try:
        summary = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{file} is damaged: it is not JSON") from None
    for wrong in _find_wrong(summary):
        raise ValueError(f"{file} is damaged: {wrong}")
    return summary


def _find_wrong(summary: object) -> Iterator[str]:
    """What a summary lacks of what is read of it."""
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
    numbers = {name: value for name, value in test.items() if name != "by_length"}
    numbers |= {"parameters": parts.get("parameters"), "seconds": train.get("seconds")}
    yield from (f"{name} is no number" for name, one in numbers.items() if not _is_number(one))
    if not isinstance(train.get("stopped"), str):
        yield "train lacks stopped"


def _is_number(value: object) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and not abs(value) > 1e300  # a whole number can be too large to be shown
