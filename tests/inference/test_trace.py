"""Traces: kept whole, and of one source without its padding."""

import html
import re

import numpy as np
import pytest

from seq2seq.analysis.page import render
from seq2seq.inference.trace import LAYERS, Trace
from tests.analysis.fake_trace import make_trace
from tests.corruption import DAMAGES
from tests.inference import small_predictor


def same(first, second):
    for field in LAYERS:
        assert [a.name for a in getattr(first, field)] == [b.name for b in getattr(second, field)]
        for a, b in zip(getattr(first, field), getattr(second, field), strict=True):
            assert a.arrays.keys() == b.arrays.keys()
            for name in a.arrays:
                np.testing.assert_array_equal(a.arrays[name], b.arrays[name])
    for name in ("attention", "probabilities", "top_probabilities"):
        a, b = getattr(first, name), getattr(second, name)
        assert (a is None) == (b is None)
        assert a is None or np.array_equal(a, b)
    for name in ("sources", "outputs", "top_symbols", "bridge", "task", "model"):
        assert getattr(first, name) == getattr(second, name)
    return True


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"gates": True, "layers": 2, "bidirectional": True, "attention": True},
        {"kind": "gru", "top": 0, "gates": True, "layers": 12},
        {"kind": "rnn", "sources": ("\0é\n",), "outputs": ([],), "cut_off": False},
    ],
)
def test_saved_and_loaded_is_the_same(tmp_path, arguments):
    trace = make_trace(**arguments)
    trace.save(tmp_path / "trace.npz")
    assert same(Trace.load(tmp_path / "trace.npz"), trace)


def test_what_is_no_trace_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    with pytest.raises(ValueError, match="other.npz holds no trace"):
        Trace.load(tmp_path / "other.npz")


def test_one_source_has_no_padding():
    trace = make_trace(attention=True, bidirectional=True)
    single = trace.select(1)
    assert (len(trace), len(single)) == (2, 1)
    assert (
        single.sources == [["a", "t", "<end>"]]
        and single.source_mask.all()
        and single.target_mask.all()
    )
    assert single.encoder[1].hidden.shape == (1, 3, 8) and single.encoder[1].backwards
    assert single.attention.shape == (1, 3, 3) and single.handed_over[0].cell.shape == (1, 8)
    np.testing.assert_array_equal(single.decoder[0].cell[0], trace.decoder[0].cell[1, :3])
    assert trace.source_mask.sum(1).tolist() == [6, 3]
    with pytest.raises(ValueError, match="of 2 sources, there is no number 2"):
        trace.select(2)


def test_a_damaged_trace_is_refused_by_name(tmp_path):
    path, rng, refused = tmp_path / "trace.npz", np.random.default_rng(0), 0
    make_trace(gates=True, attention=True).save(path)
    content = path.read_bytes()
    damages = [damage for damage in DAMAGES if damage.__name__ != "edit_arrays"]  # they are packed
    for turn in range(400):
        path.write_bytes(damages[turn % len(damages)](content, rng))
        try:
            assert isinstance(Trace.load(path), Trace)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused == pytest.approx(319, abs=15)  # the compressed bytes are zlib's


def test_a_trace_that_would_fill_the_memory_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", words=np.zeros(2**26, "uint8"))
    assert (tmp_path / "bomb.npz").stat().st_size < 2**20
    with pytest.raises(ValueError, match=r"bomb\.npz is refused: it would unpack to 67,1"):
        Trace.load(tmp_path / "bomb.npz")
    with pytest.raises(ValueError, match=r"nothing\.npz can't be read: FileNotFoundError"):
        Trace.load(tmp_path / "nothing.npz")


def test_a_notebook_shows_the_page_in_a_frame():
    trace = small_predictor.make().inspect("ab")
    assert trace.decoder[0].gates
    page = html.unescape(re.search('srcdoc="([^"]*)"', trace._repr_html_())[1])
    assert page == render(trace) and page.startswith("<!")
