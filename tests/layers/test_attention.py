"""Attention against the papers' formulas in NumPy, exact masks, and what is refused."""

import keras
import numpy as np
import pytest

from seq2seq.layers import Additive, Concat, Dot, FixedContext, General, Local, Scaled

RNG = np.random.default_rng(5)
QUERY = RNG.normal(size=(2, 3, 4)).astype("float32")  # (batch, queries, query_size)
LENGTHS = (5, 2)
MASK = np.arange(5) < np.array(LENGTHS)[:, None]
KINDS = [Additive, Concat, Dot, General, Local, Scaled, lambda: Local(width=1)]


def connect(attention, memory_size):
    attention.connect(4, memory_size)
    attention.set_weights([RNG.normal(size=w.shape) for w in attention.weights])
    return attention


def attend(attention, values, mask=MASK, query=QUERY, coverage=None):
    keys = attention.keys(values, ())
    return [np.array(part) for part in attention(query, keys, values, mask, coverage)]


def score(attention, query, key, covered=0.0):
    """The papers' scores of one query and one key."""
    w = {weight.path.split("/", 1)[1]: np.array(weight) for weight in attention.weights}
    if isinstance(attention, Additive):
        inner = query @ w["query/kernel"] + key @ w["key/kernel"] + w["key/bias"]
        if attention.coverage:
            inner = inner + covered * w["coverage/kernel"][0]
        return (np.tanh(inner) @ w["energy/kernel"]).item()
    if isinstance(attention, General):
        return query @ (key @ w["key/kernel"])
    return query @ key / (2.0 if isinstance(attention, Scaled) else 1.0)  # sqrt(4)


def paper(attention, values, coverage=None):
    """Contexts and weights, one example and one query at a time, over real steps only."""
    contexts, weights = np.zeros((2, 3, values.shape[-1])), np.zeros((2, 3, 5))
    for row, length in enumerate(LENGTHS):
        covered = np.zeros(5) if coverage is None else coverage[row]
        for n, query in enumerate(QUERY[row]):
            steps = np.arange(length)
            scores = np.array([score(attention, query, values[row, s], covered[s]) for s in steps])
            bell = np.ones(length)
            if isinstance(attention, Local):
                w = {x.path.split("/", 1)[1]: np.array(x) for x in attention.weights}
                inner = np.tanh(query @ w["hidden/kernel"]) @ w["position/kernel"]
                position = (length - 1) / (1 + np.exp(-inner.item()))
                scores[np.abs(steps - position) > attention.width] = -np.inf
                bell = np.exp(-((steps - position) ** 2) / (2 * (attention.width / 2) ** 2))
            exponentials = np.exp(scores - scores.max())
            weights[row, n, :length] = exponentials / exponentials.sum() * bell
            contexts[row, n] = weights[row, n] @ values[row]
    return contexts, weights


@pytest.mark.parametrize("make", KINDS)
def test_equals_the_papers_formula(make):
    attention = connect(make(), 4)
    values = RNG.normal(size=(2, 5, 4)).astype("float32")
    for ours, expected in zip(attend(attention, values), paper(attention, values), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_coverage_is_seen_by_the_score():
    attention = connect(Additive(units=6, coverage=True), 7)
    values = RNG.normal(size=(2, 5, 7)).astype("float32")
    coverage = RNG.uniform(size=(2, 5)).astype("float32")
    expected = paper(attention, values, coverage)
    for ours, right in zip(attend(attention, values, coverage=coverage), expected, strict=True):
        np.testing.assert_allclose(ours, right, atol=1e-5)


@pytest.mark.parametrize("make", KINDS)
def test_padding_gets_no_weight_and_changes_nothing(make):
    attention = connect(make(), 4)
    values = RNG.normal(size=(2, 5, 4)).astype("float32")
    context, weights = attend(attention, values)
    assert (weights[~np.broadcast_to(MASK[:, None], weights.shape)] == 0).all()
    if not isinstance(attention, Local):
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    wild = np.where(MASK[..., None], values, 1e4).astype("float32")
    longer = np.pad(wild, ((0, 0), (0, 3), (0, 0)), constant_values=-1e4)
    more, _ = attend(attention, longer, np.pad(MASK, ((0, 0), (0, 3))))
    np.testing.assert_allclose(more, context, atol=1e-5)
    alone, _ = attend(attention, values[1:, :2], MASK[1:, :2], QUERY[1:])
    np.testing.assert_allclose(alone[0], context[1], atol=1e-5)


def test_overlap_is_attention_paid_twice():
    weights = np.array([[[1.0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [1, 0, 0]]], "float32")
    attention = Additive(coverage=True)
    np.testing.assert_allclose(attention.coverage_loss(weights, None), (0 + 0.5 + 0.5 + 1) / 4)
    mask = np.array([[True, True, True, False]])
    np.testing.assert_allclose(attention.coverage_loss(weights, mask), 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("kind", [Dot, Scaled])
def test_unlike_sizes_are_refused_with_the_attention_that_joins_them(kind):
    with pytest.raises(ValueError, match="4 units, .* 6: attention .* attention=general"):
        kind().connect(4, 6)
    General().connect(4, 6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Dot(before=True, input_feeding=True), "exclude each other"),
        (lambda: Dot(before="yes"), "attention.before must be true or false, got 'yes'"),
        (lambda: Additive(units=0), "attention.units must be .* got 0"),
        (lambda: Additive(coverage=2), "attention.coverage must be true or false"),
        (lambda: Local(width=0), "attention.width must be .* got 0"),
    ],
)
def test_senseless_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [*KINDS, FixedContext, lambda: Additive(3, False, True, True)])
def test_survives_serialisation(make):
    attention = make()
    again = keras.layers.deserialize(keras.layers.serialize(attention))
    assert type(again) is type(attention) and again.get_config() == attention.get_config()


def test_an_attention_serves_one_decoder():
    attention = connect(Additive(), 4)
    with pytest.raises(ValueError, match="this Additive belongs to another decoder already"):
        attention.connect(4, 4)
