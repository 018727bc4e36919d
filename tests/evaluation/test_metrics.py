"""Metrics against brute force and by hand."""

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.evaluation.bleu import bleu, count_ngrams
from seq2seq.evaluation.metrics import (
    METRICS,
    edit_distance,
    group_by_length,
    register_metrics,
    score_all,
    score_tokens,
    summarize,
)

WORDS = st.text("ab", max_size=6)


def distance_by_definition(first, second):
    @cache
    def go(i, j):
        if i == 0 or j == 0:
            return i + j
        change = go(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(change, go(i - 1, j) + 1, go(i, j - 1) + 1)

    return go(len(first), len(second))


@given(WORDS, WORDS)
def test_edit_distance_is_its_definition(first, second):
    assert edit_distance(first, second) == distance_by_definition(first, second)


@given(WORDS, WORDS, WORDS)
def test_edit_distance_is_a_metric(a, b, c):
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@pytest.mark.parametrize(
    "prediction, error",
    [("abc", ""), ("abd", "content"), ("ab", "too_short"), ("abcd", "too_long"), ("", "too_short")],
)
def test_wrong_answers_are_distinguished(prediction, error):
    assert score_tokens(prediction, ["abc"]).error == error


def test_any_reference_is_right_and_the_nearest_counts():
    assert score_tokens("xy", ["abcd", "xy"]).error == ""
    score = score_tokens("abx", ["zzzzz", "abc"])
    assert (score.length, score.edits, score.reference_length, score.error) == (5, 1, 3, "content")


def test_token_metrics_by_hand():
    judged = score_all("tokens", ["ab", "b", "abc", ""], [["ab"], ["bb"], ["ab"], [""]])
    result = summarize("tokens", judged)
    assert result["exact_match"] == 0.5
    assert result["token_accuracy"] == (2 + 1 + 2 + 0) / (2 + 2 + 3 + 0)
    assert result["edit_distance"] == 2 / 4
    assert (result["content"], result["too_short"], result["too_long"]) == (0, 1, 1)
    assert result["count"] == 4
    assert list(result["by_length"]) == ["0", "2"]
    assert result["by_length"]["2"]["exact_match"] == pytest.approx(1 / 3)


def test_shares_of_the_reference_by_hand():
    predictions = ["abxd", "ab", "abcdzz", "xbcd", "", "", "a"]
    right = [["abcd"]] * 5 + [[""]] * 2
    result = summarize("tokens", score_all("tokens", predictions, right))
    assert result["per_sequence_accuracy"] == pytest.approx((3 + 2 + 4 + 3 + 0 + 4 + 0) / 28)
    assert result["prefix_accuracy"] == pytest.approx((2 + 2 + 4 + 0 + 0 + 4 + 0) / 28)
    assert result["by_length"]["0"]["per_sequence_accuracy"] == 0.5


@given(WORDS, WORDS)
def test_shares_are_their_definitions(prediction, right):
    result = summarize("tokens", score_all("tokens", [prediction], [[right]]))
    if not right:
        expected = float(not prediction), float(not prediction)
    else:
        matches = [
            index < len(prediction) and prediction[index] == right[index]
            for index in range(len(right))
        ]
        prefix_length = max(
            n for n in range(len(right) + 1) if prediction[:n] == right[:n] and n <= len(prediction)
        )
        expected = sum(matches) / len(right), prefix_length / len(right)
    assert (result["per_sequence_accuracy"], result["prefix_accuracy"]) == expected
    assert result["prefix_accuracy"] <= result["per_sequence_accuracy"]


def test_translation_is_tokens_and_bleu():
    predictions, right = ["abcde", "abzde", "a"], [["abcde"], ["abcde"], ["ab"]]
    judged = score_all("translation", predictions, right)
    result = summarize("translation", judged)
    plain = summarize("tokens", score_all("tokens", predictions, right))
    counts = [count_ngrams(p, r) for p, r in zip(predictions, right, strict=True)]
    assert result["bleu"] == bleu(counts) and 0 < result["bleu"] < 100
    assert result["by_length"]["5"]["bleu"] == bleu(counts[:2])
    assert {name: value for name, value in result.items() if name in plain} | {
        "by_length": plain["by_length"]
    } == plain


def test_word_and_phone_error_rates_by_hand():
    predictions = [["K", "AE", "T"], ["D", "AO"]]
    right = [[["K", "AE", "T"]], [["D", "AO", "G", "Z"], ["D", "AA", "G"]]]
    result = summarize("pronunciation", score_all("pronunciation", predictions, right))
    assert result["word_error_rate"] == 0.5
    assert result["phone_error_rate"] == 2 / 7  # the first of two references at distance 2


def test_errors_of_real_values_by_hand():
    judged = score_all("values", [[(1.0,), (2.0,)], [(0.0,)]], [[[(1.5,), (2.0,)]], [[(-2.0,)]]])
    result = summarize("values", judged)
    assert result["mae"] == pytest.approx(2.5 / 3)
    assert result["rmse"] == pytest.approx(math.sqrt(4.25 / 3))
    assert result["by_length"]["1"]["mae"] == 2
    assert "exact_match" not in result


def test_real_values_of_another_length_are_an_error():
    with pytest.raises(ValueError):
        score_all("values", [[(1.0,)]], [[[(1.0,), (2.0,)]]])


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(ValueError, match="nothing to evaluate"):
        summarize("tokens", [])


@given(st.lists(WORDS, min_size=1), st.integers(1, 5))
def test_groups_hold_everything_once(words, limit):
    judged = score_all("tokens", words, [[word] for word in words])
    groups = group_by_length(judged, limit)
    assert len(groups) <= limit
    assert sorted(score.length for _, group in groups for score in group) == sorted(map(len, words))


def test_metrics_of_the_users_own_come_beside_those_of_tokens(monkeypatch):
    monkeypatch.setattr("seq2seq.evaluation.metrics.METRICS", {**METRICS})
    register_metrics("mine", first=lambda p, r: p[:1] == r[0][:1], references=lambda p, r: len(r))
    predictions, references = ["ab", "cd", "x"], [["ab"], ["ce", "cd"], ["y"]]
    summary = summarize("mine", score_all("mine", predictions, references))
    plain = summarize("tokens", score_all("tokens", predictions, references))
    assert summary["first"] == 2 / 3 and summary["references"] == 4 / 3
    assert {key: summary[key] for key in plain if key != "by_length"} == {
        key: plain[key] for key in plain if key != "by_length"
    }
    assert summary["by_length"]["1"]["first"] == 0
    with pytest.raises(ValueError, match="metrics 'tokens' are this package's own"):
        register_metrics("tokens", first=len)
    register_metrics("mine", exact_match=lambda p, r: 0)
    with pytest.raises(ValueError, match="exact_match is a metric of this package"):
        summarize("mine", score_all("mine", ["a"], [["a"]]))
