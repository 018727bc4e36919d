"""The page as a file: whole, self-contained, and true to the trace. (Others open it.)"""

import base64
import hashlib
import json
import re
import string
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from seq2seq.analysis import page
from seq2seq.analysis.page import decode, encode, render
from tests.analysis.fake_trace import make_trace

VOID = {"meta", "input", "br", "link", "img"}


class Reader(HTMLParser):
    """Checks that elements are closed in order, and keeps what they hold."""

    def __init__(self):
        super().__init__()
        self.open, self.all, self.held = [], [], {}

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        self.all.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open:
            tag, attributes = self.open[-1]
            self.held.setdefault(attributes.get("id", tag), []).append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def data_of(text):
    return json.loads("".join(read(text).held["data"]))


TRACES = {
    "plain": {},
    "attention and gates": {"attention": True, "gates": True, "layers": 2},
    "directions": {"bidirectional": True, "bridge": "LayerwiseDense", "layers": 2},
    "values": {"kind": "gru", "top": 0, "cut_off": True},
    "nothing": {"sources": ("",), "outputs": ("",)},
}


@pytest.mark.parametrize("arguments", TRACES.values(), ids=TRACES)
def test_it_is_well_formed_and_needs_nothing_else(arguments):
    text = render(make_trace(**arguments))
    reader = read(text)
    assert text.startswith("<!doctype html>") and reader.all[0] == ("html", {"lang": "en"})
    ids = [attributes["id"] for _, attributes in reader.all if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in reader.all:
        assert not {"src", "href", "style"} & {*attributes}
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("aria-labelledby", ids[0]) in ids
    without_namespace = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(
        r"https?:|//[a-z]+\.|url\(|@import|fetch\(|XMLHttp|import\(", without_namespace
    )


def test_its_policy_allows_its_own_script_and_style_alone():
    reader = read(render(make_trace()))
    policy = next(a["content"] for tag, a in reader.all if tag == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    for kind in ("script", "style"):
        text = "".join(reader.held[kind])
        checksum = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{checksum}'" in policy
    assert [tag for tag, _ in reader.all].count("script") == 2  # one of them is data


def test_the_page_holds_the_numbers_of_the_trace():
    trace = make_trace(layers=2, gates=True, attention=True, bidirectional=True)
    data = data_of(render(trace))
    assert len(data["sources"]) == 2
    for number, entry in enumerate(data["sources"]):
        single = trace.select(number)
        for layer, shown in zip(single.encoder, entry["encoder"], strict=True):
            assert (shown["name"], shown["backwards"]) == (layer.name, layer.backwards)
            for name, array in layer.arrays.items():
                close(shown["arrays"][name], array[0])
        for layer, first, shown in zip(
            single.decoder, single.received, entry["decoder"], strict=True
        ):
            close(shown["arrays"]["cell"], np.concatenate([first.cell, layer.cell[0]]))
            gate = decode(shown["arrays"]["f"])
            assert np.isnan(gate[0]).all() and not np.isnan(gate[1:]).any()
        close(entry["attention"], single.attention[0])
        assert [text for text, _ in entry["source"]] == [*single.sources[0][:-1], "end"]
        for step, probabilities in zip(entry["top"], single.top_probabilities[0], strict=True):
            np.testing.assert_allclose([p for *_, p in step], probabilities, rtol=1e-3)


def close(shown, array):
    np.testing.assert_allclose(decode(shown), array, atol=np.abs(array).max() / 65_000, rtol=0)


def test_numbers_come_back_within_half_a_level():
    values = np.random.default_rng(0).normal(size=(40, 30)).astype("float32") * 100
    back = decode(encode(values))
    assert np.abs(back - values).max() <= np.abs(values).max() / page.LEVELS / 2 * 1.01
    assert np.array_equal(decode(encode(np.zeros((2, 3)))), np.zeros((2, 3)))
    odd = decode(encode(np.array([[1.0, np.nan], [np.inf, -1.0]])))
    np.testing.assert_array_equal(odd, [[1, np.nan], [np.nan, -1]])
    assert decode(encode(np.zeros((0, 4)))).shape == (0, 4)


def test_the_tags_are_on_the_page():
    trace = replace(make_trace(["kitap"], ["kitabı"]), tags=[["N", "</script>"]])
    text = render(trace)
    assert data_of(text)["sources"][0]["tags"] == ["N", "</script>"]
    assert "kitap (N, &lt;/script&gt;)" in text  # the title
    assert data_of(render(make_trace()))["sources"][0]["tags"] == []


def test_the_title_names_the_first_source():
    title = "".join(read(render(make_trace())).held["title"])
    assert title == "\u2068hello\u2069 → \u2068olleh\u2069 and 1 more"


def test_hostile_symbols_stay_data():
    bad = [
        "</script><script>alert(1)</script>",
        "<!--",
        "%%script%%",
        "\"'&",
        "\0",
        "\u202e",
        "\ud800",
    ]
    text = render(make_trace([bad], [bad]))
    text.encode()
    assert "<script>alert" not in text and "\u202e" not in text and "\0" not in text
    labels = [text for text, _ in data_of(text)["sources"][0]["source"]]
    assert labels == [*bad[:4], "U+0000", "U+202E", "U+D800", "end"]
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text  # the title


def test_fifty_symbols_of_512_units_and_4_layers_are_small():
    source = string.ascii_letters[:49]
    text = render(make_trace([source], [source[::-1]], units=512, layers=4))
    assert len(text.encode()) < 1_250_000


def test_more_than_a_browser_can_open_is_refused(monkeypatch):
    monkeypatch.setattr(page, "LARGEST", 2000)
    with pytest.raises(ValueError, match="the page of 2 sources would hold .* MB.*fewer"):
        render(make_trace(units=64))
    render(make_trace(["a"], ["b"], units=64))


def test_probabilities_that_are_no_numbers_are_none():
    trace = make_trace(["a"], ["b"])
    trace.top_probabilities[0, 0, 0] = trace.probabilities[0, 0] = np.nan
    entry = data_of(render(trace))["sources"][0]
    assert entry["probabilities"][0] is None and entry["top"][0][0][-1] is None
