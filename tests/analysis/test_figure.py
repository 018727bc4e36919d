"""Figures: nothing is dropped in silence, nothing is clipped, and the same makes the same."""

import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need seq2seq[analysis]")

from matplotlib.backends.backend_agg import FigureCanvasAgg

from seq2seq.analysis import canvas as paper
from seq2seq.analysis.canvas import spell, to_bytes, width_of
from seq2seq.analysis.figure import MAX_STEPS, draw
from tests.analysis.fake_trace import make_trace


def texts(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


def words(figure):
    return [text.get_text() for text in texts(figure)]


def images(figure):
    return [image.get_array() for image in figure.axes[0].images]


KINDS = {
    "plain": {},
    "words": {
        "sources": [["jump", "around", "left"]],
        "outputs": [["I_TURN_LEFT", "I_JUMP"] * 6],
        "attention": True,
    },
    "directions": {"bidirectional": True, "layers": 2, "bridge": "LayerwiseDense", "gates": True},
    "values": {"kind": "gru", "top": 0, "sources": [["0.125", "12345.6"]], "cut_off": True},
    "long": {"sources": ["ab" * 25], "outputs": ["ba" * 25], "attention": True, "bridge": "Dense"},
    "nothing": {"sources": [""], "outputs": [""]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_clipped(kind):
    figure = draw(make_trace(units=4, **KINDS[kind]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    frame = figure.bbox
    for text in texts(figure):
        box = text.get_window_extent(canvas.get_renderer())
        assert box.x0 >= frame.x0 and box.x1 <= frame.x1, text.get_text()
        assert box.y0 >= frame.y0 and box.y1 <= frame.y1, text.get_text()


def test_heat_maps_hold_the_traces_numbers():
    trace = make_trace(units=16, attention=True)
    figure = draw(trace)
    *_, hidden, cell, said, _, likely, looked = images(figure)
    np.testing.assert_allclose(hidden, trace.encoder[0].hidden[0].T)
    np.testing.assert_allclose(cell, trace.encoder[0].cell[0].T / 3, rtol=1e-6)
    np.testing.assert_allclose(said[:, 0], trace.received[0].hidden[0])
    np.testing.assert_allclose(said[:, 1:], trace.decoder[0].hidden[0].T)
    np.testing.assert_allclose(likely, trace.top_probabilities[0].T)
    np.testing.assert_allclose(looked, trace.attention[0].T)


def test_the_second_source_is_drawn_without_the_firsts_length():
    figure = draw(make_trace(), 1)
    assert words(figure)[0] == "at → ta"
    hidden, cell, said, *_ = images(figure)[-5:]
    assert hidden.shape == cell.shape == (8, 3) and said.shape == (8, 4)


def test_units_that_share_a_row_are_said():
    figure = draw(make_trace(units=512))
    assert (
        "512 units share 128 rows: each row shows the one of 4 neighbours that is farthest from 0."
        in words(figure)
    )
    assert max(len(image) for image in images(figure)) == 128
    assert not any("share" in text for text in words(draw(make_trace(units=128))))


def test_steps_that_are_cut_off_are_said():
    trace = make_trace(["ab" * 40], ["b" * 70], cut_off=True, attention=True, top=2)
    figure = draw(trace)
    said = words(figure)
    assert f"The first {81 - MAX_STEPS} of 81 source steps are cut off." in said
    assert f"The last {70 - MAX_STEPS} of 70 steps of the answer are cut off." in said
    assert "The answer did not come to an end: decoding was cut off." in said
    first = next(image for image in images(figure) if image.shape == (8, MAX_STEPS))
    np.testing.assert_allclose(first, trace.encoder[0].hidden[0, -MAX_STEPS:].T)


def test_values_beyond_the_scale_and_none_at_all_are_said():
    trace = make_trace(units=128)
    trace.encoder[0].cell[0, 0, 0] = 1000.0
    trace.encoder[0].hidden[0, 0, 0] = np.nan
    said = words(draw(trace))
    assert "Beyond ±3, the encoder's cell is as dark as there." in said
    assert "Grey: there is no value." in said
    assert not any("Grey" in text or "Beyond" in text for text in words(draw(make_trace())))


def test_hostile_symbols_are_text():
    bad = ["$\\frac{1}$", "$", "%", "\U0010fffd", "\u202e", "_^{}"]
    figure = draw(make_trace([bad], [bad], units=4))
    assert {*bad[:3], "U+10FFFD", "U+202E", "_^{}"} <= {*words(figure)}
    with np.errstate(all="raise"):
        ElementTree.fromstring(to_bytes(figure, "svg"))


def test_the_same_trace_makes_the_same_file():
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        one, other = (to_bytes(draw(make_trace(units=4)), kind) for _ in range(2))
        assert one == other and one.startswith(start)


def test_a_font_knows_how_wide_a_text_is():
    assert width_of("iiii") < width_of("mmmm") and width_of("m", 18) == pytest.approx(
        2 * width_of("m", 9), rel=0.1
    )
    assert spell("a␣→…←−±") == "a␣→…←−±"  # what figures are written with


DEVANAGARI = "नमस्ते"


@pytest.fixture
def fonts(monkeypatch):
    """The fonts that are installed, as the test sets them."""

    def install(*files):
        files = (*files, paper._default_font())
        entries = [font for font in paper.font_manager.fontManager.ttflist if font.fname in files]
        monkeypatch.setattr(paper.font_manager.fontManager, "ttflist", entries)
        monkeypatch.setattr(paper, "_find_new_fonts", lambda: None)
        paper._find_font.cache_clear()

    yield install
    paper._find_font.cache_clear()


def test_a_script_without_a_font_stands_as_code_points_and_the_figure_says_so(fonts):
    fonts()
    trace = make_trace([DEVANAGARI], ["x"], units=4)
    text = words(draw(trace))
    assert "U+0928" in text and any("No installed font has" in note for note in text)
    assert "U+" not in "".join(words(draw(trace, spelled=False)))
    svg = to_bytes(draw(trace, spelled=False), "svg").decode()
    assert DEVANAGARI in svg and "sans-serif" in svg  # whoever shows it joins the letters


def test_a_script_with_a_font_is_written_with_it(fonts):
    paper._find_new_fonts()
    fonts_there = paper.font_manager.fontManager.ttflist
    installed = [f.fname for f in fonts_there if not f.name.startswith(paper.BOXES)]
    fitting = [f for f in installed if has(f, DEVANAGARI)]
    if not fitting:
        pytest.skip("no font with Devanagari is installed (Debian: apt install fonts-noto-core)")
    fonts(fitting[0])
    figure = draw(make_trace([DEVANAGARI], ["x"], units=4))
    assert "न" in words(figure) and not any("U+" in text for text in words(figure))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph
        to_bytes(figure, "png")


def has(file, text):
    font = paper.FT2Font(file)
    return all(font.get_char_index(ord(character)) for character in text)


def test_the_tags_stand_in_the_title():
    trace = replace(make_trace(["kitap"], ["kitabı"], units=4), tags=[["N", "ACC"]])
    assert any("kitap (N, ACC)" in text for text in words(draw(trace)))
