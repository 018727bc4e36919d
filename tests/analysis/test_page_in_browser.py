"""The page in a browser: clicked on and read."""

import string
from dataclasses import replace

import numpy as np
import pytest

from seq2seq.analysis.page import render
from tests.analysis.browser import BINARY, Browser
from tests.analysis.fake_trace import make_trace

pytestmark = pytest.mark.skipif(
    BINARY is None, reason="no browser is installed (Debian: apt install chromium)"
)


@pytest.fixture(scope="module")
def browser():
    chromium = Browser()
    yield chromium
    chromium.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of a trace."""

    def show(trace, width=1280):
        browser.resize(width, 900)
        (tmp_path / "page.html").write_text(render(trace), "utf-8")
        browser.open(tmp_path / "page.html")
        return browser

    yield show
    assert browser.event_parameters("Runtime.exceptionThrown", "Log.entryAdded") == []
    requested = [
        event["request"]["url"] for event in browser.event_parameters("Network.requestWillBeSent")
    ]
    assert [url for url in requested if not url.startswith("file:")] == []


def middle(browser, heat, time, unit, times, units):
    """The middle of a value in a heat map, in the window."""
    left, top, width, height = browser.bounding_box(".heat", heat)
    return left + width * (time + 0.5) / times, top + height * (unit + 0.5) / units


def test_pointing_at_a_value_reads_it(show):
    trace = make_trace(units=8)
    browser = show(trace)
    browser.hover(*middle(browser, 1, 3, 5, 6, 8))
    assert f"unit 6: {trace.encoder[0].cell[0, 3, 5]:.3f}" in browser.text("#tip")
    assert "encoder 1, cell, after “\u2068l\u2069” (4)" in browser.text("#tip")
    browser.hover(*middle(browser, 2, 0, 0, 7, 8))
    assert f"unit 1: {trace.received[0].hidden[0, 0]:.3f}" in browser.text("#tip")
    assert "as handed over" in browser.text("#tip")
    browser.hover(*middle(browser, 2, 1, 7, 7, 8))
    assert f"unit 8: {trace.decoder[0].hidden[0, 0, 7]:.3f}" in browser.text("#tip")


def test_a_click_on_a_unit_follows_it_through_time(show):
    trace = make_trace(units=8, gates=True)
    browser = show(trace)
    browser.click(*middle(browser, 0, 2, 4, 6, 8))
    assert browser.run("document.querySelector('#unit').value") == "5"
    names = browser.run("[...document.querySelectorAll('.chart')].map(c => c.dataset.array)")
    assert names == ["hidden", "cell", *"ifog"]
    drawn = browser.run("timesOf(view.lines[view.line], 'cell').map(one => one.value)")
    layer = trace.decoder[0].cell[0, :, 4]
    expected = [*trace.encoder[0].cell[0, :, 4], trace.received[0].cell[0, 4], *layer]
    np.testing.assert_allclose(drawn, expected, atol=1e-4)
    circles = browser.run(
        "document.querySelectorAll('.chart')[1].querySelectorAll('circle').length"
    )
    assert circles == len(expected)
    value = trace.decoder[0].hidden[0, 0, 4]
    assert browser.text(".chart h3").startswith(f"hidden {value:.3f} generating")
    assert "no step led here" not in browser.text("#tip")


def test_steps_by_slider_buttons_and_keys(show):
    trace = make_trace(attention=True)
    browser = show(trace)
    assert browser.text("#sentence").startswith("Step 1 of 6: reads start, outputs o (")
    attended = int(trace.attention[0, 1].argmax())
    browser.press("ArrowRight")
    sentence = browser.text("#sentence")
    assert sentence.startswith("Step 2 of 6: reads o, outputs l (")
    assert f"place {attended + 1} (" in sentence
    bars = browser.run("[...document.querySelectorAll('.bar-row')].map(row => row.textContent)")
    assert len(bars) == 5 and bars[0].startswith("l")
    assert f"{100 * trace.top_probabilities[0, 1, 0]:.1f} %" in bars[0]
    left, top, width, height = browser.bounding_box("#forth")
    browser.click(left + width / 2, top + height / 2)
    assert browser.text("#sentence").startswith("Step 3 of 6: reads l, outputs l")
    left, top, width, height = browser.bounding_box("#step")
    browser.click(left + width - 2, top + height / 2)
    assert browser.text("#sentence").startswith("Step 6 of 6: reads h, outputs end")
    assert browser.run("document.querySelector('#forth').disabled")
    browser.press("Home")  # the slider has the focus, and takes keys as sliders do
    assert browser.text("#sentence").startswith("Step 0 of 6: no output yet")


def test_an_answer_that_was_cut_off_is_distinguished_from_one_that_ended(show):
    sentences = {}
    for top in (0, 5):  # real values, which come to no end, and symbols
        browser = show(make_trace([["0.5"]], [["1.5", "2"]], units=4, top=top, cut_off=True))
        browser.press("End")
        sentences[top] = browser.text("#sentence")
    assert sentences[0] == "Step 2 of 2: reads 1.5, outputs 2."
    assert sentences[5].endswith("%), and is cut off there.")


def test_the_keyboard_reaches_everything(show):
    browser = show(make_trace(units=8))
    order = []
    for _ in range(8):
        browser.press("Tab")
        order.append(browser.run("document.activeElement.id || document.activeElement.className"))
    assert order == ["source", "back", "step", "forth", "heat", "heat", "heat", "heat"]
    outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    old_unit = int(browser.run("document.querySelector('#unit').value"))
    browser.press("ArrowUp" if old_unit == 8 else "ArrowDown")
    new_unit = int(browser.run("document.querySelector('#unit').value"))
    assert abs(new_unit - old_unit) == 1
    spoken = browser.run("document.activeElement.getAttribute('aria-valuetext')")
    assert spoken.startswith(f"unit {new_unit}, generating")
    browser.press("ArrowRight")
    assert browser.text("#sentence").startswith("Step 2")


def test_another_source(show):
    browser = show(make_trace())
    assert "hello" in browser.text("#headline")
    browser.run("document.querySelector('#source').focus()")
    browser.press("ArrowDown")
    assert browser.text("#headline") == "\u2068at\u2069 → \u2068ta\u2069"
    assert browser.text("#sentence").startswith("Step 1 of 3: reads start, outputs t")


def test_colours_are_the_values(show):
    trace = make_trace(units=8)
    browser = show(trace)
    pixels = browser.run(
        "(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
        "(document.querySelector('.heat canvas'))"
    )
    red, blue = (np.array(pixels).reshape(8, 6, 4)[..., channel].astype(int) for channel in (0, 2))
    values = trace.encoder[0].hidden[0].T
    clear = np.abs(values) > 0.05
    assert ((red > blue) == (values > 0))[clear].all()
    darkness = 765 - np.array(pixels).reshape(8, 6, 4)[..., :3].sum(-1)
    assert np.corrcoef(darkness.ravel(), np.abs(values).ravel())[0, 1] > 0.95


def test_units_that_share_a_row_are_reported_and_can_be_shown_separately(show):
    trace = make_trace(["ab"], ["ba"], units=300)
    browser = show(trace)
    assert "300 units share 100 rows" in browser.text("#pooled")
    browser.hover(*middle(browser, 0, 1, 7, 3, 100))
    group = trace.encoder[0].hidden[0, 1, 21:24]
    far = int(np.abs(group).argmax())
    assert f"unit {22 + far}: {group[far]:.3f}" in browser.text("#tip")
    assert "of units 22 to 24 the farthest from 0" in browser.text("#tip")
    browser.run("document.querySelector('#every').click()")
    assert browser.text("#pooled") == ""
    assert browser.run("document.querySelector('.heat canvas').height") == 300


def test_two_directions_joined_unchanged_are_followed_into_the_decoder(show):
    trace = make_trace(["abc"], ["cba"], units=4, bidirectional=True)
    wide = make_trace(["abc"], ["cba"], units=8, seed=1)
    trace = type(trace)(
        **{**vars(trace), "decoder": wide.decoder, "received": wide.received}  # 4 + 4 units
    )
    browser = show(trace)
    browser.click(*middle(browser, 4, 1, 6, 5, 8))
    assert browser.run("view.lines[view.line].name") == "1, backwards"
    assert browser.run("document.querySelector('#unit').value") == "3"
    drawn = browser.run("timesOf(view.lines[view.line], 'hidden').map(one => one.value)")
    expected = [*trace.encoder[1].hidden[0, :, 2], trace.received[0].hidden[0, 6]]
    np.testing.assert_allclose(drawn[:5], expected, atol=1e-4)


def test_hostile_symbols_are_text(show):
    bad = [
        "</script><script>window.hacked=1</script>",
        "<img/src=x/onerror='hacked=1'>",
        "\u202e",
    ]
    browser = show(make_trace([bad], [bad], attention=True))
    assert browser.run("window.hacked === undefined && !document.querySelector('img')")
    labels = browser.run("[...document.querySelectorAll('.cell')].map(one => one.dataset.tip)")
    assert f"“\u2068{bad[0]}\u2069”" in labels and "“\u2068U+202E\u2069”" in labels


def test_fifty_symbols_of_512_units_and_4_layers_are_there_at_once(show):
    source = (string.ascii_letters)[:49]
    browser = show(make_trace([source], [source[::-1]], units=512, layers=4))
    assert browser.run("document.querySelectorAll('.heat').length") == 16
    assert browser.first_paint() < 5000  # a bound for a busy machine
    browser.press("End")
    assert browser.text("#sentence").startswith("Step 50 of 50")


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_sticks_out_of_the_window(show, width):
    browser = show(make_trace(units=16, attention=True), width)
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
    cut = browser.run(
        "[...document.querySelectorAll('.handover-words p, .part, #sentence, .hint')]"
        ".filter(one => one.getBoundingClientRect().right > window.innerWidth).length"
    )
    assert cut == 0


def test_it_prints_with_its_colours_and_without_its_controls(show):
    browser = show(make_trace(units=16))
    printed = browser.print()
    assert printed.startswith(b"%PDF") and printed.count(b"/Subtype /Image") >= 4
    assert browser.run("view.printing") is False
    browser.call("Emulation.setEmulatedMedia", media="print")
    hidden = browser.run("getComputedStyle(document.querySelector('#bar')).display")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert hidden == "none"


def test_a_tap_shows_the_value(show):
    trace = make_trace(units=8)
    browser = show(trace, width=390)
    x, y = middle(browser, 1, 3, 5, 6, 8)
    browser.tap(x, y)
    assert f"unit 6: {trace.encoder[0].cell[0, 3, 5]:.3f}" in browser.text("#tip")
    assert not browser.run("document.querySelector('#tip').hidden")
    assert browser.run("document.querySelector('#unit').value") == "6"
    browser.tap(5, 5)
    assert browser.run("document.querySelector('#tip').hidden")


def test_the_page_is_dark_where_a_person_wants_it(show):
    browser = show(make_trace(attention=True))
    for mode, dark in (("light", False), ("dark", True)):
        features = [{"name": "prefers-color-scheme", "value": mode}]
        browser.call("Emulation.setEmulatedMedia", features=features)
        colours = browser.run(
            "(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))"
        )
        paper, ink = (sum(map(int, code[4:-1].split(","))) for code in colours)
        assert (paper < ink) == dark and abs(paper - ink) > 450
    browser.call("Emulation.setEmulatedMedia", features=[])


def test_tags_are_shown_and_each_side_has_a_scale_of_its_cells(show):
    trace = make_trace(["kitap"], ["kitabı"])
    large = [replace(layer, cell=layer.cell * 20) for layer in trace.decoder]
    browser = show(replace(trace, decoder=large, tags=[["N", "ACC"]]))
    assert browser.text("#tags") == "Tags: NACC"
    assert "encoder cell" in browser.text("#legend") and "decoder cell" in browser.text("#legend")
    pixels = browser.run(
        "(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
        "(document.querySelectorAll('.heat canvas')[1])"
    )
    assert min(pixels) < 100  # the encoder's cells are not pale
