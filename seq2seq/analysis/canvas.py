"""Paper: texts, heat maps and frames, drawn from top to bottom in inches, with matplotlib.

No display is needed (`pip install 'keras-seq2seq[analysis]'`).
"""

import contextlib
import functools
import io
import itertools
import warnings

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import Rectangle

from seq2seq.analysis.style import COLOURS, NOTHING

DOTS = 160  # an inch
INK, QUIET, LINE = "#1b1f24", "#57606a", "#c9ced4"
FONT = "DejaVu Sans"  # it comes with matplotlib: what it has looks the same everywhere
BOXES = "Last Resort"  # matplotlib's font of frames that stand for a script's letters
NOTHING_ABOUT = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class Paper:
    """A sheet of a given width, whose height grows with its content.

    Args:
        width: inches.

    Attributes:
        y: inches from the top, where the next element is drawn.
        notes: sentences for the foot of the page.
    """

    def __init__(self, width: float):
        self.width, self.y = width, 0.0
        self.notes: list[str] = []
        self.figure = Figure(figsize=(width, 1))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        colours = LinearSegmentedColormap.from_list("blue_orange", COLOURS)
        self.colours = colours.with_extremes(bad=NOTHING)

    def finish(self) -> Figure:
        """The figure, with its notes at the foot."""
        for note in self.notes:
            self.y += 0.17
            self.text(0.2, note, colour=QUIET, size=8)
        self.y += 0.2
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.y, 0)
        self.figure.set_size_inches(self.width, self.y)
        return self.figure

    def note(self, words: str) -> None:
        """Add a sentence at the foot, once."""
        if words not in self.notes:
            self.notes.append(words)

    def text(
        self,
        x: float,
        text: str,
        side: str = "left",
        size: float = 9,
        colour: str = INK,
        y: float | None = None,
        **style: str | float,
    ) -> None:
        """Draw a text, centred on `y` in height, by default the paper's.

        Args:
            x: inches from the left, of the text's `side`.
            text: any; for a bitmap only characters of the fonts, see `spell`.
            side: `"left"`, `"right"` or `"center"`.
            size: in points.
            colour: of the ink.
            y: inches from the top.
            style: as matplotlib names it: `weight`, `style`, `rotation`.
        """
        y, position = self.y if y is None else y, {"ha": side, "va": "center"}
        font = {"size": size, "color": colour, "family": _find_families(text)}
        self.axes.text(x, y, text, parse_math=False, **position, **font, **style)

    def image(self, values: np.ndarray, left: float, top: float, wide: float, high: float) -> None:
        """Draw a heat map of values between -1 and 1, (rows, columns)."""
        self.axes.imshow(
            np.ma.masked_invalid(values),
            cmap=self.colours,
            vmin=-1,
            vmax=1,
            extent=(left, left + wide, top + high, top),
            aspect="auto",
            interpolation="nearest",
        )
        self.frame(left, top, wide, high, LINE, 0.6)

    def frame(
        self, left: float, top: float, wide: float, high: float, colour: str, line: float
    ) -> None:
        """Draw a frame, `line` points strong."""
        style = {"fill": False, "edgecolor": colour, "linewidth": line, "zorder": 2}
        self.axes.add_patch(Rectangle((left, top), wide, high, **style))

    def line(self, x: list[float], y: list[float]) -> None:
        """Draw a line from point to point."""
        self.axes.plot(x, y, color=INK, linewidth=1.3, solid_joinstyle="miter")

    def box(self, x: float, y: float, size: float) -> None:
        """Draw an empty square around a point, over everything there."""
        corner = (x - size / 2, y - size / 2)
        style = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.3, "zorder": 3}
        self.axes.add_patch(Rectangle(corner, size, size, **style))

    def arrow(self, x: float, top: float, bottom: float) -> None:
        """Draw an arrow that points down."""
        style = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.3}
        self.axes.annotate("", (x, bottom), (x, top), arrowprops=style)


def spell(text: str) -> str:
    """Write code points for the characters that no installed font has.

    >>> spell("a\U0010ffff")
    'aU+10FFFF'
    """
    return "".join(c if _find_font(c) else f"U+{ord(c):04X}" for c in text)


def width_of(text: str, size: float = 9) -> float:
    """Measure the width of a text, in inches."""
    width = 0.0
    for path, characters in itertools.groupby(text, lambda c: _find_font(c) or _default_font()):
        font = _load_font(path)
        font.set_size(size, 72)
        # A viewer of an SVG has a font of its own for what none has here: about as wide as an M.
        font.set_text("".join(c if _find_font(c) else "M" for c in characters))
        width += font.get_width_height()[0] / 64 / 72
    return width


def _find_families(text: str) -> list[str]:
    """The fonts of a text: the default, those of the characters it lacks, and any other."""
    paths = {_find_font(character): None for character in text}
    names = [_load_font(path).family_name for path in paths if path]
    return [*dict.fromkeys([FONT, *names]), "sans-serif"]


@functools.cache
def _find_font(character: str) -> str | None:
    """The file of a font that has a character, the default one first; None: none is installed."""
    default = _default_font()
    if _load_font(default).get_char_index(ord(character)):
        return default
    _find_new_fonts()
    fonts = font_manager.fontManager.ttflist
    regular = (f for f in fonts if f.style == "normal" and not f.name.startswith(BOXES))
    # The names decide: the same font on every call.
    for entry in sorted(regular, key=lambda f: (f.weight not in (400, "normal"), f.name, f.fname)):
        with contextlib.suppress(RuntimeError, OSError):  # a font that can't be read has nothing
            if _load_font(entry.fname).get_char_index(ord(character)):
                return entry.fname
    return None


@functools.cache
def _find_new_fonts() -> None:
    """Add the fonts that were installed since matplotlib wrote its list of them."""
    known = {font.fname for font in font_manager.fontManager.ttflist}
    for path in font_manager.findSystemFonts():
        if path not in known:
            with contextlib.suppress(RuntimeError, OSError):  # no font that can be read
                font_manager.fontManager.addfont(path)


@functools.cache
def _default_font() -> str:
    return font_manager.findfont(FONT)


@functools.cache
def _load_font(path: str) -> FT2Font:
    return FT2Font(path)


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as a file; with the same fonts the same trace makes the same file.

    Text of an SVG stays text and names its fonts: what shows it joins letters as their script does.

    Args:
        figure: any.
        kind: `"png"`, `"svg"` or `"pdf"`.
    """
    buffer = io.BytesIO()
    settings = {"svg.hashsalt": "seq2seq", "svg.fonttype": "none"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        if kind == "svg":  # the viewer has fonts of its own
            warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(buffer, format=kind, dpi=DOTS, metadata=NOTHING_ABOUT[kind])
    return buffer.getvalue()
