"""Constraints hold for every strategy, and scores stay the model's."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq.decoding import (
    AllowTokens,
    Beam,
    Greedy,
    Length,
    Lexicon,
    NoRepeat,
    Prefix,
    Sample,
    SuppressTokens,
)
from seq2seq.decoding.constraints import split_constraints, with_arrays
from tests.conftest import slow_except

START, END, SYMBOLS, LIMIT = 1, 2, 7, 6
STRATEGIES = [Greedy(), Beam(3, n_best=2), Beam(4, num_groups=2, n_best=4), Sample(num_samples=3)]
QUICK = [STRATEGIES[1], STRATEGIES[3]]
TABLES = 2 * np.random.default_rng(5).normal(size=(3, SYMBOLS, SYMBOLS))


def answers(result):
    """Row, tokens, score, ended of each hypothesis that is possible."""
    for row, rank in np.ndindex(*result.lengths.shape):
        if np.isfinite(result.scores[row, rank]):
            tokens = result.tokens[row, rank, : result.lengths[row, rank]].tolist()
            yield row, tokens, result.scores[row, rank], result.ended[row, rank]


def run(markov, strategy, *constraints, limit=LIMIT):
    """The answers; their scores must be the model's own."""
    model = markov(TABLES)
    hypotheses = [*answers(model(strategy, limit, constraints=constraints))]
    assert hypotheses
    for row, tokens, score, ended in hypotheses:
        np.testing.assert_allclose(score, model.score(tokens, row, ended), atol=1e-3)
    return hypotheses


@pytest.mark.parametrize("strategy", slow_except(QUICK[1:], STRATEGIES), ids=str)
def test_banned_and_allowed(markov, strategy):
    for _, tokens, *_ in run(markov, strategy, SuppressTokens(np.array([0, 1, 3]))):
        assert set(tokens) <= {4, 5, 6}
    for _, tokens, *_ in run(markov, strategy, AllowTokens(np.array([3, 5])), NoRepeat(2)):
        assert set(tokens) <= {3, 5}


@pytest.mark.parametrize("strategy", slow_except(QUICK[1:], STRATEGIES), ids=str)
def test_prefix(markov, strategy):
    prefixes = [[3, 3, 4], [], [6]]
    for row, tokens, _, _ in run(markov, strategy, Prefix.of(prefixes)):
        assert tokens[: len(prefixes[row])] == prefixes[row]
    free = run(markov, strategy)
    none = run(markov, strategy, Prefix.of([[], [], []]))
    assert [tokens for _, tokens, *_ in free] == [tokens for _, tokens, *_ in none]


@pytest.mark.parametrize("strategy", slow_except(QUICK[1:], STRATEGIES), ids=str)
def test_length(markov, strategy):
    minimum, maximum = np.array([2, 0, 5]), np.array([3, 0, 5])
    for row, tokens, _, ended in run(markov, strategy, Length(minimum, maximum)):
        assert minimum[row] <= len(tokens) <= maximum[row] and ended


@pytest.mark.parametrize("size", slow_except([2], [1, 2, 3]))
@pytest.mark.parametrize("strategy", slow_except(QUICK, STRATEGIES), ids=str)
def test_no_repeat_ngram_size(markov, strategy, size):
    constraints = NoRepeat(size), Length(np.full(3, 5), np.full(3, 9))
    for _, tokens, *_ in run(markov, strategy, *constraints):
        pieces = [tuple(tokens[n : n + size]) for n in range(len(tokens) - size + 1)]
        assert len(set(pieces)) == len(pieces)


def test_no_repeat_changes_nothing_else(markov):
    """Greedy with the constraint is greedy over what is left at each step."""
    model = markov(TABLES)
    for row, tokens, *_ in run(markov, Greedy(), NoRepeat(2)):
        prefix = [START]
        for token in tokens:
            order = np.argsort(-model.tables[row, prefix[-1]])
            pairs = set(zip(prefix[1:], prefix[2:], strict=False))
            left = [
                symbol for symbol in order if (prefix[-1], symbol) not in pairs or len(prefix) < 2
            ]
            assert token == left[0]
            prefix.append(token)


@pytest.mark.parametrize("strategy", slow_except(QUICK[1:], STRATEGIES), ids=str)
def test_a_lexicon_of_one_gives_that_one(markov, strategy):
    for _, tokens, _, ended in run(markov, strategy, Lexicon.of([[4, 3, 3]], SYMBOLS, END)):
        assert tokens == [4, 3, 3] and ended


@pytest.mark.parametrize("strategy", slow_except(QUICK, STRATEGIES), ids=str)
def test_a_lexicon_holds(markov, strategy):
    lexicon = [[], [3], [3, 4], [3, 4, 5, 6], [6, 6]]
    hypotheses = run(markov, strategy, Lexicon.of(lexicon, SYMBOLS, END))
    assert all(tokens in lexicon and ended for _, tokens, _, ended in hypotheses)


@pytest.mark.parametrize("strategy", slow_except(QUICK[1:], STRATEGIES), ids=str)
def test_a_lexicon_of_all_changes_nothing(markov, strategy):
    symbols = [symbol for symbol in range(SYMBOLS) if symbol != END]
    every = [[]]
    for _ in range(3):
        every += [[*target, symbol] for target in every for symbol in symbols]
    limit = Length(np.zeros(3), np.full(3, 3))
    free = run(markov, strategy, limit, limit=4)
    bound = run(markov, strategy, limit, Lexicon.of(every, SYMBOLS, END), limit=4)
    assert [hypothesis[:2] for hypothesis in free] == [hypothesis[:2] for hypothesis in bound]


def test_a_lexicon_in_a_beam_is_the_best_of_it(markov):
    model, lexicon = markov(TABLES), [[3], [4, 4], [5, 6, 3], [0, 5], [6]]
    result = model(Beam(5, n_best=5), constraints=[Lexicon.of(lexicon, SYMBOLS, END)])
    for row in range(3):
        best = sorted(lexicon, key=lambda target: -model.score(target, row))
        assert [tokens for index, tokens, *_ in answers(result) if index == row] == best


@pytest.mark.parametrize("strategy", slow_except(QUICK[1:], STRATEGIES), ids=str)
def test_contradictory_constraints_have_no_hypothesis(markov, strategy):
    rules = [Prefix.of([[3], [4], [4]]), SuppressTokens(np.array([3]))]
    result = markov(TABLES)(strategy, constraints=rules)
    assert not np.isfinite(result.scores[0]).any()
    assert np.isfinite(result.scores[1:, 0]).all()


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the fixture is a class
)
@given(
    banned=st.sets(st.integers(3, 6), max_size=3),
    prefix=st.lists(st.integers(3, 6), max_size=3),
    minimum=st.integers(0, 4),
    size=st.integers(1, 3),
    strategy=st.sampled_from(STRATEGIES),
)
def test_constraints_compose(markov, banned, prefix, minimum, size, strategy):
    """Every hypothesis satisfies all of them at once."""
    rules = [
        SuppressTokens(np.array([0, START, *sorted(banned)])),
        Prefix.of([prefix] * 3),
        Length(np.full(3, minimum), np.full(3, 5)),
        NoRepeat(size),
    ]
    for _, tokens, _, ended in answers(markov(TABLES)(strategy, constraints=rules)):
        pieces = [tuple(tokens[n : n + size]) for n in range(len(tokens) - size + 1)]
        assert len(set(pieces)) == len(pieces)
        assert not set(tokens) & banned and tokens[: len(prefix)] == prefix[: len(tokens)]
        assert minimum <= len(tokens) <= 5 and ended


def test_arrays_are_taken_out_and_put_back():
    rules = [Prefix.of([[3]]), NoRepeat(2), SuppressTokens(np.array([4]))]
    fixed, arrays = split_constraints(rules)
    assert (
        fixed
        == split_constraints(
            [Prefix.of([[5, 6], []]), NoRepeat(2), SuppressTokens(np.array([5, 6]))]
        )[0]
    )
    assert (
        hash(fixed) is not None and fixed != split_constraints([Prefix.of([[3]]), NoRepeat(3)])[0]
    )
    arrays[2]["ids"] = np.array([9])
    assert with_arrays(rules, arrays)[2].ids.tolist() == [9]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: NoRepeat(0), "no_repeat_ngram_size must be a whole number of at least 1, got 0"),
        (lambda: Lexicon.of([], 5, END), "the lexicon is empty"),
        (lambda: split_constraints(["NoRepeat(3)"]), "a constraint was expected, as NoRepeat"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_large_lexicon_is_a_few_numbers_a_token():
    """30,000 lines of 12,000 words were a dense table of gigabytes."""
    rng = np.random.default_rng(0)
    targets = rng.integers(4, 12_000, (30_000, 4))
    lexicon = Lexicon.of(targets, 12_000, END)
    size = sum(getattr(lexicon, name).nbytes for name in lexicon.arrays)
    assert size < 4 * 2**20
    state = lexicon.initialize(2, 5)
    allowed, state = lexicon.allow(np.array([1, 1]), state, 0, END, 12_000)
    assert np.array_equal(np.flatnonzero(np.array(allowed)[0]), np.unique(targets[:, 0]))
    tokens = np.array([targets[7, 0], 3])  # the other is no first word of any line
    allowed, _ = lexicon.allow(tokens, state, 1, END, 12_000)
    lines = targets[targets[:, 0] == tokens[0]]
    assert np.array_equal(np.flatnonzero(np.array(allowed)[0]), np.unique(lines[:, 1]))
    assert not np.array(allowed)[1].any()
