"""The beam of the NumPy runtime, over a hand-made table in place of a model."""

import numpy as np
import pytest

from seq2seq.runtime.search import Beam
from seq2seq.runtime.vocabulary import END, START


class Table:
    """A model whose next symbol depends on the last alone."""

    def __init__(self, log_probs):
        self.log_probs = log_probs

    def step(self, tokens, state, memory):
        return self.log_probs[tokens], state


def test_a_long_target_that_ranks_first_is_waited_for():
    """By "average", log(0.3) / 9 of the long target is above log(0.7) / 2 of the short one."""
    probabilities = np.full((12, 12), 1e-9)
    probabilities[START, [3, 4]] = 0.7, 0.3
    probabilities[3, END] = 1.0
    chain = [*range(4, 12), END]
    probabilities[chain[:-1], chain[1:]] = 1.0
    table, state = Table(np.log(probabilities).astype("float32")), (np.zeros((1, 1)),)
    (results,) = Beam(2, "average").search(table, state, None, np.array([12]))
    assert [tokens for tokens, _ in results] == [chain[:-1]]
    assert np.exp(results[0][1]) == pytest.approx(0.3, rel=1e-4)
