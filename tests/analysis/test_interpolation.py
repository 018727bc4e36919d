"""Interpolation: the first and last step are the two predictions."""

import pytest

from seq2seq import Additive, ensemble, states
from seq2seq.analysis.interpolation import interpolate_sources
from tests.conftest import without_compiling
from tests.inference.test_tracing import make


@pytest.fixture(scope="module", autouse=True)
def eager():
    with without_compiling():
        yield


def test_interpolation_begins_and_ends_at_the_two_predictions():
    run = make({"layers": 2}, {"layers": 2})
    ends = run.predict(["abc", "ca"], n_best=1)
    steps = interpolate_sources(run, "abc", "ca", 5)
    assert [step.weight for step in steps] == [0, 0.25, 0.5, 0.75, 1]
    assert all(len(step.answers) == 1 for step in steps)
    for step, best in ((steps[0], ends[0]), (steps[-1], ends[1])):
        assert step.answers[0].text == best[0].text
        assert step.answers[0].score == pytest.approx(best[0].score, abs=1e-4)
    state, memory = run.encode(["abc", "ca"])
    middle = states.interpolate(state, states.take(state, [1, 0]), 0.25)
    assert run.decode(middle, memory)[0] == steps[1].answers[0].text


def test_a_model_with_attention_predicts_with_the_memory_of_each_source():
    run = make({}, {"attention": Additive(), "readout": "pointer"}, unknown="token")
    steps = interpolate_sources(run, "abx", "c", 3)
    assert [len(step.answers) for step in steps] == [2, 2, 2]
    first, second = run.predict(["abx", "c"])
    assert (steps[0].answers[0].text, steps[-1].answers[1].text) == (first, second)
    state, memory = run.encode(["abx", "c"])
    crossed = run.decode(states.swap(state, 0, 1), memory, sources=["abx", "c"])
    assert [steps[-1].answers[0].text, steps[0].answers[1].text] == crossed


def test_bad_interpolations_are_refused():
    run = make()
    with pytest.raises(ValueError, match="steps must be a whole number of at least 2, got 1"):
        interpolate_sources(run, "a", "b", 1)
    with pytest.raises(ValueError, match="source 2: symbol 'x'"):
        interpolate_sources(run, "a", "x")
    with pytest.raises(ValueError, match="interpolate its runs one by one"):
        interpolate_sources(ensemble([run, run]), "a", "b")
