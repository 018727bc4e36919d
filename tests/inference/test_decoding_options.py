"""Decoding options: saved and restored, and values that are refused."""

import json

import pytest

from seq2seq import (
    Beam,
)
from seq2seq.inference.decoding_options import Decoding


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"unknown": "ignore"}, "decoding.unknown 'ignore'"),
        ({"max_length": 0}, "max_length.*got 0"),
        ({"max_length": 10**9}, "at most 100000"),
    ],
)
def test_impossible_decoding_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)


def test_settings_survive_saving():
    settings = Decoding(Beam(3, "average"), "2x+1", 1, "token", ["a"], None, 3, ["b", "c"])
    assert Decoding.from_config(json.loads(json.dumps(settings.to_config()))) == settings
    assert Decoding.from_config(Decoding().to_config()) == Decoding()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"strategy": "beam"}, "decoding.strategy must be a strategy, as Beam"),
        ({"max_length": "x2"}, 'like "1.5x" or "2x.3" of the source'),
        ({"min_length": -1}, "min_length must be a whole number of at least 0"),
        ({"banned": "abc"}, "decoding.banned must be a list of texts"),
        ({"no_repeat_ngram_size": 0}, "no_repeat_ngram_size must be"),
        ({"lexicon": []}, "decoding.lexicon is empty"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)
