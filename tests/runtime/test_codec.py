"""Codecs are made from their configurations."""

import json

import pytest

from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.vocabulary import Vocabulary


@pytest.mark.parametrize("side", [Vocabulary("ab", "symbols"), Numbers(2, 0.5, 3.0)])
def test_configuration_survives_json(side):
    again = make_codec(json.loads(json.dumps(side.to_config())))
    assert type(again) is type(side)
    assert again.to_config() == side.to_config()


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="unknown kind of codec 'pickle'"):
        make_codec({"kind": "pickle"})
