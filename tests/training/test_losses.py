"""Losses: their formulas in NumPy, and padding that changes nothing."""

import json

import keras
import numpy as np
import pytest

from seq2seq.training.losses import (
    PerExample,
    SmoothedCrossEntropy,
    cross_entropy,
    squared_error,
)

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 7, (3, 5)).astype("int32")
LOGITS = RNG.normal(size=(3, 5, 7)).astype("float32") * 3
WEIGHTS = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], "float32")


def value(loss, *arrays):
    return float(loss(*arrays[:2], sample_weight=arrays[2]))


def spread_out(smoothing):
    """Cross-entropy against the whole smoothed distribution, averaged over real tokens."""
    shifted = LOGITS.astype("float64")
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    distribution = (1 - smoothing) * np.eye(7)[TOKENS] + smoothing / 7
    return -((distribution * logs).sum(-1) * WEIGHTS).sum() / WEIGHTS.sum()


@pytest.mark.parametrize("smoothing", [0, 0.1, 0.5, 0.9])
def test_label_smoothing_by_its_formula(smoothing):
    got = value(cross_entropy(smoothing), TOKENS, LOGITS, WEIGHTS)
    assert got == pytest.approx(spread_out(smoothing), rel=1e-5)


def test_no_smoothing_is_plain_cross_entropy():
    smoothed, plain = SmoothedCrossEntropy(0.0), cross_entropy()
    assert not isinstance(plain, SmoothedCrossEntropy)
    expected = value(plain, TOKENS, LOGITS, WEIGHTS)
    assert value(smoothed, TOKENS, LOGITS, WEIGHTS) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "loss, truth, predicted",
    [
        (cross_entropy(), TOKENS, LOGITS),
        (cross_entropy(0.1), TOKENS, LOGITS),
        (squared_error(), LOGITS[..., :2], LOGITS[..., 2:4]),
        (PerExample(cross_entropy(0.1)), TOKENS, LOGITS),
    ],
    ids=["plain", "smoothed", "squared", "per example"],
)
def test_padding_changes_nothing(loss, truth, predicted):
    expected = value(loss, truth, predicted, WEIGHTS)

    def pad(array, filling):
        width = [(0, 0), (0, 4)] + [(0, 0)] * (array.ndim - 2)
        return np.pad(array, width, constant_values=filling)

    for filling in (0, 3):
        longer = pad(truth, filling), pad(predicted, filling), pad(WEIGHTS, 0)
        assert value(loss, *longer) == pytest.approx(expected, rel=1e-6)
    changed = np.where(WEIGHTS.astype(bool)[..., None], predicted, 9)
    assert value(loss, truth, changed, WEIGHTS) == pytest.approx(expected, rel=1e-6)


def test_squared_error_is_a_mean_over_real_steps():
    truth, predicted = LOGITS[..., :2], LOGITS[..., 2:4]
    expected = (((truth - predicted) ** 2).mean(-1) * WEIGHTS).sum() / WEIGHTS.sum()
    assert value(squared_error(), truth, predicted, WEIGHTS) == pytest.approx(expected, rel=1e-5)


def test_large_logits_stay_finite():
    logits = np.array([[[1e4, 0, -1e4]]], "float32")
    got = value(cross_entropy(0.3), np.array([[0]]), logits, np.ones((1, 1), "float32"))
    assert got == pytest.approx(0.1 * 3e4, rel=1e-5)


def test_serialisation_round_trip():
    loss = SmoothedCrossEntropy(0.25, name="smoothed")
    again = keras.losses.deserialize(json.loads(json.dumps(keras.losses.serialize(loss))))
    assert type(again) is SmoothedCrossEntropy
    assert again.get_config() == loss.get_config() == {"label_smoothing": 0.25, "name": "smoothed"}
    expected = value(loss, TOKENS, LOGITS, WEIGHTS)
    assert value(again, TOKENS, LOGITS, WEIGHTS) == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1, True, "much"])
def test_bad_shares_are_refused(smoothing):
    with pytest.raises(ValueError, match=f"label_smoothing must be .*, got {smoothing!r}"):
        cross_entropy(smoothing)


@pytest.mark.parametrize(
    "loss, truth, predicted",
    [
        (cross_entropy(), TOKENS, LOGITS),
        (cross_entropy(0.1), TOKENS, LOGITS),
        (squared_error(), LOGITS[..., :2], LOGITS[..., 2:4]),
    ],
)
def test_by_examples_the_steps_of_each_are_summed(loss, truth, predicted):
    by_examples = PerExample(loss)
    got = value(by_examples, truth, predicted, WEIGHTS)
    assert got == pytest.approx(
        value(loss, truth, predicted, WEIGHTS) * WEIGHTS.sum() / 3, rel=1e-5
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(by_examples))
    assert value(again, truth, predicted, WEIGHTS) == pytest.approx(got, rel=1e-6)
