"""Beam search of the runtime: exhaustive where it is wide, and equal to its definition."""

import math

import numpy as np
import pytest

from seq2seq import Decoder, Encoder, Seq2Seq
from seq2seq.data import Vocabulary
from seq2seq.runtime.search import Beam
from seq2seq.runtime.vocabulary import END, START
from tests.runtime.bundled import numpy_runtime
from tests.runtime.small_models import (
    FORMS,
    TEXTS,
    export,
    make_predictor,
)

pytestmark = pytest.mark.usefixtures("eager_module")


def continue_by_hand(runtime, source, limit):
    """Every output for `source` within `limit` steps: (score, tokens, whether it ended)."""
    begun = runtime.start(source)
    unfinished = [(0.0, (), (numpy_runtime.START, begun))]
    for _ in range(limit):
        longer = []
        for score, tokens, (last, state) in unfinished:
            log_probabilities, next_state = runtime.step(last, state)
            for token, gained in enumerate(log_probabilities.tolist()):
                if token == numpy_runtime.END:
                    yield score + gained, tokens, True
                elif gained > -math.inf:
                    longer.append((score + gained, (*tokens, token), (token, next_state)))
        unfinished = longer
    yield from ((score, tokens, False) for score, tokens, _ in unfinished)


def penalise(score, length, alpha):
    return score / (length if alpha == "average" else ((5 + length) / 6) ** alpha)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0, "average"])
def test_a_beam_that_is_wide_enough_is_exhaustive(tmp_path, alpha):
    two = Vocabulary("ab")
    model = Seq2Seq(Encoder(5, vocabulary_size=6), Decoder(5, vocabulary_size=6))
    runtime = export(make_predictor(model, two, two), tmp_path)
    for source in ("", "ab", "bbb"):
        ended = [
            hypothesis for hypothesis in continue_by_hand(runtime, source, limit=4) if hypothesis[2]
        ]
        ended.sort(key=lambda hypothesis: -penalise(hypothesis[0], len(hypothesis[1]) + 1, alpha))
        best = runtime.predict([source], width=100, length_penalty=alpha, n_best=12, max_length=4)[
            0
        ]
        symbols = [[two.symbols[token] for token in tokens] for _, tokens, _ in ended[:12]]
        assert [hypothesis.tokens for hypothesis in best] == symbols
        assert [hypothesis.score for hypothesis in best] == pytest.approx(
            [s for s, *_ in ended[:12]], abs=1e-4
        )


def search_by_hand(runtime, source, width, limit, alpha, n_best, early_stopping):
    """Beam search by its definition, with lists; (score, tokens) of each hypothesis."""
    live, pool = [(0.0, (), runtime.start(source))], []
    for step in range(1, limit + 1):
        candidates = []
        for score, tokens, state in live:
            last = tokens[-1] if tokens else numpy_runtime.START
            log_probabilities, next_state = runtime.step(last, state)
            for token in np.flatnonzero(np.isfinite(log_probabilities)).tolist():
                candidates.append(
                    (score + float(log_probabilities[token]), tokens, token, next_state)
                )
        candidates.sort(key=lambda hypothesis: -hypothesis[0])
        for score, tokens, token, _ in candidates[:width]:
            if token == numpy_runtime.END:
                pool.append((penalise(score, step, alpha), score, tokens))
        pool = sorted(pool, key=lambda hypothesis: -hypothesis[0])[:n_best]
        going = [
            hypothesis
            for hypothesis in candidates[: 2 * width]
            if hypothesis[2] != numpy_runtime.END
        ]
        live = [
            (score, (*tokens, token), next_state)
            for score, tokens, token, next_state in going[:width]
        ]
        beaten = len(pool) == n_best and penalise(live[0][0], limit, alpha) <= pool[-1][0]
        if beaten or (early_stopping and len(pool) == n_best):
            break
    return ([hypothesis[1:] for hypothesis in pool] + [hypothesis[:2] for hypothesis in live])[
        :n_best
    ]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("width, n_best, alpha", [(2, 1, 0.0), (3, 3, 1.0), (5, 2, "average")])
def test_the_beam_is_as_described(tiny, width, n_best, alpha, early_stopping):
    _, runtime = tiny
    beam = numpy_runtime.Beam(width, alpha, n_best, early_stopping)
    plan = numpy_runtime.DecodePlan(beam.search, width, "error", 9)
    for source, best in zip(TEXTS, runtime.hypotheses(TEXTS, plan), strict=True):
        expected = search_by_hand(runtime, source, width, 9, alpha, n_best, early_stopping)
        symbols = [[FORMS.symbols[token] for token in tokens] for _, tokens in expected]
        assert [hypothesis.tokens for hypothesis in best] == symbols
        assert [hypothesis.score for hypothesis in best] == pytest.approx(
            [s for s, _ in expected], abs=1e-4
        )


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
