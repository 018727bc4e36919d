"""Layers: recurrent cells with a step, stacks of them, bridges, attention and copying."""

from seq2seq.layers.attention import (
    Additive,
    Attention,
    Concat,
    Dot,
    General,
    Local,
    Peek,
    Repeat,
    Scaled,
)
from seq2seq.layers.bridges import Bridge, Copy, Dense, Hidden, Joined, Learned, Top, Zero
from seq2seq.layers.cell import Cell
from seq2seq.layers.copying import Pointer
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
    "Hidden",
    "Joined",
    "LSTMState",
    "Learned",
    "Local",
    "DropoutMasks",
    "Peek",
    "Repeat",
    "Pointer",
    "RNNState",
    "Scaled",
    "SimpleRNN",
    "Stack",
    "Top",
    "Zero",
    "gru_step",
    "lstm_step",
]
