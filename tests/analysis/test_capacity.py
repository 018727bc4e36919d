"""Capacity: counts by the length of the source, seeds of one configuration together."""

import pytest

from seq2seq import Example
from seq2seq.analysis.capacity import Series, count_right, measure_capacity
from seq2seq.evaluation.evaluate import Evaluation, format_predictions
from seq2seq.evaluation.metrics import score_all
from seq2seq.evaluation.statistics import Proportion
from seq2seq.runs.compare import Run
from tests.inference.test_tracing import make

ANSWERS = [
    ("ab", "ba", "ba"),
    ("ba", "ab", "bb"),
    ("a\tb", "b", "b"),
    ("", "", ""),
    ("c", "cc", "c"),
]


def write_run(path, answers, **sides):
    """A directory with what a run keeps of its test."""
    path.mkdir()
    make(**sides).save(path / "model.npz")
    sources, targets, predictions = zip(*answers, strict=True)
    judged = score_all("tokens", predictions, [[target] for target in targets])
    examples = [Example(*pair) for pair in zip(sources, targets, strict=True)]
    text = format_predictions(Evaluation("tokens", examples, predictions, judged))
    (path / "predictions.tsv").write_text(text, "utf-8")
    return path


def describe(units, seed, attention=None, task="copy"):
    """A run as `read_run` finds it."""
    model = {"encoder": {"units": units}, "decoder": {"units": units}}
    config = {"seed": seed, "model": model, "attention": {"_target_": attention}}
    return Run(config, {"task": task})


def test_answers_are_counted_by_the_length_of_their_source(tmp_path):
    counts = count_right(write_run(tmp_path / "run", ANSWERS))
    assert counts == {0: (1, 1), 1: (0, 1), 2: (1, 2), 3: (1, 1)}


def test_seeds_are_one_series_and_what_differs_is_named(tmp_path, monkeypatch):
    paths = [write_run(tmp_path / str(n), ANSWERS[n : n + 2]) for n in range(4)]
    attention = "seq2seq.layers.attention.Dot"
    runs = [describe(32, 0), describe(16, 0), describe(32, 1), describe(16, 0, attention)]
    all_series = measure_capacity(runs, paths)
    names = ["16 units, attention Dot", "16 units, attention none", "32 units, attention none"]
    assert [series.name for series in all_series] == names
    assert [len(series.runs) for series in all_series] == [1, 1, 2]
    assert all_series[1].runs == [{2: Proportion(0, 1), 3: Proportion(1, 1)}]
    alike = measure_capacity([describe(8, 0), describe(8, 1)], paths[:2])
    assert [series.name for series in alike] == ["8 units"]


def test_extremes_of_several_runs_are_returned():
    series = Series(8, "", [{1: Proportion(1, 2), 2: Proportion(0, 2)}, {1: Proportion(2, 2)}])
    assert series.lengths == [1, 2]
    assert series.at(1) == (0.75, 0.5, 1.0)
    assert series.at() == ((0.25 + 1) / 2, 0.25, 1.0)
    assert series.at(2) == (0.0, *Proportion(0, 2).interval)


def test_runs_that_can_not_be_compared_are_refused(tmp_path):
    runs = [describe(8, 0), describe(8, 0, task="sort")]
    with pytest.raises(ValueError, match="different tasks .copy, sort."):
        measure_capacity(runs, [tmp_path, tmp_path])
    values = {"encoder": {"vocabulary_size": None, "features": 1}}
    with pytest.raises(
        ValueError, match="is of real values.*needs runs whose sources and targets are symbols"
    ):
        count_right(write_run(tmp_path / "values", ANSWERS, **values))
