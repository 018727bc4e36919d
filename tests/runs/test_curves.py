"""Curves over seeds: where runs have something in common, and what is drawn by itself."""

import pytest

from seq2seq.runs.compare import Run, group_runs
from seq2seq.runs.curves import by_length, by_step, choose_metric, choose_ranges
from tests.runs.fake_runs import config, history, lengths, summary, write_run


def one_group(*runs):
    (group,) = group_runs(runs)
    return group


def test_by_length_each_run_counts_where_it_was_tested():
    runs = [
        Run(config(0), summary(0, lengths(1.0, 0.5))),
        Run(config(1), summary(0, lengths(0.5, 0.25, 0.125))),
    ]
    curve = by_length(one_group(*runs), [(1, 2), (3, 3), (4, 9)])
    assert {bounds: point.values for bounds, point in curve.items()} == {
        (1, 2): [0.75, 0.375],
        (3, 3): [0.125],
    }


def test_many_lengths_are_put_together():
    few, many = (one_group(Run(config(0), summary(0, lengths(*[1] * n)))) for n in (3, 100))
    assert choose_ranges([few]) == [(1, 1), (2, 2), (3, 3)]
    ranges = choose_ranges([few, many])
    assert len(ranges) <= 30 and {high - low for low, high in ranges} == {3}
    assert ranges[0][0] == 1 and ranges[-1][0] <= 100 <= ranges[-1][1]
    assert len(by_length(many, ranges)) == len(ranges)


def test_real_values_have_no_exact_match():
    values = summary(0, {"3": {"mae": 0.5, "count": 2}})
    assert choose_ranges([one_group(Run(config(0), values))]) == []


def test_curves_are_aligned_on_the_updates_that_all_runs_share(tmp_path):
    steps = [(0.1, 0.2, 0.3, 0.4), (0.5, 0.7)]  # the second was evaluated half as often
    runs = [
        write_run(
            tmp_path / str(seed), config(seed), summary(0), history(*matches, every=10 * (seed + 1))
        )
        for seed, matches in enumerate(steps)
    ]
    curve = by_step(one_group(*runs), "exact_match")
    assert {step: point.values for step, point in curve.items()} == {20: [0.2, 0.5], 40: [0.4, 0.7]}
    assert set(by_step(one_group(*runs), "loss")) == {20, 40}
    assert by_step(one_group(*runs), "bleu") == {}


def test_the_metric_is_the_one_that_tasks_go_by(tmp_path):
    words = history(0.1, 0.2, val_word_error_rate=[0.9, 0.8])
    pronunciation = one_group(write_run(tmp_path / "a", config(0), summary(0), words))
    exact = one_group(write_run(tmp_path / "b", config(0), summary(0), history(0.5)))
    without = one_group(write_run(tmp_path / "c", config(0), summary(0)))
    assert choose_metric([pronunciation]) == "word_error_rate"
    assert choose_metric([pronunciation, exact]) == "exact_match"
    assert choose_metric([exact, without]) is None
    assert choose_metric([exact, without], "loss") == "loss"
    with pytest.raises(ValueError, match="no history has 'bleu'; there are: epoch, exact_match"):
        choose_metric([exact], "bleu")
