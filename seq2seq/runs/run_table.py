"""Table of runs for Python: in a notebook's cell, and as a data frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.inference.display import make_data_frame, make_table
from seq2seq.runs.compare import Group, group_runs
from seq2seq.runs.existing import gather
from seq2seq.runs.tables import list_runs
from seq2seq.runs.tables import make_table as make_markdown


class RunTable:
    """Comparison of runs: a row for all seeds of a configuration, as text and in a notebook.

    Args:
        groups: runs by configuration, see `group_runs`.
    """

    def __init__(self, groups: Sequence[Group]):
        self.groups = list(groups)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each run, failed ones too, and all its metrics.

        Raises:
            ValueError: pandas is not installed.
        """
        columns, rows = list_runs(self.groups)
        return make_data_frame(({**row, "run": str(row["run"])} for row in rows), columns)

    def __str__(self) -> str:
        return make_markdown(self.groups)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lines = [
            [cell.strip() for cell in line.strip("|").split(" | ")]
            for line in str(self).splitlines()
        ]
        return make_table(lines[0], lines[2:])


def report(*folders: str | Path) -> RunTable:
    """Compare all runs at or below `folders`, as `seq2seq report` does.

    Raises:
        ValueError: a directory that does not exist or holds no run, or a run that is damaged.

    Example:
        >>> report("runs/grid").to_pandas().groupby("attention").mean()  # doctest: +SKIP
    """
    if not folders:
        raise ValueError('there is no directory of runs: report("runs")')
    return RunTable(group_runs(gather([Path(folder).expanduser() for folder in folders])))
