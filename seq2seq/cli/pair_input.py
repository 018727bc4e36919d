"""Input of pairs for `score`, `evaluate` and `ablate`: a file or standard input."""

import argparse
from collections.abc import Iterator
from typing import Any

from seq2seq.runtime.verbosity import note


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """Add the options for the input of pairs."""
    parser.add_argument(
        "--pairs",
        metavar="FILE",
        help="a file like the run's own: source<TAB>target (<TAB>tags) lines, .csv or .jsonl; "
        "-: standard input",
    )
    parser.add_argument(
        "--columns",
        metavar="COLUMNS",
        help="which columns or keys of it, as 1,2,3 or lemma,form,tags (default: the run's own)",
    )
    parser.add_argument(
        "--on-bad-row",
        choices=("error", "skip"),
        default="error",
        help="of --pairs: stop at the first bad row, or skip it and name it (default error)",
    )


class PairInput:
    """Rows of `--pairs`, or of standard input where it is absent or `-`.

    Args:
        options: of the command line.
        predictor: the run, whose settings name the columns unless the options do.
    """

    def __init__(self, options: argparse.Namespace, predictor: Any):
        from seq2seq.data.files import STANDARD_INPUT, PairReader

        columns = predictor.settings.get("columns")
        if options.columns:
            columns = [int(c) if c.isdigit() else c for c in options.columns.split(",")]
        advice = "; mend the row, or leave such rows out with --on-bad-row skip"
        comment = predictor.settings.get("comment")  # older runs lack it
        self.reader = PairReader(columns, options.on_bad_row, advice, comment)
        self.sides = (predictor.source, predictor.target)
        self.path = None if options.pairs in (None, "-") else options.pairs
        self.name = self.path or STANDARD_INPUT

    def records(self) -> Iterator[Any]:
        """Each line as a `Record`; a source has its tags after a tab.

        Raises:
            ValueError: the file or standard input is missing, empty or damaged, or a row is bad.
        """
        from seq2seq.data.files import read_lines, read_standard_input

        lines = read_standard_input() if self.path is None else read_lines(self.path)
        empty = True
        for record in self.reader.records(lines, self.name):
            record = self._check_values(record)
            empty = empty and record.pair is None
            yield record
        if empty:
            raise ValueError(f"{self.name} holds no usable pair")

    def print_notes(self) -> None:
        """Print notes on skipped rows, once all are read."""
        for text in self.reader.notes:
            note(f"note: {text}")

    def reject(self, record: Any, reason: str) -> Any:
        """The record of a bad row, without its pair.

        Raises:
            ValueError: bad rows are errors; it names the line.
        """
        self.reader.bad_row(self.name, record.line, reason)
        return record._replace(pair=None, problem=reason)

    def _check_values(self, record: Any) -> Any:
        """`record`, rejected if a side that must hold real values does not."""
        from seq2seq.runtime.real_values import Numbers

        for side, text in zip(self.sides, record.pair or (), strict=False):
            if isinstance(side, Numbers):
                try:
                    if not side.tokens(text):
                        raise ValueError("a side that must hold numbers is empty")
                except ValueError as error:
                    return self.reject(record, str(error))
        return record


def read_pairs(options: argparse.Namespace, predictor: Any) -> Iterator[tuple[str, str]]:
    """(source, target) of each good row of `--pairs` or of standard input."""
    pairs = PairInput(options, predictor)
    for record in pairs.records():
        if record.pair is not None:
            yield record.pair
    pairs.print_notes()
