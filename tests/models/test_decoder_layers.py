"""Construction of decoders: arguments that fit, sizes, shared embeddings, serialization."""

import keras
import pytest

from seq2seq.layers import (
    Additive,
    FixedContext,
    RepeatVector,
)
from seq2seq.models import Decoder, Encoder
from tests.models.decoders import KINDS, TOKENS_KIND, make


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"readout": "pointer"}, "readout=pointer copies by attention weights"),
        (
            {"readout": "pointer", "attention": FixedContext()},
            "this decoder has none; choose an attention",
        ),
        ({"readout": "tied", "attention": RepeatVector()}, "has none; choose readout=dense"),
        ({"readout": "pionter"}, "unknown readout 'pionter'; did you mean 'pointer'"),
        ({"vocabulary_size": None, "features": 2, "readout": "tied"}, "readout=tied is for tokens"),
        ({"attention": "dot"}, "attention must be an Attention, as Dot"),
        ({"tags": 0}, "tags must be a whole number of at least 1, got 0"),
        ({"embedding_size": 0}, "embedding_size must be a whole number of at least 1, got 0"),
    ],
)
def test_senseless_combinations_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Decoder(8, **{**TOKENS_KIND, **arguments})


def test_a_decoder_belongs_to_one_size_of_memory():
    decoder = Decoder(8, attention=Additive(), **TOKENS_KIND)
    decoder.connect(6)
    decoder.connect(6)
    with pytest.raises(ValueError, match="encoder of 6 values a step already"):
        decoder.connect(7)
    with pytest.raises(ValueError, match="encoder of 6 values .* 6 with its embeddings; make a"):
        decoder.connect(6, Encoder(6, vocabulary_size=decoder.vocabulary_size).input_embedding)


@pytest.mark.parametrize(
    "encoder, message",
    [
        ({"vocabulary_size": 7}, "an embedding of 7 tokens and 32"),
        ({"features": 2}, "can't share an embedding of None tokens"),
    ],
)
def test_embeddings_of_other_sizes_are_refused(encoder, message):
    with pytest.raises(ValueError, match=message):
        Decoder(8, **TOKENS_KIND).connect(8, Encoder(4, **encoder).input_embedding)


@pytest.mark.parametrize("name", ["gru", "additive, tags, pointer", "local, fed"])
def test_survives_serialisation(name):
    decoder, *_ = make(**KINDS[name])
    again = keras.layers.deserialize(keras.layers.serialize(decoder))
    assert again.get_config() == decoder.get_config()
