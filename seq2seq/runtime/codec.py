"""Codecs: how a side of a task converts text to numbers and back."""

from __future__ import annotations

from typing import Union

from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.validation import check_choice
from seq2seq.runtime.vocabulary import Vocabulary

Codec = Union[Vocabulary, Numbers, Tagged]  # noqa: UP007  # Python 3.9
KINDS = {"tokens": Vocabulary, "numbers": Numbers, "tagged": Tagged}


def make_codec(config: dict) -> Codec:
    """Make the codec that `to_config` described.

    Raises:
        ValueError, TypeError, KeyError: the description is invalid.
    """
    arguments = {key: value for key, value in config.items() if key != "kind"}
    kind = KINDS[check_choice("kind of codec", config.get("kind"), KINDS)]
    if kind is Tagged:
        arguments["symbols"] = make_codec(arguments["symbols"])
    return kind(**arguments)
