"""Ensembles: one model alone, the mean of two, and models that do not fit."""

import numpy as np
import pytest
from keras import ops

from seq2seq import (
    Beam,
    Decoder,
    Encoder,
    Ensemble,
    Seq2Seq,
)
from tests.models.small_models import decode, make

pytestmark = pytest.mark.usefixtures("eager")
SIZES = {"vocabulary_size": 7, "embedding_size": 3}
SOURCE = np.array([[5, 6, 2], [4, 2, 0]])
INPUTS = {"source": SOURCE, "source_mask": SOURCE > 0}
TOKENS = np.array([1, 1], "int32")


def test_an_ensemble_of_one_is_that_one_and_of_two_is_between():
    (first, inputs), (second, _) = make("attention"), make("bidirectional", units=5)
    alone, same = (decode(each, inputs, Beam(2)) for each in (first, Ensemble([first])))
    for field, same_field in zip(alone[:5], same[:5], strict=True):
        np.testing.assert_allclose(field, same_field, atol=1e-4)
    target = np.array([[5, 6, 2]] * 4)
    arguments = {**inputs, "target": np.array([[1, 5, 6]] * 4)}
    scores = [np.exp(model.score(arguments, target)) for model in (first, second)]
    together = Ensemble([first, second]).score(arguments, target)
    np.testing.assert_allclose(np.exp(together), sum(scores) / 2, atol=1e-5)
    hypotheses = decode(Ensemble([first, second]), inputs, Beam(3, n_best=2))
    assert np.isfinite(hypotheses.scores).all()
    product = Ensemble([first, second], mean="log_probabilities").score(arguments, target)
    assert not np.allclose(product, together)


def test_ensembles_that_make_no_sense_are_refused():
    plain, pointer = make("plain")[0], make("pointer")[0]
    with pytest.raises(ValueError, match="at least one model"):
        Ensemble([])
    with pytest.raises(ValueError, match="9 symbols and a pointer beside one has 9 symbols"):
        Ensemble([plain, pointer])
    with pytest.raises(ValueError, match="unknown mean 'log'"):
        Ensemble([plain], mean="log")
    with pytest.raises(ValueError, match="real values"):
        Ensemble([Seq2Seq(Encoder(4, features=2), Decoder(4, features=2))])


@pytest.mark.parametrize("mean", ["probabilities", "log_probabilities"])
def test_a_step_is_the_mean_of_the_steps(mean):
    models = [Seq2Seq(Encoder(units, **SIZES), Decoder(units, **SIZES)) for units in (4, 5)]
    for model in models:
        for weight in model.weights:
            weight.assign(4 * np.array(weight))  # far from uniform predictions
    logits = [model.step(TOKENS, *model.start(INPUTS)).logits for model in models]
    ensemble = Ensemble(models, mean)
    result = np.array(ensemble.step(TOKENS, *ensemble.start(INPUTS)).logits)
    if mean == "probabilities":
        expected = sum(ops.softmax(each) for each in logits) / 2
        np.testing.assert_allclose(np.exp(result), expected, atol=1e-6)
    else:
        expected = sum(ops.log_softmax(each) for each in logits) / 2
        np.testing.assert_allclose(result, expected, atol=1e-5)
