"""Layers: recurrent cells with a step, stacks of them, bridges, attention and copying."""

# ruff: noqa: E402
from seq2seq.runtime.quiet import import_engine

import_engine()  # quietly; another engine than ours is refused before Keras looks for it

from seq2seq.layers.attention import (
    Additive,
    Attention,
    Concat,
    Dot,
    General,
    Scaled,
)
from seq2seq.layers.bridges import (
    Bridge,
    Copy,
    Dense,
    HiddenOnly,
    LayerwiseDense,
    LearnedInitialState,
    TopLayer,
    Zero,
)
from seq2seq.layers.cell import Cell
from seq2seq.layers.copying import Pointer
from seq2seq.layers.fixed_context import FixedContext, RepeatVector
from seq2seq.layers.local_attention import Local
from seq2seq.layers.lstm import LSTMState, lstm_step
from seq2seq.layers.recurrent import GRU, LSTM, RNNState, SimpleRNN, gru_step
from seq2seq.layers.stack import DropoutMasks, Stack

__all__ = [
    "GRU",
    "LSTM",
    "Additive",
    "Attention",
    "Bridge",
    "Cell",
    "Concat",
    "Copy",
    "Dense",
    "Dot",
    "General",
    "HiddenOnly",
    "LayerwiseDense",
    "LSTMState",
    "LearnedInitialState",
    "Local",
    "DropoutMasks",
    "FixedContext",
    "RepeatVector",
    "Pointer",
    "RNNState",
    "Scaled",
    "SimpleRNN",
    "Stack",
    "TopLayer",
    "Zero",
    "gru_step",
    "lstm_step",
]
