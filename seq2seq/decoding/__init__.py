"""Decoding: search for the likeliest targets, step by step; it uses a step function, no model."""

from seq2seq.decoding.beam import Beam
from seq2seq.decoding.constraints import (
    AllowTokens,
    Constraint,
    Length,
    Lexicon,
    NoRepeat,
    Prefix,
    SuppressTokens,
)
from seq2seq.decoding.regression import Regression
from seq2seq.decoding.sample import Sample
from seq2seq.decoding.search import Greedy, Hypotheses, Independent, Strategy, search

__all__ = [
    "AllowTokens",
    "Beam",
    "Constraint",
    "Greedy",
    "Hypotheses",
    "Independent",
    "Length",
    "Lexicon",
    "NoRepeat",
    "Prefix",
    "Regression",
    "Sample",
    "Strategy",
    "SuppressTokens",
    "search",
]
