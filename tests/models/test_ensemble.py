"""An ensemble's step is the mean of its models, of probabilities or of log-probabilities."""

import numpy as np
import pytest
from keras import ops

from seq2seq import Decoder, Encoder, Ensemble, Seq2Seq

SIZES = {"vocabulary_size": 7, "embedding_size": 3}
SOURCE = np.array([[5, 6, 2], [4, 2, 0]])
INPUTS = {"source": SOURCE, "source_mask": SOURCE > 0}
TOKENS = np.array([1, 1], "int32")


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
