"""The verb `list`: tasks, models, experiments, and the choices of every other group."""

import argparse
import json
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from seq2seq.cli.options import add_format
from seq2seq.runtime.paths import CONFIGS

COUNTS = ("rows", "seeds", "planned", "existing", "minutes")  # of an experiment
NARROWEST = 30  # characters of a description in a line


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    groups = sorted(f"{path.name}s" for path in CONFIGS.glob("*/"))
    parser = verbs.add_parser(
        "list",
        help="list tasks, models, experiments, and the choices of other groups",
        description="The choices of each group with their descriptions, to be chosen as in "
        "task=NAME. Of an experiment (seq2seq reproduce NAME): its rows and seeds, how many of its "
        "runs have results in docs/results of a checkout, the minutes of training that these took "
        "together, and the source of the published values.",
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"only these: {', '.join(groups)}"
    )
    add_format(
        parser,
        "text: tables for reading; tsv: a row a choice; jsonl: an object a choice",
    )


def run(options: argparse.Namespace) -> None:
    """`seq2seq list`: a table for each group."""
    from seq2seq.runs.catalogue import EXPERIMENT, list_entries, list_groups
    from seq2seq.runtime.validation import check_choice

    names = {plural: group for group in list_groups() for plural in (f"{group}s", group)}
    plurals = [name for name, group in names.items() if name != group]
    for name in options.groups:
        if name not in names:
            check_choice("group", name, plurals)
    groups = list(dict.fromkeys(names[name] for name in options.groups)) or list_groups()
    if options.format == "text":
        width = shutil.get_terminal_size((100, 24)).columns
        tables = [make_text(group, list_entries(group), width) for group in groups]
        print("\n\n".join(tables))
        return
    entries = [entry for group in groups for entry in list_entries(group)]
    columns = ["group", "name", "description", *(COUNTS if EXPERIMENT in groups else ())]
    if options.format == "tsv":
        print(*columns, sep="\t")
    for entry in entries:
        values = entry._asdict()
        if options.format == "jsonl":
            print(json.dumps(values, ensure_ascii=False))
        else:
            print(*(show(values.get(column)) for column in columns), sep="\t")


def make_text(group: str, entries: Sequence[Any], width: int) -> str:
    """Make the table of a group, with long descriptions in several lines."""
    from seq2seq.runs.catalogue import EXPERIMENT

    if group != EXPERIMENT:
        return format_columns([f"{group}=", ""], [[e.name, e.description] for e in entries], width)
    rows = [
        [entry.name, show(entry.rows), show(entry.seeds), count_runs(entry)]
        + [show(entry.minutes), entry.description]
        for entry in entries
    ]
    heads = [f"{group}=", "rows", "seeds", "runs", "minutes", "source"]
    return format_columns(heads, rows, width)


def count_runs(entry: Any) -> str:
    """Count the runs of an experiment: those with results, of all that are planned."""
    if entry.existing is None:
        return str(entry.planned)
    return f"{entry.existing} of {entry.planned}"


def show(value: object) -> str:
    """Text of a cell; empty: unknown."""
    if value is None:
        return ""
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def format_columns(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Align cells in columns, and wrap the last one.

    >>> print(format_columns(["bridge=", ""], [["copy", "all"], ["zero", "Zeros."]], 80))
    bridge=
      copy   all
      zero   Zeros.
    """
    indented = [[f"  {first}", *others] for first, *others in rows]
    widths = [max(map(len, column)) for column in zip(heads, *indented, strict=True)][:-1]
    start = " " * (sum(widths) + 2 * len(widths))
    lines = []
    for *cells, last in (heads, *indented):
        aligned = "  ".join([*map(str.ljust, cells, widths), ""])
        room = max(NARROWEST, width - len(start))
        parts = textwrap.wrap(last, room, break_on_hyphens=False) or [""]
        lines += [f"{aligned}{parts[0]}".rstrip(), *(f"{start}{part}" for part in parts[1:])]
    return "\n".join(lines)
