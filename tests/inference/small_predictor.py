"""A predictor of a small untrained model."""

import numpy as np

from seq2seq import (
    Decoder,
    Encoder,
    Predictor,
    Seq2Seq,
    Vocabulary,
)
from seq2seq.inference.decoding_options import Decoding

SETTINGS = {
    "task": "copy",
    "model": "lstm",
    "metrics": "tokens",
    "longest_source": 4,
    "longest_target": 5,
    "target_length": None,
}
LETTERS = Vocabulary("abc")


def make(**decoding):
    size = {"vocabulary_size": len(LETTERS)}
    model = Seq2Seq(Encoder(8, 2, **size), Decoder(8, 2, **size))
    model.decoder.readout.logits.bias.assign(np.linspace(0, 1, len(LETTERS)))
    return Predictor(model, LETTERS, LETTERS, Decoding(**decoding), SETTINGS, batch_size=4)
