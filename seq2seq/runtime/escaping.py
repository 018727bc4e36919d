"""Escaping of text for terminals, pages and spreadsheets.

Text for a program, in a pipe or a file of answers, is not escaped.
"""

import io
import re

# Controls but for tab and line feed, and the overrides of direction that let text read backwards.
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\u2066-\u2068]")
FORMULA = re.compile(r"[=+\-@\t\r]")


def printable(text: str) -> str:
    """Write out the control characters and direction overrides of `text`.

    >>> printable("a\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return ACTING.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def in_one_cell(text: str) -> str:
    """`text` as a cell of a Markdown table: printable, in one line, without the cells' border.

    >>> in_one_cell("a|b\\nc")
    'a\\\\|b\\\\nc'
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t").replace("|", "\\|")


def in_markdown(text: str) -> str:
    """`text` of a Markdown page, in which no HTML begins."""
    return printable(text).replace("<", "&lt;")


def in_spreadsheet(value: object) -> object:
    """A value of a CSV file: text that a spreadsheet would compute begins with an apostrophe.

    >>> in_spreadsheet("=1+1"), in_spreadsheet("-0.5"), in_spreadsheet(-1)
    ("'=1+1", '-0.5', -1)
    """
    if not isinstance(value, str) or not FORMULA.match(value):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


class Terminal(io.TextIOWrapper):
    """Standard output that is a terminal: controls are written out."""

    def write(self, text: str) -> int:
        """Write `text` printably."""
        super().write(printable(text))
        return len(text)
