"""Sampling: the right frequencies, the same draws for the same source, and the cuts."""

import numpy as np
import pytest

from seq2seq.decoding import Sample

START, END = 1, 2


def first_tokens(results):
    """(batch, samples): the first token of each, or its end."""
    return np.where(results.lengths > 0, results.tokens[..., 0], END)


def chi_square(counts, probabilities):
    expected = counts.sum() * probabilities
    return ((counts - expected) ** 2 / expected).sum()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_equal_the_models_probabilities(markov, seed, temperature):
    table = np.random.default_rng(3).normal(size=(1, 8, 8))
    results = markov(table)(Sample(temperature, seed=seed, num_samples=4000), max_length=2)
    weights = np.exp(table[0] / temperature)
    weights /= weights.sum(-1, keepdims=True)
    first = first_tokens(results)[0]
    counts = np.bincount(first, minlength=8)
    assert chi_square(counts, weights[START]) < 24.3  # 7 degrees of freedom: p = 0.001
    likeliest = np.delete(weights[START], END).argmax()
    likeliest += likeliest >= END
    second = results.tokens[0, first == likeliest, 1]
    ended = results.ended[0, first == likeliest]
    counts = np.bincount(np.where(ended, END, second), minlength=8)
    assert chi_square(counts, weights[likeliest]) < 24.3


def test_samples_belong_to_their_source_and_seed(markov, tables):
    model, keys = markov(tables), np.array([7, -8, 9, 2**31 - 1], "int32")
    strategy = Sample(num_samples=5)
    together = model(strategy, keys=keys)
    order = [2, 0, 3, 1]
    mixed = model(strategy, rows=order, keys=keys[order])
    np.testing.assert_array_equal(together.tokens[order], mixed.tokens)
    alone = model(strategy, rows=[1], keys=keys[1:2])
    np.testing.assert_array_equal(together.tokens[1], alone.tokens[0])
    fewer = model(Sample(num_samples=2), keys=keys)
    np.testing.assert_array_equal(together.tokens[:, :2], fewer.tokens)
    assert len({str(sample) for sample in together.tokens.reshape(-1, 6)}) > 10
    reseeded = model(Sample(num_samples=5, seed=1), keys=keys)
    assert (reseeded.tokens != together.tokens).any()


@pytest.mark.parametrize(
    "cut, left",
    [
        ({"top_k": 2}, {3, 4}),
        ({"top_k": 100}, {3, 4, 5, 6}),
        ({"top_p": 0.45}, {3}),
        ({"top_p": 0.55}, {3, 4}),
        ({"top_p": 0.85}, {3, 4, 5}),
        ({"min_p": 0.35}, {3, 4}),
        ({"min_p": 0.1, "top_k": 3}, {3, 4, 5}),
    ],
)
def test_cuts(markov, cut, left):
    probabilities = np.full((7, 7), 1e-9)
    probabilities[START, 3:] = 0.5, 0.25, 0.15, 0.1
    model = markov([np.log(probabilities)])
    results = model(Sample(**cut, num_samples=500), max_length=1)
    counts = np.bincount(first_tokens(results)[0], minlength=7)
    assert set(np.flatnonzero(counts)) == left
    tokens = [*left]
    expected = probabilities[START, tokens] / probabilities[START, tokens].sum()
    np.testing.assert_allclose(counts[tokens] / 500, expected, atol=0.08)
    # The score is the model's own, whatever was cut.
    np.testing.assert_allclose(
        np.exp(results.scores), probabilities[START, results.tokens[..., 0]], 1e-3
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"temperature": 0}, "temperature must be a number above 0, got 0"),
        ({"top_p": 1.5}, "top_p must be a number above 0 and at most 1, got 1.5"),
        ({"min_p": 0}, "min_p must be a number above 0"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1, got 0"),
        ({"num_samples": 0}, "samples must be"),
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sample(**arguments)
