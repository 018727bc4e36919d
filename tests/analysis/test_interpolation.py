"""Paths: at their ends stand the two answers."""

import pytest

from seq2seq import Additive, ensemble, states
from seq2seq.analysis.interpolation import walk
from tests.conftest import without_compiling
from tests.inference.test_inspection import make


@pytest.fixture(scope="module", autouse=True)
def eager():
    with without_compiling():
        yield


def test_a_path_leads_from_one_answer_to_the_other():
    run = make({"layers": 2}, {"layers": 2})
    ends = run.predict(["abc", "ca"], n_best=1)
    stops = walk(run, "abc", "ca", 5)
    assert [stop.share for stop in stops] == [0, 0.25, 0.5, 0.75, 1]
    assert all(len(stop.answers) == 1 for stop in stops)
    for stop, best in ((stops[0], ends[0]), (stops[-1], ends[1])):
        assert stop.answers[0].text == best[0].text
        assert stop.answers[0].score == pytest.approx(best[0].score, abs=1e-4)
    state, memory = run.encode(["abc", "ca"])
    middle = states.interpolate(state, states.take(state, [1, 0]), 0.25)
    assert run.decode(middle, memory)[0] == stops[1].answers[0].text


def test_a_model_that_looks_at_its_source_answers_looking_at_each():
    run = make({}, {"attention": Additive(), "readout": "pointer"}, unknown="token")
    stops = walk(run, "abx", "c", 3)
    assert [len(stop.answers) for stop in stops] == [2, 2, 2]
    first, second = run.predict(["abx", "c"])
    assert (stops[0].answers[0].text, stops[-1].answers[1].text) == (first, second)
    state, memory = run.encode(["abx", "c"])
    crossed = run.decode(states.swap(state, 0, 1), memory, sources=["abx", "c"])
    assert [stops[-1].answers[0].text, stops[0].answers[1].text] == crossed


def test_bad_paths_are_refused():
    run = make()
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2, got 1"):
        walk(run, "a", "b", 1)
    with pytest.raises(ValueError, match="source 2: symbol 'x'"):
        walk(run, "a", "x")
    with pytest.raises(ValueError, match="interpolate its runs one by one"):
        walk(ensemble([run, run]), "a", "b")
