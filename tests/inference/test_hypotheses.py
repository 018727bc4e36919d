"""Hypotheses of a search are read as texts; unknown tokens copy the attended symbol."""

import math

import numpy as np
import pytest

from seq2seq.decoding.search import Hypotheses
from seq2seq.inference.hypotheses import Hypothesis, copy_attended, read_row
from seq2seq.runtime.vocabulary import UNKNOWN
from tests.inference.small_predictor import LETTERS

WEIGHTS = np.array([[[[0.1, 0.7, 0.2], [0.3, 0.1, 0.6], [0.0, 0.0, 0.0]]] * 2])
HYPOTHESES = Hypotheses(
    tokens=np.array([[[4, UNKNOWN, 0], [5, 6, 4]]]),  # (batch, n, time)
    lengths=np.array([[2, 3]]),
    scores=np.array([[-1.5, -math.inf]]),
    ended=np.array([[True, False]]),
    token_scores=np.array([[[-0.5, -0.75, -0.25], [0.0, 0.0, 0.0]]]),
    attention=WEIGHTS,
)


def test_a_row_has_the_possible_hypotheses_alone():
    (best,) = read_row(HYPOTHESES, 0, LETTERS, ["a", "b"], 2)
    assert best.tokens == ["a", LETTERS.symbols[UNKNOWN]] and best.text == "".join(best.tokens)
    assert best.score == -1.5 and best.ended
    assert best.token_scores == [-0.5, -0.75, -0.25]  # the end has a score, too
    np.testing.assert_array_equal(best.attention, WEIGHTS[0, 0, :, :2])


def test_a_row_without_a_possible_hypothesis_has_an_empty_one():
    impossible = HYPOTHESES._replace(scores=np.full((1, 2), -math.inf))
    assert read_row(impossible, 0, LETTERS, ["a"], 1) == [Hypothesis("", [], -math.inf, [], False)]


def test_a_hypothesis_that_was_cut_off_has_no_score_of_an_end():
    cut_off = HYPOTHESES._replace(scores=np.zeros((1, 2)))
    assert len(read_row(cut_off, 0, LETTERS, ["a"], 1)[1].token_scores) == 3


@pytest.mark.parametrize("attention", [WEIGHTS, np.array([[[1, 0, 0]] * 2])])
def test_unknown_tokens_become_the_attended_position(attention):
    """The end of the source, here its last step, is never copied."""
    copied = copy_attended(HYPOTHESES._replace(attention=attention), np.array([3]), len(LETTERS))
    expected = len(LETTERS)
    np.testing.assert_array_equal(copied.tokens, [[[4, expected, 0], [5, 6, 4]]])


def test_a_source_of_the_end_alone_has_nothing_to_copy():
    copied = copy_attended(HYPOTHESES, np.array([1]), len(LETTERS))
    np.testing.assert_array_equal(copied.tokens, HYPOTHESES.tokens)
