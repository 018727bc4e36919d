"""Decoding: searching for the likeliest target, step by step. It imports nothing of ours."""

from seq2seq.decoding.beam import Beam
from seq2seq.decoding.constraints import (
    Allowed,
    Banned,
    Constraint,
    Length,
    Lexicon,
    NoRepeat,
    Prefix,
)
from seq2seq.decoding.sample import Sample
from seq2seq.decoding.search import Greedy, Hypotheses, Values, search

__all__ = [
    "Allowed",
    "Banned",
    "Beam",
    "Constraint",
    "Greedy",
    "Hypotheses",
    "Length",
    "Lexicon",
    "NoRepeat",
    "Prefix",
    "Sample",
    "Values",
    "search",
]
