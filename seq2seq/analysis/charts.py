"""Charts: bars, grids of shares, and lines, with matplotlib and without a display.

Colours are told apart by colour-blind readers and in print: Okabe and Ito's, and the scale cividis.
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
MOST_LINES = len(COLOURS) * len(DASHES)
MOST_MARKS = 14  # on an axis
PANEL = 4.6  # inches, the width of one
PLAIN = {"parse_math": False, "family": FONT}


class Bar(NamedTuple):
    """One bar: a name, its height from 0 to 1, and how far it may be off."""

    name: str
    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """One line: a name, and at each place a value with how far it may be off."""

    name: str
    places: list[float]
    values: list[tuple[float, float, float]]


class Panel(NamedTuple):
    """Lines over the same places.

    Attributes:
        places: what these are, in words.
        curves: the lines.
        doubling: whether each place is twice the one before.
        marks: what is written at places; None: their numbers.
        shares: whether values are from 0 to 1 and shown in percent; if not, they are at least 0.
    """

    places: str
    curves: list[Curve]
    doubling: bool = False
    marks: dict[float, str] | None = None
    shares: bool = True


class Grid(NamedTuple):
    """One table: a title, and a share at each (row, column), nothing where there is none."""

    title: str
    shares: dict[tuple[int, int], float]


def draw_bars(title: str, bars: Sequence[Bar], note: str) -> Figure:
    """Bars from left to right, one under the other, the first one as a measure for the rest.

    Args:
        title, note: over and under the bars.
        bars: at least one.
    """
    figure = Figure(figsize=(7, 1.3 + 0.32 * len(bars)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(bars))
    values = np.array([bar.value for bar in bars])
    reach = np.abs(np.array([(bar.low, bar.high) for bar in bars]).T - values)
    axes.barh(places, values, color=[GREY, *[BLUE] * (len(bars) - 1)], height=0.62)
    axes.errorbar(values, places, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
    for place, bar in zip(places, bars, strict=True):
        look = {"va": "center", "size": 8, "color": INK}
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # over the dashed line
        axes.text(bar.high + 0.015, place, f"{bar.value:.2%}", bbox=paper, **look)
    axes.axvline(values[0], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_yticks(places, [spell(bar.name) for bar in bars], size=9, **PLAIN)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    _plain(axes)
    _say(figure, title, note)
    return figure


def draw_grids(title: str, grids: Sequence[Grid], rows: str, columns: str, note: str) -> Figure:
    """Tables of shares, two side by side, each cell with its number.

    Args:
        title, note: over and under all.
        grids: at least one, with the same cells; columns stand in the order in which they come.
        rows, columns: what the numbers of rows and columns are.
    """
    down = sorted({row for grid in grids for row, _ in grid.shares})
    across = list(dict.fromkeys(column for grid in grids for _, column in grid.shares))
    wide, high = min(len(grids), 2), -(-len(grids) // 2)
    size = (wide * max(2.2, 0.34 * len(across)) + 0.6, high * (0.8 + 0.25 * len(down)) + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    scale = matplotlib.colormaps["cividis"].with_extremes(bad="white")
    for number, grid in enumerate(grids):
        axes = figure.add_subplot(high, wide, number + 1)
        cells = np.full((len(down), len(across)), np.nan)
        for (row, column), share in grid.shares.items():
            cells[down.index(row), across.index(column)] = share
        axes.imshow(np.ma.masked_invalid(cells), cmap=scale, vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(cells):
            if np.isfinite(share):
                look = {"color": "white" if share < 0.5 else "black", "size": 6.5}
                axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", **look)
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
    _say(figure, title, note)
    return figure


def draw_curves(title: str, panels: Sequence[Panel], note: str) -> Figure:
    """Lines with bands, a panel beside the other; each has a legend if it has several lines.

    Args:
        title, note: over and under all.
        panels: at least one.

    Raises:
        ValueError: more lines than can be told apart.
    """
    most = max(len(panel.curves) for panel in panels)
    if most > MOST_LINES:
        raise ValueError(f"{most} lines can't be told apart: at most {MOST_LINES} are drawn")
    names = [[_wrap(curve.name, 8, PANEL - 1) for curve in panel.curves] for panel in panels]
    most = max(sum(name.count("\n") + 1 for name in some) for some in names)
    figure = Figure(figsize=(PANEL * len(panels), 3.4 + 0.17 * most), layout="constrained")
    for number, (panel, some) in enumerate(zip(panels, names, strict=True)):
        axes = figure.add_subplot(1, len(panels), number + 1)
        for look, (curve, name) in enumerate(zip(panel.curves, some, strict=True)):
            _draw_curve(axes, curve, name, look)
        if panel.shares:
            axes.set_ylim(-0.03, 1.03)
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        else:
            axes.set_ylim(bottom=0)
        _mark_places(axes, panel)
        _plain(axes)
        if len(panel.curves) > 1:
            where = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15)}
            look = {"fontsize": 8, "frameon": False, "borderaxespad": 0.5, "handlelength": 3.5}
            legend = axes.legend(**where, **look)
            for text in legend.get_texts():
                text.set_parse_math(False)
    _say(figure, title, note)
    return figure


def _draw_curve(axes, curve: Curve, name: str, look: int) -> None:
    """Put down a line with its band; colour, dashes and marker are those of number `look`."""
    values, low, high = np.array(curve.values).T
    colour = COLOURS[look % len(COLOURS)]
    line = {"color": colour, "linestyle": DASHES[look % len(DASHES)], "linewidth": 1.5}
    every = -(-len(values) // MOST_MARKS)  # markers of many places are spread over the lines
    marker = {"marker": MARKERS[look % len(MARKERS)], "markersize": 4.5}
    marker["markevery"] = (look % every, every)
    axes.fill_between(curve.places, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.places, values, label=name, **line, **marker)


def _mark_places(axes, panel: Panel) -> None:
    """Name the axis of places, and mark those that there are, or some of many."""
    axes.set_xlabel(panel.places, size=8, color=INK)
    places = sorted({place for curve in panel.curves for place in curve.places})
    if panel.doubling:
        axes.set_xscale("log", base=2)
    marks = panel.marks or {place: f"{place:,g}" for place in places}
    texts = [marks[place] for place in places]
    room = panel.doubling or _have_room(places, texts)
    if panel.marks or (room and len(places) <= MOST_MARKS):
        axes.set_xticks(places, texts, rotation=0 if room else 90)
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _have_room(places: Sequence[float], texts: Sequence[str]) -> bool:
    """Whether texts under an axis stand clear of each other."""
    inches = (PANEL - 0.9) / max(places[-1] - places[0], 1e-9)
    wide = [width_of(text, 8) + 0.08 for text in texts]
    neighbours = zip(itertools.pairwise(places), itertools.pairwise(wide), strict=True)
    return all(inches * (right - left) >= sum(pair) / 2 for (left, right), pair in neighbours)


def _say(figure: Figure, title: str, note: str) -> None:
    """Put down the title and the note, in as many lines as they need."""
    width = figure.get_size_inches()[0] - 0.3
    figure.suptitle(_wrap(title, 10, width), size=10, color=INK, **PLAIN)
    figure.supxlabel(_wrap(note, 7, width), size=7, color=QUIET, **PLAIN)


def _wrap(text: str, size: float, width: float) -> str:
    """`text` in lines of at most `width` inches, if its words allow."""
    lines = []
    for whole in text.split("\n"):
        lines.append("")
        for word in spell(whole).split(" "):
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
