"""Filters of rows of pairs by length, and notes on unusual rows."""

import statistics

from seq2seq.runtime.tagged import TAB
from seq2seq.runtime.validation import check_count
from seq2seq.runtime.vocabulary import Vocabulary

SIDES = ("source", "target")
Rows = dict[str, list[tuple[str, str]]]  # (source, target) rows by split
LONG = 200  # symbols: a shorter row widens its batch by little
RATIO = 10  # to the median


def bound_lengths(
    rows: Rows, side: int, tokenizer: str, limit: int | None
) -> tuple[Rows, tuple[str, ...]]:
    """Leave out the rows that are too long.

    Args:
        rows: by split; a source has its tags after a tab.
        side: 0 for sources, 1 for targets.
        tokenizer: of that side, or `"numbers"`.
        limit: symbols or values at most; None: every row stays.

    Returns:
        The rows, and notes on what was left out and on one that is far longer than the others.

    Raises:
        ValueError: no row of a split is short enough.
    """
    split = str.split if tokenizer == "numbers" else Vocabulary("", tokenizer).tokens
    lengths = {
        part: [len(split(row[side].partition(TAB)[0])) for row in kept_rows]
        for part, kept_rows in rows.items()
    }
    if limit is None:
        return rows, note_longest(SIDES[side], lengths["train"])
    key = f"task.max_{SIDES[side]}_length"
    check_count(key, limit)
    short = {
        part: [row for row, n in zip(kept_rows, lengths[part], strict=True) if n <= limit]
        for part, kept_rows in rows.items()
    }
    for part, kept_rows in short.items():
        if not kept_rows:
            raise ValueError(f"{key}={limit} leaves no {part} row")
    dropped = sum(len(rows[part]) - len(short[part]) for part in rows)
    notes = (f"{dropped:,} rows were left out: their {SIDES[side]} is longer than {key}={limit}",)
    short_lengths = [n for n in lengths["train"] if n <= limit]
    return short, (notes if dropped else ()) + note_longest(SIDES[side], short_lengths)


def note_longest(side: str, lengths: list[int]) -> tuple[str, ...]:
    """Note a row that is far longer than the others: it widens its whole batch."""
    longest, median = max(lengths), statistics.median_low(lengths)
    if longest <= max(LONG, RATIO * median):
        return ()
    return (
        f"the longest {side} has {longest:,} symbols, half of all have {median:,} at most; a batch "
        f"is as wide as its longest row, so it has few rows, and needs much memory and time "
        f"(task.max_{side}_length=N leaves longer rows out)",
    )


def note_features(side: int, features: int, rows: list[tuple[str, str]]) -> tuple[str, ...]:
    """Note a side of several features, and values that look like decimal commas.

    >>> note_features(0, 2, [("0,5 0,75", "1.5")])[0].partition(": ")[2][:40]
    'each value looks like a number with a de'
    """
    if features == 1:
        return ()
    note = f"a {SIDES[side]} has {features} features a step, separated by commas"
    steps = [step.split(",") for row in rows for step in row[side].split()]
    is_whole = all(part.strip("+-").isdigit() for step in steps for part in step)
    if features == 2 and is_whole and not any(step[1][0] in "+-" for step in steps):
        note += (
            ": each value looks like a number with a decimal comma; if it is one, write a point "
            "(0.5 in place of 0,5)"
        )
    return (note,)
