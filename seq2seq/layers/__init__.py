"""Layers: the LSTM and its step, stacks of it, and bridges."""

from seq2seq.layers.bridges import Bridge, Copy, Dense, Zero
from seq2seq.layers.lstm import LSTM, LSTMState, lstm_step
from seq2seq.layers.recurrent import Stack

__all__ = ["LSTM", "Bridge", "Copy", "Dense", "LSTMState", "Stack", "Zero", "lstm_step"]
