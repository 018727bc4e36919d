"""Text and fonts of a figure's canvas."""

import warnings

import pytest

pytest.importorskip("matplotlib", reason="figures need keras-seq2seq[analysis]")

from matplotlib.text import Text

from seq2seq.analysis import canvas as paper
from seq2seq.analysis.canvas import spell, to_bytes, width_of
from seq2seq.analysis.figure import draw
from tests.analysis.fake_trace import make_trace

DEVANAGARI = "नमस्ते"


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def has(file, text):
    font = paper.FT2Font(file)
    return all(font.get_char_index(ord(character)) for character in text)


def test_a_font_knows_how_wide_a_text_is():
    assert width_of("iiii") < width_of("mmmm") and width_of("m", 18) == pytest.approx(
        2 * width_of("m", 9), rel=0.1
    )
    assert spell("a␣→…←−±") == "a␣→…←−±"  # what figures are written with


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


def test_a_script_without_a_font_is_written_as_code_points_with_a_note(fonts):
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
