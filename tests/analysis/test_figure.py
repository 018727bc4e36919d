"""Figures: nothing is dropped in silence, nothing is clipped, and the same makes the same."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need keras-seq2seq[analysis]")

from matplotlib.backends.backend_agg import FigureCanvasAgg

from seq2seq.analysis.canvas import to_bytes
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


def test_heat_maps_show_the_numbers_of_the_trace():
    trace = make_trace(units=16, attention=True)
    figure = draw(trace)
    *_, hidden, cell, decoder_hidden, _, likely, attention = images(figure)
    np.testing.assert_allclose(hidden, trace.encoder[0].hidden[0].T)
    np.testing.assert_allclose(cell, trace.encoder[0].cell[0].T / 3, rtol=1e-6)
    np.testing.assert_allclose(decoder_hidden[:, 0], trace.received[0].hidden[0])
    np.testing.assert_allclose(decoder_hidden[:, 1:], trace.decoder[0].hidden[0].T)
    np.testing.assert_allclose(likely, trace.top_probabilities[0].T)
    np.testing.assert_allclose(attention, trace.attention[0].T)


def test_the_second_source_is_drawn_without_the_firsts_length():
    figure = draw(make_trace(), 1)
    assert words(figure)[0] == "at → ta"
    hidden, cell, decoder_hidden, *_ = images(figure)[-5:]
    assert hidden.shape == cell.shape == (8, 3) and decoder_hidden.shape == (8, 4)


def test_units_that_share_a_row_are_reported():
    figure = draw(make_trace(units=512))
    assert (
        "512 units share 128 rows: each row shows the one of 4 neighbours that is farthest from 0."
        in words(figure)
    )
    assert max(len(image) for image in images(figure)) == 128
    assert not any("share" in text for text in words(draw(make_trace(units=128))))


def test_steps_that_are_cut_off_are_reported():
    trace = make_trace(["ab" * 40], ["b" * 70], cut_off=True, attention=True, top=2)
    figure = draw(trace)
    texts = words(figure)
    assert f"The first {81 - MAX_STEPS} of 81 source steps are cut off." in texts
    assert f"The last {70 - MAX_STEPS} of 70 steps of the answer are cut off." in texts
    assert "The answer did not come to an end: decoding was cut off." in texts
    first = next(image for image in images(figure) if image.shape == (8, MAX_STEPS))
    np.testing.assert_allclose(first, trace.encoder[0].hidden[0, -MAX_STEPS:].T)


def test_values_beyond_the_scale_and_missing_values_are_reported():
    trace = make_trace(units=128)
    trace.encoder[0].cell[0, 0, 0] = 1000.0
    trace.encoder[0].hidden[0, 0, 0] = np.nan
    texts = words(draw(trace))
    assert "Beyond ±3, the encoder's cell is as dark as there." in texts
    assert "Grey: there is no value." in texts
    assert not any("Grey" in text or "Beyond" in text for text in words(draw(make_trace())))


def test_hostile_symbols_are_text():
    bad = ["$\\frac{1}$", "$", "%", "\U0010fffd", "\u202e", "_^{}"]
    figure = draw(make_trace([bad], [bad], units=4))
    assert {*bad[:3], "U+10FFFD", "U+202E", "_^{}"} <= {*words(figure)}
    with np.errstate(all="raise"):
        ElementTree.fromstring(to_bytes(figure, "svg"))


def test_the_same_trace_makes_the_same_file():
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        first, second = (to_bytes(draw(make_trace(units=4)), kind) for _ in range(2))
        assert first == second and first.startswith(start)


def test_the_tags_stand_in_the_title():
    trace = replace(make_trace(["kitap"], ["kitabı"], units=4), tags=[["N", "ACC"]])
    assert any("kitap (N, ACC)" in text for text in words(draw(trace)))
