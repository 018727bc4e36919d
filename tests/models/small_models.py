"""Small models of every kind, with batches of padded sources."""

import numpy as np

from seq2seq import (
    Additive,
    Decoder,
    Encoder,
    General,
    LayerwiseDense,
    Seq2Seq,
)

SOURCE = np.array([[5, 6, 7, 4, 2], [7, 4, 2, 0, 0], [4, 2, 0, 0, 0], [6, 6, 5, 2, 0]], "int32")
COPIES = np.where(SOURCE > 2, SOURCE + 5, SOURCE)  # every symbol is beyond the vocabulary
SIZE = {"vocabulary_size": 9, "embedding_size": 6}


def make(kind, units=6):
    """A small model of a kind, with outputs that are not empty; its inputs."""
    bridge, attention, readout = None, None, "dense"
    if kind != "plain":
        bridge = LayerwiseDense()
    if kind == "attention":
        attention = General(input_feeding=True)
    if kind == "pointer":
        attention, readout = Additive(coverage=True), "pointer"
    encoder = Encoder(units, bidirectional=kind != "plain", **SIZE)
    model = Seq2Seq(encoder, Decoder(units, attention=attention, readout=readout, **SIZE), bridge)
    for weight in model.weights:
        weight.assign(3 * np.array(weight))  # far from uniform predictions
    inputs = {"source": SOURCE, "source_mask": SOURCE > 0}
    return model, {**inputs, "copies": COPIES} if kind == "pointer" else inputs


def decode(model, inputs, strategy, rows=slice(None), width=0, **options):
    """Hypotheses of some rows, whose sources have `width` steps of padding more."""
    arguments = {name: np.pad(array[rows], ((0, 0), (0, width))) for name, array in inputs.items()}
    return model.decode(**arguments, strategy=strategy, **{"max_length": 7, **options})
