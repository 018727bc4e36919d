"""Decoding: search over anything that has a step."""

from seq2seq.decoding.search import Greedy, Hypotheses, Values, search

__all__ = ["Greedy", "Hypotheses", "Values", "search"]
