"""Results as data frames of pandas, and as HTML for a notebook's cells."""

import html
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seq2seq.runtime.escaping import printable

HEIGHT = 720  # pixels of a page in a cell


def make_data_frame(
    rows: Iterable[Mapping], columns: Sequence[str] | None = None, index: str | None = None
) -> Any:
    """Make a `pandas.DataFrame`.

    Args:
        rows: values by column.
        columns: their order; None: that of the rows.
        index: the column that becomes the index; None: rows are numbered.

    Raises:
        ValueError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")  # only here: the package works without it
    except ModuleNotFoundError:
        raise ValueError(
            "to_pandas() needs pandas, which is not installed: pip install pandas"
        ) from None
    frame = pandas.DataFrame([dict(row) for row in rows], columns=columns)
    return frame if index is None else frame.set_index(index)


def make_table(heads: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Make an HTML table; every text is escaped, and control characters are shown."""
    parts = [f"<caption>{_escape(caption)}</caption>"] if caption else []
    parts.append("<tr>" + "".join(f"<th>{_escape(head)}</th>" for head in heads) + "</tr>")
    for row in rows:
        parts.append("<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in row) + "</tr>")
    return "<table>" + "".join(parts) + "</table>"


def make_frame(page: str) -> str:
    """Put a whole page into a frame of its own, which its style and script can't leave."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'
    )


def _escape(text: object) -> str:
    return html.escape(printable(str(text)))
