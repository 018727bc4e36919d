"""Results in a notebook's cell, and as data frames."""

import html
import importlib
import re

import pytest

from seq2seq.inference.display import make_data_frame, make_frame, make_table
from seq2seq.inference.hypotheses import Hypothesis, HypothesisLists


def test_text_of_data_is_escaped():
    table = make_table(("a", "b"), [("<script>", "\x1b")], "<i>")
    assert "<script>" not in table and "&lt;script&gt;" in table and "\x1b" not in table
    assert table.startswith("<table><caption>&lt;i&gt;</caption><tr><th>a</th><th>b</th></tr>")


def test_a_page_has_a_frame_of_its_own():
    page = '<style>body { color: red }</style><p title="a">&amp;</p>'
    frame = make_frame(page)
    srcdoc = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" style=.*', frame)[1]
    assert html.unescape(srcdoc) == page


def test_a_data_frame_has_the_rows():
    pytest.importorskip("pandas")
    frame = make_data_frame([{"a": 1, "b": 2}, {"a": 3}], ("b", "a"))
    assert list(frame.columns) == ["b", "a"] and list(frame["a"]) == [1, 3]
    assert list(make_data_frame([{"a": 1, "b": 2}], index="a").index) == [1]


def test_a_missing_pandas_is_one_line(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ValueError, match=r"needs pandas, .* pip install pandas") as caught:
        HypothesisLists([]).to_pandas()
    assert "\n" not in str(caught.value)


def test_hypotheses_are_lists_and_a_table():
    lists = [[Hypothesis("a<", ["a"], -0.5), Hypothesis("b", ["b"], -1.25, [], False)], []]
    shown = HypothesisLists(lists, ["x", "y"])
    assert shown == lists and shown[0][0].text == "a<"
    assert shown.rows()[1] == {
        "source": "x",
        "rank": 2,
        "text": "b",
        "score": -1.25,
        "ended": False,
    }
    assert "<td>x</td><td>1</td><td>a&lt;</td><td>-0.5000</td><td>True</td>" in shown._repr_html_()
    shown.append([Hypothesis("c", ["c"], 0.0)])
    assert [row["source"] for row in shown.rows()] == [1, 1, 3]
