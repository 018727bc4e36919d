"""Shared options and files of the verbs that study the handed-over state.

Tables go to standard output. A file that is written is named on standard error, a line each.
"""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.cli.options import count
from seq2seq.runtime.atomic import write_whole
from seq2seq.runtime.progress import progress
from seq2seq.runtime.verbosity import note

PACKAGES = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}  # of the extra `analysis`


def add_examples(parser: argparse.ArgumentParser, default: int, description: str) -> None:
    """Add the options for the number of examples and the seed."""
    parser.add_argument(
        "--examples",
        type=count,
        default=default,
        metavar="N",
        help=f"{description} (default {default:,})",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the shuffling (default 0)")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options for output files."""
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="where to write (default: analysis/ beside the model)"
    )
    parser.add_argument(
        "--no-figure", action="store_true", help="no chart, which needs matplotlib; the table alone"
    )


def check_packages(*names: str, without: str = "") -> None:
    """Raise a ValueError that names what is not installed, before any work is done."""
    missing = [PACKAGES[name] for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            f"pip install 'keras-seq2seq[analysis]'{without}"
        )


def check_figures(options: argparse.Namespace) -> None:
    """Raise a ValueError if charts are wanted and can't be drawn."""
    if not options.no_figure:
        check_packages("matplotlib", without=", or --no-figure for the table alone")
        use_default_style()


def use_default_style() -> None:
    """Draw in matplotlib's default style, whatever `matplotlibrc` the directory has."""
    import matplotlib

    matplotlib.rcdefaults()


def find_output(run: str, output: str | None) -> Path:
    """Directory for written files: `output`, or `analysis/` beside the model.

    Raises:
        ValueError: it is a file; or a link in the run, which may lead anywhere.
    """
    beside = Path(run) if Path(run).is_dir() else Path(run).parent
    chosen = Path(output).expanduser() if output else beside / "analysis"
    if not output and chosen.is_symlink():
        raise ValueError(f"{chosen} is a link, and is not followed; name a directory: --output DIR")
    if chosen.exists() and not chosen.is_dir():
        raise ValueError(f"--output {chosen} is a file, a directory was expected")
    return chosen


class Files:
    """The files of a study: a table of all numbers, and a chart.

    Args:
        stem: of their names.
        run: beside which they are written, unless the options name a directory.
        options: of the command line.
    """

    def __init__(self, stem: str, run: str, options: argparse.Namespace):
        self.stem, self.figures = stem, not options.no_figure
        self.folder = find_output(run, options.output)

    def write(self, heads: Sequence[str], rows: Sequence[Sequence], draw: Any) -> None:
        """Write `rows` as tab-separated values, and what `draw()` draws."""
        lines = ["\t".join(map(str, row)) + "\n" for row in (heads, *rows)]
        write_file(self.folder / f"{self.stem}.tsv", "".join(lines))
        if self.figures:
            write_figure(self.folder / self.stem, draw())


def write_figure(stem: Path, figure: Any) -> None:
    """Write a chart as PNG and as SVG, and print their paths.

    Args:
        stem: the path without its ending.
        figure: of matplotlib.
    """
    from seq2seq.analysis.canvas import to_bytes

    with progress(f"drawing {stem.name}"):
        files = {kind: to_bytes(figure, kind) for kind in ("png", "svg")}
    for kind, content in files.items():
        write_file(stem.with_name(f"{stem.name}.{kind}"), content)


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file, with the directories above it, and print its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    note(f"written: {path}")
