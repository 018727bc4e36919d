"""Diverse beam search: groups avoid each other's tokens."""

import numpy as np

from seq2seq.decoding import Beam

START, END = 1, 2


def decoded(results, row=0, rank=0):
    return tuple(results.tokens[row, rank, : results.lengths[row, rank]].tolist())


def test_groups_generate_different_tokens(markov):
    probabilities = np.full((6, 6), 1e-9)
    probabilities[START, [3, 4, 5]] = 0.5, 0.3, 0.2
    probabilities[3:, END] = 1.0
    model = markov([np.log(probabilities)])
    results = model(Beam(3, num_groups=3, diversity_penalty=0.0, n_best=3))
    assert {decoded(results, 0, rank) for rank in range(3)} == {(3,)}
    results = model(Beam(3, num_groups=3, diversity_penalty=2.0, n_best=3))
    assert [decoded(results, 0, rank) for rank in range(3)] == [(3,), (4,), (5,)]
    # The penalty only chooses; scores stay the model's.
    np.testing.assert_allclose(np.exp(results.scores[0]), [0.5, 0.3, 0.2], atol=1e-4)
