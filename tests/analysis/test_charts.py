"""Charts: everything is in them, nothing is clipped, and the same makes the same."""

import pytest

pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from seq2seq.analysis.canvas import to_bytes
from seq2seq.analysis.charts import (
    MAX_LINES,
    Bar,
    Curve,
    Grid,
    Panel,
    draw_bars,
    draw_curves,
    draw_grids,
)

NOTE = "a note of some length: " + "words and more words, " * 3


def bars(count=11):
    return draw_bars("a $title", [Bar(f"row {n}", n / 10, 0, 1) for n in range(count)], NOTE)


def grids(count=3, size=10):
    cells = {(n, m): m / n for n in range(1, size + 1) for m in range(1, n + 1)}
    return draw_grids("title", [Grid(f"g{n}", cells) for n in range(count)], "rows", "col", NOTE)


def curves(count=4, panels=2):
    lines = [Curve(f"{n} u$nits", [1, 2], [(0.5, 0.4, 0.6)] * 2) for n in range(count)]
    return draw_curves("title", [Panel("length", lines)] * panels, NOTE)


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize(
    "figure", [bars(1), bars(), grids(), grids(2, 1), grids(4, 12), curves(), curves(1, 1)]
)
def test_no_text_is_clipped(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    frame = figure.bbox
    for text in figure.findobj(Text):
        if not text.get_text() or not text.get_visible():
            continue
        box = text.get_window_extent(canvas.get_renderer())
        if box.width and frame.overlaps(box):
            assert box.x0 >= frame.x0 - 1 and box.x1 <= frame.x1 + 1, text.get_text()
            assert box.y0 >= frame.y0 - 1 and box.y1 <= frame.y1 + 1, text.get_text()


def test_everything_is_drawn():
    assert {f"row {n}" for n in range(11)} <= set(words(bars()))
    assert {"0.00%", "30.00%", "100.00%"} <= set(words(bars()))
    assert words(grids()).count("100") == 3 * 10  # the diagonals
    drawn = curves(MAX_LINES)
    assert {f"{n} u$nits" for n in range(MAX_LINES)} <= set(words(drawn))
    looks = {(line.get_color(), line.get_linestyle()) for line in drawn.axes[0].lines}
    assert len(looks) == MAX_LINES
    with pytest.raises(ValueError, match="25 lines can't be distinguished: at most 24"):
        curves(MAX_LINES + 1)


def test_equal_figures_are_equal_files():
    for make in (lambda: bars(2), lambda: grids(2, 2), lambda: curves(2)):
        for kind in ("png", "svg"):
            assert to_bytes(make(), kind) == to_bytes(make(), kind)
