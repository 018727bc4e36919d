"""Decoders of every kind, with an initial state, a memory and a target."""

import numpy as np

from seq2seq.layers import (
    Additive,
    Cell,
    Concat,
    Dot,
    FixedContext,
    General,
    Local,
    LSTMState,
    RepeatVector,
    RNNState,
    Scaled,
)
from seq2seq.layers.structure import flatten_tensors
from seq2seq.models import Decoder, Memory

RNG = np.random.default_rng(3)
TOKENS = np.array([[1, 5, 6, 7], [1, 8, 0, 0]], "int32")
VALUES = RNG.normal(size=(2, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], "bool")
SOURCE_MASK = np.arange(5) < np.array([[5], [3]])
TOKENS_KIND = {"vocabulary_size": 10}
KINDS = {
    "plain": {},
    "two layers": {"layers": 2},
    "gru": {"cell": "gru", "layers": 2},
    "normalised": {"cell": Cell(layer_norm=True, residual=True), "layers": 2},
    "values": {"vocabulary_size": None, "features": 2},
    "values, attending": {"vocabulary_size": None, "features": 2, "attention": Additive},
    "tags": {"tags": 3},
    "peek": {"attention": FixedContext, "cell": "gru"},
    "repeat": {"attention": RepeatVector, "layers": 2},
    "peek, tied": {"attention": FixedContext, "readout": "tied", "layers": 2},
    "additive": {"attention": Additive},
    "additive, tags, pointer": {"attention": Additive, "tags": 3, "readout": "pointer"},
    "coverage": {"attention": lambda: Additive(coverage=True), "readout": "pointer"},
    "coverage after": {"attention": lambda: Concat(input_feeding=True, coverage=True)},
    "concat": {"attention": Concat, "readout": "tied"},
    "dot": {"attention": Dot, "layers": 2},
    "dot before": {"attention": lambda: Dot(before=True), "cell": "rnn"},
    "scaled": {"attention": Scaled, "readout": "pointer"},
    "general, fed": {"attention": lambda: General(input_feeding=True), "layers": 2},
    "general, fed, pointer": {
        "attention": lambda: General(input_feeding=True), "readout": "pointer", "tags": 3,
    },
    "local": {"attention": lambda: Local(width=1)},
    "local, fed": {"attention": lambda: Local(width=2, input_feeding=True), "cell": "gru"},
}  # fmt: skip


def make(layers=1, attention=None, **kind):
    """A decoder of a kind, its start, its memory, and a target to read."""
    kind = {**TOKENS_KIND, **kind}
    decoder = Decoder(8, layers, attention=attention and attention(), **kind)
    decoder.connect(8)
    lstm = "cell" in decoder.state_sizes[0]._fields
    parts = RNG.normal(size=(layers, 2, 2, 8)).astype("float32")
    state = tuple(LSTMState(*pair) if lstm else RNNState(pair[0]) for pair in parts)
    memory = Memory(
        RNG.normal(size=(2, 5, 8)).astype("float32"),
        SOURCE_MASK,
        state,
        tags=np.array([[1, 0, 1], [0, 0, 0]], "float32") if decoder.tags else None,
        copies=np.array([[5, 11, 6, 11, 2], [7, 8, 2, 0, 0]], "int32"),
    )
    start, memory = decoder.start(state, memory)
    return decoder, start, memory, VALUES if decoder.features else TOKENS


def assert_same(first, second):
    first, second = flatten_tensors(first)[0], flatten_tensors(second)[0]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
