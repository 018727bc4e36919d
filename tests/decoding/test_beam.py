"""Beam search against the whole space, hand-made tables, and greedy search."""

import itertools

import numpy as np
import pytest

from seq2seq.decoding import AllowTokens, Beam, Greedy
from tests.conftest import slow_except

START, END = 1, 2
PENALTIES = {
    0.0: lambda length: 1.0,
    0.7: lambda length: ((5 + length) / 6) ** 0.7,
    1.5: lambda length: ((5 + length) / 6) ** 1.5,
    "average": lambda length: length,
}


def decoded(result, row=0, rank=0):
    return tuple(result.tokens[row, rank, : result.lengths[row, rank]].tolist())


def enumerate_all(model, row, limit, penalty):
    """Every target that ends within the limit, the best first: (rank, score, tokens)."""
    symbols = [symbol for symbol in range(model.tables.shape[-1]) if symbol != END]
    hypotheses = []
    for length in range(limit):
        for target in itertools.product(symbols, repeat=length):
            score = model.score(target, row)
            hypotheses.append((score / penalty(length + 1), score, target))
    return sorted(hypotheses, reverse=True)


@pytest.mark.parametrize("length_penalty", PENALTIES)
def test_a_wide_beam_finds_the_best_of_all(markov, tables, length_penalty):
    model = markov(tables)
    result = model(Beam(width=90, length_penalty=length_penalty, n_best=4), max_length=4)
    for row in range(4):
        best = enumerate_all(model, row, 4, PENALTIES[length_penalty])[:4]
        assert [decoded(result, row, rank) for rank in range(4)] == [target for *_, target in best]
        np.testing.assert_allclose(result.scores[row], [score for _, score, _ in best], atol=1e-4)
    assert result.ended.all()


@pytest.mark.parametrize("max_length", slow_except([3], [1, 3, 9]))
def test_a_beam_of_one_is_greedy(markov, max_length):
    tables = 2 * np.random.default_rng(1).normal(size=(40, 6, 6))
    tables[:, :, END] += 1  # that some end soon and others never
    model = markov(tables)
    greedy, beam = (model(strategy, max_length) for strategy in (Greedy(), Beam(1)))
    assert 0 < greedy.ended.sum() < 40
    for field, same in zip(greedy[:5], beam[:5], strict=True):
        np.testing.assert_allclose(field, same, atol=1e-5)


def test_a_hand_made_table_where_greedy_is_wrong(markov):
    """From the start 0.6 goes to 3 and 0.4 to 4; after 3 ends come with 0.5, after 4 always."""
    probabilities = np.full((5, 5), 1e-9)
    probabilities[START, [3, 4]] = 0.6, 0.4
    probabilities[3, [END, 3]] = 0.5, 0.5
    probabilities[4, END] = 1.0
    model = markov([np.log(probabilities)])
    assert decoded(model(Greedy())) == (3,)
    result = model(Beam(2, n_best=2))
    assert [decoded(result, 0, rank) for rank in range(2)] == [(4,), (3,)]
    np.testing.assert_allclose(np.exp(result.scores[0]), [0.4, 0.3], atol=1e-5)


def test_a_length_penalty_lets_long_targets_win(markov):
    """4 has log(0.4) / 2 a token; eight times 3 more: log(0.6 * 0.8 ** 7 * 0.2) / 9."""
    probabilities = np.full((5, 5), 1e-9)
    probabilities[START, [3, 4]] = 0.6, 0.4
    probabilities[3, [END, 3]] = 0.2, 0.8
    probabilities[4, END] = 1.0
    model = markov([np.log(probabilities)])
    assert decoded(model(Beam(4), max_length=9)) == (4,)
    longer = model(Beam(4, length_penalty="average"), max_length=9)
    assert decoded(longer) == (3,) * 8
    np.testing.assert_allclose(np.exp(longer.scores[0]), 0.6 * 0.8**7 * 0.2, rtol=1e-4)


def test_a_long_target_that_ranks_first_is_waited_for(markov):
    """By "average", log(0.3) / 9 of the long target is above log(0.7) / 2 of the short one."""
    probabilities = np.full((12, 12), 1e-9)
    probabilities[START, [3, 4]] = 0.7, 0.3
    probabilities[3, END] = 1.0
    chain = [*range(4, 12), END]
    probabilities[chain[:-1], chain[1:]] = 1.0
    result = markov([np.log(probabilities)])(Beam(2, length_penalty="average"), max_length=12)
    assert decoded(result) == tuple(chain[:-1])


@pytest.mark.parametrize(
    "strategy",
    slow_except(
        [Beam(3, n_best=3)],
        [
            Beam(3, n_best=3),
            Beam(3, n_best=2, early_stopping=True),
            Beam(4, length_penalty="average", n_best=2),
            Beam(4, num_groups=2, n_best=3),
            Beam(3, coverage_penalty=0.4, n_best=3),
        ],
    ),
    ids=str,
)
def test_no_source_depends_on_the_others(markov, strategy):
    """Split, reordered, and with another limit for others: the same."""
    tables = 2 * np.random.default_rng(2).normal(size=(8, 6, 6))
    model, limits = markov(tables), np.array([6, 3, 6, 2, 6, 1, 6, 4])
    mask = np.ones((8, 3), "bool")

    def run(rows):
        options = {"limits": limits[rows], "source_mask": mask[rows]}
        return model(strategy, 6, rows=rows, **options)

    together = run(np.arange(8))
    order = np.array([5, 1, 7, 3, 0, 2, 6, 4])
    for field, mixed in zip(together[:5], run(order)[:5], strict=True):
        np.testing.assert_allclose(field[order], mixed, atol=1e-5)
    for row in (0, 3, 6):
        for field, alone in zip(together[:5], run([row])[:5], strict=True):
            np.testing.assert_allclose(field[row], alone[0], atol=1e-5)


def test_scores_are_those_of_the_model(markov, tables):
    model = markov(tables)
    result = model(Beam(4, length_penalty=1.0, n_best=4), max_length=5)
    for row, rank in itertools.product(range(4), range(4)):
        target = decoded(result, row, rank)
        expected = model.score(target, row, result.ended[row, rank])
        np.testing.assert_allclose(result.scores[row, rank], expected, atol=1e-4)
        np.testing.assert_allclose(result.token_scores[row, rank].sum(), expected, atol=1e-4)


def test_unfinished_hypotheses_come_after_finished_ones(markov, tables):
    tables[:, :, END] = -30.0
    tables[0, START, 3] = tables[0, 3, END] = 30.0  # only the first source has a way to end
    result = markov(tables)(Beam(3, n_best=3), max_length=4)
    assert result.ended[0, 0] and decoded(result, 0, 0)[-1] == 3
    assert not result.ended[1:].any() and (result.lengths[1:] == 4).all()
    assert (np.diff(result.scores[1:], axis=1) <= 0).all()


def test_early_stopping_takes_the_first_that_end(markov):
    """A bad short target ends first; only patience finds the better long one."""
    probabilities = np.full((5, 5), 1e-9)
    probabilities[START, [END, 3]] = 0.3, 0.7
    probabilities[3, 4] = probabilities[4, END] = 1.0
    model = markov([np.log(probabilities)])
    assert decoded(model(Beam(2, early_stopping=True))) == ()
    assert decoded(model(Beam(2))) == (3, 4)


@pytest.mark.slow
def test_a_coverage_penalty_prefers_what_attends_to_all(markov):
    """The toy attends to (last token) mod 3: 3 4 5 covers all of the source, 3 3 3 one step."""
    probabilities = np.full((6, 6), 1e-9)
    probabilities[START, 3] = 1.0
    probabilities[3, [3, 4]] = 0.6, 0.4
    probabilities[4, 5], probabilities[5, END] = 1.0, 1.0
    probabilities[3, END] = 0.5
    model = markov([np.log(probabilities / probabilities.sum(1, keepdims=True))])
    mask = np.ones((1, 3), "bool")
    assert decoded(model(Beam(4), source_mask=mask)) == (3,)
    assert decoded(model(Beam(4, coverage_penalty=0.5), source_mask=mask)) == (3, 4, 5)
    # Steps of padding need no coverage.
    mask[:, 2] = False
    assert decoded(model(Beam(4, coverage_penalty=0.05), source_mask=mask)) == (3,)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"width": 0}, "decoding.width must be a whole number of at least 1, got 0"),
        ({"width": 2, "n_best": 3}, "width 2 has no 3 best hypotheses; set width=3"),
        ({"width": 5, "num_groups": 2}, "a multiple of num_groups=2, got 5; set width=6"),
        ({"length_penalty": -1}, "must be a number of at least 0 and at most 10, got -1"),
        ({"length_penalty": "mean"}, 'a number or "average", got .mean.'),
        ({"coverage_penalty": True}, "coverage_penalty must be a number"),
        ({"early_stopping": "no"}, "early_stopping must be true or false"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Beam(**arguments)


def test_scores_stay_finite_where_nothing_is_allowed(markov):
    """Sums of `NEG_INF` over all steps and penalties overflow nothing: a hypothesis has no NaN."""
    penalties = {"length_penalty": 10, "diversity_penalty": 1e6, "num_groups": 2}
    search = markov(np.zeros((1, 8, 8)))
    never = AllowTokens(np.array([], "int32"))
    result = search(Beam(4, n_best=4, **penalties), constraints=[never], max_length=6)
    scores = np.array(result.scores)
    assert np.isfinite(scores).tolist() == [[True, True, False, False]]  # the end, of each group
    assert (scores[:, 2:] == -np.inf).all()
