"""Pairs that `score`, `evaluate` and `ablate` are given: from a file or from standard input."""

import argparse
from collections.abc import Iterator
from typing import Any


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where pairs come from."""
    parser.add_argument(
        "--pairs",
        metavar="FILE",
        help="a file like the run's own: source<TAB>target (<TAB>tags) lines, or JSON Lines; "
        "-: standard input",
    )
    parser.add_argument(
        "--columns",
        metavar="COLUMNS",
        help="which columns or keys of it, as 1,2,3 or lemma,form,tags (default: the run's own)",
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
        self.reader = PairReader(columns)
        self.path = None if options.pairs in (None, "-") else options.pairs
        self.name = self.path or STANDARD_INPUT

    def rows(self) -> Iterator[tuple[int, str, str]]:
        """(line number, source, target) of each row; a source has its tags after a tab.

        Raises:
            ValueError: the file or standard input is missing, empty or damaged, or a row is bad.
        """
        from seq2seq.data.files import read_lines, read_standard_input

        lines = read_standard_input() if self.path is None else read_lines(self.path)
        number = 0
        for number, source, target in self.reader.read_rows(lines, self.name):
            yield number, source, target
        if number == 0:
            raise ValueError(f"{self.name} holds no pair")


def read_pairs(options: argparse.Namespace, predictor: Any) -> Iterator[tuple[str, str]]:
    """(source, target) of each row of `--pairs` or of standard input."""
    for _, source, target in PairInput(options, predictor).rows():
        yield source, target
