"""Charts: bars, grids of shares, and lines, with matplotlib and without a display.

Colours suit colour-blind readers and print: Okabe and Ito's, and the scale cividis.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter

from seq2seq.analysis.canvas import FONT, INK, LINE, QUIET, spell, width_of

BLUE, GREY = "#0072b2", "#8a939c"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999")
MARKERS = "osD^vPX*"
DASHES = ("-", "--", ":")
MAX_LINES = len(COLOURS) * len(DASHES)
MAX_MARKS = 14  # on an axis
PANEL = 4.6  # inches, the width of one
PLAIN = {"parse_math": False, "family": FONT}


class Bar(NamedTuple):
    """One bar: a name, its value from 0 to 1, and its interval."""

    name: str
    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """A line: a name, its x-coordinates, and at each a value with its interval."""

    name: str
    x: list[float]
    values: list[tuple[float, float, float]]


class Panel(NamedTuple):
    """Lines over one x-axis.

    Attributes:
        xlabel: label of the x-axis.
        curves: the lines.
        doubling: whether each x-coordinate is twice the previous one.
        marks: labels of x-coordinates; None: their numbers.
        percent: whether values are from 0 to 1 and shown in percent; if not, they are at least 0.
    """

    xlabel: str
    curves: list[Curve]
    doubling: bool = False
    marks: dict[float, str] | None = None
    percent: bool = True


class Grid(NamedTuple):
    """A table: a title, and an accuracy for each (row, column) that exists."""

    title: str
    accuracies: dict[tuple[int, int], float]


def draw_bars(title: str, bars: Sequence[Bar], note: str) -> Figure:
    """Draw horizontal bars; a dashed line marks the value of the first.

    Args:
        title, note: over and under the bars.
        bars: at least one.
    """
    figure = Figure(figsize=(7, 1.3 + 0.32 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    positions = np.arange(len(bars))
    values = np.array([bar.value for bar in bars])
    reach = np.abs(np.array([(bar.low, bar.high) for bar in bars]).T - values)
    axes.barh(positions, values, color=[GREY, *[BLUE] * (len(bars) - 1)], height=0.62)
    axes.errorbar(values, positions, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
    for position, bar in zip(positions, bars, strict=True):
        style = {"va": "center", "size": 8, "color": INK}
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # over the dashed line
        axes.text(bar.high + 0.015, position, f"{bar.value:.2%}", bbox=paper, **style)
    axes.axvline(values[0], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_yticks(positions, [spell(bar.name) for bar in bars], size=9, **PLAIN)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    _plain(axes)
    _add_titles(figure, title, note)
    return figure


def draw_grids(title: str, grids: Sequence[Grid], rows: str, columns: str, note: str) -> Figure:
    """Tables of shares, two side by side, each cell with its number.

    Args:
        title, note: over and under all.
        grids: at least one, with the same cells; columns stand in the order in which they come.
        rows, columns: labels of the axes.
    """
    down = sorted({row for grid in grids for row, _ in grid.accuracies})
    across = list(dict.fromkeys(column for grid in grids for _, column in grid.accuracies))
    wide, high = min(len(grids), 2), -(-len(grids) // 2)
    size = (wide * max(2.2, 0.34 * len(across)) + 0.6, high * (0.8 + 0.25 * len(down)) + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    scale = matplotlib.colormaps["cividis"].with_extremes(bad="white")
    for number, grid in enumerate(grids):
        axes = figure.add_subplot(high, wide, number + 1)
        cells = np.full((len(down), len(across)), np.nan)
        for (row, column), value in grid.accuracies.items():
            cells[down.index(row), across.index(column)] = value
        axes.imshow(np.ma.masked_invalid(cells), cmap=scale, vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(cells):
            if np.isfinite(value):
                style = {"color": "white" if value < 0.5 else "black", "size": 6.5}
                axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", **style)
        axes.set_xticks(range(len(across)), across, size=7)
        axes.set_yticks(range(len(down)), down, size=7)
        axes.tick_params(length=0)
        axes.set_title(grid.title, size=9, color=INK, **PLAIN)
        if number >= len(grids) - wide:
            axes.set_xlabel(columns, size=8, color=INK)
        if number % wide == 0:
            axes.set_ylabel(rows, size=8, color=INK)
        for side in axes.spines.values():
            side.set_color(LINE)
    _add_titles(figure, title, note)
    return figure


def draw_curves(title: str, panels: Sequence[Panel], note: str) -> Figure:
    """Lines with bands, a panel beside the other; each has a legend if it has several lines.

    Args:
        title, note: over and under all.
        panels: at least one.

    Raises:
        ValueError: more lines than can be distinguished.
    """
    longest = max(len(panel.curves) for panel in panels)
    if longest > MAX_LINES:
        raise ValueError(f"{longest} lines can't be distinguished: at most {MAX_LINES} are drawn")
    names = [[_wrap(curve.name, 8, PANEL - 1) for curve in panel.curves] for panel in panels]
    longest = max(sum(name.count("\n") + 1 for name in panel_names) for panel_names in names)
    figure = Figure(figsize=(PANEL * len(panels), 3.4 + 0.17 * longest), layout="constrained")
    for number, (panel, panel_names) in enumerate(zip(panels, names, strict=True)):
        axes = figure.add_subplot(1, len(panels), number + 1)
        for style, (curve, name) in enumerate(zip(panel.curves, panel_names, strict=True)):
            _draw_curve(axes, curve, name, style)
        if panel.percent:
            axes.set_ylim(-0.03, 1.03)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        else:
            axes.set_ylim(bottom=0)
        _mark_positions(axes, panel)
        _plain(axes)
        if len(panel.curves) > 1:
            where = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15)}
            style = {"fontsize": 8, "frameon": False, "borderaxespad": 0.5, "handlelength": 3.5}
            legend = axes.legend(**where, **style)
            for text in legend.get_texts():
                text.set_parse_math(False)
    _add_titles(figure, title, note)
    return figure


def _draw_curve(axes, curve: Curve, name: str, style: int) -> None:
    """Draw a line with its band; colour, dashes and marker are those of number `style`."""
    values, low, high = np.array(curve.values).T
    colour = COLOURS[style % len(COLOURS)]
    line = {"color": colour, "linestyle": DASHES[style % len(DASHES)], "linewidth": 1.5}
    every = -(-len(values) // MAX_MARKS)  # markers of many places are spread over the lines
    marker = {"marker": MARKERS[style % len(MARKERS)], "markersize": 4.5}
    marker["markevery"] = (style % every, every)
    axes.fill_between(curve.x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.x, values, label=name, **line, **marker)


def _mark_positions(axes, panel: Panel) -> None:
    """Label the x-axis, and mark its x-coordinates, or some of many."""
    axes.set_xlabel(panel.xlabel, size=8, color=INK)
    positions = sorted({position for curve in panel.curves for position in curve.x})
    if panel.doubling:
        axes.set_xscale("log", base=2)
    marks = panel.marks or {position: f"{position:,g}" for position in positions}
    texts = [marks[position] for position in positions]
    room = panel.doubling or _fit_beside(positions, texts)
    if panel.marks or (room and len(positions) <= MAX_MARKS):
        axes.set_xticks(positions, texts, rotation=0 if room else 90)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _fit_beside(positions: Sequence[float], texts: Sequence[str]) -> bool:
    """Whether texts under an axis do not overlap."""
    inches = (PANEL - 0.9) / max(positions[-1] - positions[0], 1e-9)
    wide = [width_of(text, 8) + 0.08 for text in texts]
    neighbours = zip(itertools.pairwise(positions), itertools.pairwise(wide), strict=True)
    return all(inches * (right - left) >= sum(pair) / 2 for (left, right), pair in neighbours)


def _add_titles(figure: Figure, title: str, note: str) -> None:
    """Add the title and the note, in as many lines as they need."""
    width = figure.get_size_inches()[0] - 0.3
    figure.suptitle(_wrap(title, 10, width), size=10, color=INK, **PLAIN)
    figure.supxlabel(_wrap(note, 7, width), size=7, color=QUIET, **PLAIN)


def _wrap(text: str, size: float, width: float) -> str:
    """`text` in lines of at most `width` inches, if its words allow."""
    lines = []
    for line in text.split("\n"):
        lines.append("")
        for word in spell(line).split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and width_of(longer, size) > width:
                lines.append(word)
            else:
                lines[-1] = longer
    return "\n".join(lines)


def _plain(axes) -> None:
    axes.tick_params(labelsize=8, color=LINE, labelcolor=INK)
    for name, side in axes.spines.items():
        side.set_visible(name in ("left", "bottom"))
        side.set_color(LINE)
