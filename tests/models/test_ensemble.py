"""Ensembles: one model alone, the mean of two, and models that do not fit."""

import numpy as np
import pytest

from seq2seq import (
    Beam,
    Decoder,
    Encoder,
    Ensemble,
    Seq2Seq,
)
from tests.models.small_models import decode, make

pytestmark = pytest.mark.usefixtures("eager")


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
