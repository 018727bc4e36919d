"""The report a person reads."""

import io

from rich.console import Console

from seq2seq.data import Example
from seq2seq.evaluation.evaluate import Evaluation
from seq2seq.evaluation.metrics import score_all
from seq2seq.evaluation.summary import headline, make_table, sample_lines


def evaluation(pairs):
    examples = [Example(f"s{n}", right) for n, (_, right) in enumerate(pairs)]
    predictions = [prediction for prediction, _ in pairs]
    return Evaluation(
        "tokens", examples, predictions, score_all("tokens", predictions, [[r] for _, r in pairs])
    )


def test_the_table_has_a_row_a_length_and_one_for_all():
    out = io.StringIO()
    result = evaluation([("a", "a"), ("b", "c"), ("ab", "ab")])
    Console(file=out, width=100).print(make_table(result))
    lines = out.getvalue().splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["1", "2", "50.00%"],
        ["2", "1", "100.00%"],
        ["all", "3", "66.67%"],
    ]


def test_many_lengths_are_put_together():
    result = evaluation([("a" * n, "a" * n) for n in range(1, 49)])
    assert make_table(result).row_count == 13


def test_examples_carry_a_tick_or_a_cross():
    lines = sample_lines(evaluation([("a", "a"), ("ab", "a")]))
    assert lines == ["✓ s0 -> a", "✗ s1 -> ab   right: a   (too long)"]


def test_ten_examples_are_spread_evenly():
    lines = sample_lines(evaluation([("a", "a")] * 91))
    assert [line.split()[1] for line in lines] == [f"s{n}" for n in range(0, 91, 10)]


def test_the_headline():
    pronunciation = {"exact_match": 0.7, "word_error_rate": 0.3, "phone_error_rate": 0.08}
    assert headline({**pronunciation, "count": 12000}) == (
        "exact match 70.00 % of 12,000 held-out examples; word error rate 30.00 %, "
        "phone error rate 8.00 %"
    )
    assert headline({"mae": 0.1, "rmse": 0.2, "count": 5}).startswith("MAE 0.1000, RMSE 0.2000")
