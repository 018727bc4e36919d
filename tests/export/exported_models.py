"""Models of every part, and the loops of docs/export.md that run their exported graphs."""

import functools
import re

import keras
import numpy as np
import pytest

from seq2seq.decoding.constraints import SuppressTokens
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from seq2seq.layers.attention import (
    Additive,
    Concat,
    Dot,
    General,
    Scaled,
)
from seq2seq.layers.bridges import (
    Dense,
    HiddenOnly,
    LayerwiseDense,
    LearnedInitialState,
    TopLayer,
    Zero,
)
from seq2seq.layers.cell import Cell
from seq2seq.layers.fixed_context import FixedContext, RepeatVector
from seq2seq.layers.local_attention import Local
from seq2seq.models import Decoder, Encoder, Seq2Seq
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import PAD, START, Vocabulary
from tests.conftest import ROOT

LETTERS = "abcdefgh"
SIZE = 4 + len(LETTERS)
TAGS = 3
STEPS = 9  # of the longest answer
BATCHES = [(3, 7), (1, 1), (5, 4)]  # sources, and steps of the longest
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/export.md").read_text(), re.M | re.S)
NAMES = {}  # what the page's blocks define; what they do at the end is another test
for block in BLOCKS[1:]:
    exec(compile(block.split("\n\n\nheader = ")[0], "docs/export.md", "exec"), NAMES)


def make_encoder(size=8, **options):
    return Encoder(size, **{"vocabulary_size": SIZE, "embedding_size": 8, **options})


def make_decoder(size=8, **options):
    return Decoder(size, **{"vocabulary_size": SIZE, "embedding_size": 8, **options})


def pointer(attention, **options):
    return Seq2Seq(make_encoder(), make_decoder(attention=attention, readout="pointer", **options))


REAL_VALUED = {"vocabulary_size": None, "features": 2}
MODELS = {
    "plain": lambda: Seq2Seq(make_encoder(), make_decoder()),
    "both ways": lambda: Seq2Seq(
        make_encoder(layers=2, bidirectional=True), make_decoder(layers=2), LayerwiseDense()
    ),
    "luong": lambda: Seq2Seq(
        make_encoder(backwards=True), make_decoder(attention=General(input_feeding=True))
    ),
    "bahdanau": lambda: Seq2Seq(
        make_encoder(bidirectional=True, cell="gru"),
        make_decoder(cell="gru", attention=Additive()),
        LayerwiseDense(),
    ),
    "pointer": lambda: pointer(Additive(before=False), tags=TAGS),
    "gru": lambda: Seq2Seq(make_encoder(cell="gru"), make_decoder(cell="gru")),
    "real": lambda: Seq2Seq(
        make_encoder(**REAL_VALUED),
        make_decoder(**REAL_VALUED, attention=General(input_feeding=True)),
    ),
}
QUICK = ("pointer",)  # conversion takes seconds; the others are for the slow run
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]
NORMED = Cell(layer_norm=True, residual=True, dropout=0.3, recurrent_dropout=0.3)
# The other parts, several in a model: a conversion takes seconds.
OTHERS = {
    "simple, dot": lambda: Seq2Seq(
        make_encoder(cell="rnn"), make_decoder(cell="rnn", attention=Dot())
    ),
    "normed, scaled, tied": lambda: Seq2Seq(
        make_encoder(layers=2, cell=NORMED),
        make_decoder(layers=2, cell=NORMED, attention=Scaled(), readout="tied"),
        tied_embeddings=True,
    ),
    "normed gru, coverage": lambda: Seq2Seq(
        make_encoder(cell=Cell("gru", layer_norm=True)),
        make_decoder(cell=Cell("gru", layer_norm=True), attention=Additive(coverage=True)),
    ),
    "concat, hidden only": lambda: Seq2Seq(
        make_encoder(), make_decoder(attention=Concat()), HiddenOnly()
    ),
    "local pointer": lambda: pointer(Local(width=2)),
    "fixed context, top layer": lambda: Seq2Seq(
        make_encoder(), make_decoder(layers=2, attention=FixedContext()), TopLayer()
    ),
    "repeat, dense": lambda: Seq2Seq(
        make_encoder(), make_decoder(16, layers=2, attention=RepeatVector()), Dense()
    ),
    "values to tokens, zero": lambda: Seq2Seq(
        make_encoder(**REAL_VALUED), make_decoder(attention=Dot()), Zero()
    ),
    "uninformed": lambda: Seq2Seq(
        make_encoder(), make_decoder(), LearnedInitialState(), allow_uninformed=True
    ),
}


def predictor(model, source=None, target=None, **decoding):
    letters = Vocabulary(LETTERS)
    settings = {"longest_source": 7, "longest_target": 7, "target_length": None}
    return Predictor(model, source or letters, target or letters, Decoding(**decoding), settings)


@functools.cache
def make(name):
    """A predictor of an untrained model with long and varied outputs."""
    keras.utils.set_random_seed(2)
    model = {**MODELS, **OTHERS}[name]()
    loud = 2 if model.decoder.features else 6  # real values that grow and grow compare badly
    for weight in model.trainable_variables:
        if len(weight.shape) == 2:
            weight.assign(weight * (20 if "embedding" in weight.path else loud))
    letters = Vocabulary(LETTERS)
    source = Tagged(letters, "XYZ"[:TAGS]) if model.decoder.tags else letters
    source = Numbers(2) if model.encoder.features else source
    return predictor(model, source, Numbers(2) if model.decoder.features else letters)


def draw(model, batch, time, padding=0):
    """A batch of sources of which the first has `time` steps, as the encoder reads it."""
    rng = np.random.default_rng([batch, time])
    if model.encoder.features:
        source = rng.normal(size=(batch, time, model.encoder.features)).astype("float32")
    else:
        source = rng.integers(4, SIZE, (batch, time)).astype("int32")
    lengths = rng.integers(1, time, batch, endpoint=True)
    lengths[0] = time
    mask = np.arange(time) < lengths[:, None]
    inputs = {"source": source, "source_mask": mask}
    if model.decoder.tags:
        inputs["tags"] = rng.integers(0, 2, (batch, model.decoder.tags)).astype("float32")
    if model.decoder.readout_type == "pointer":
        unseen = np.broadcast_to(SIZE + np.arange(time), mask.shape)
        inputs["copies"] = np.where(rng.random(mask.shape) < 0.5, source, unseen).astype("int32")
    for name in inputs.keys() - {"tags"}:
        inputs[name][~mask] = 0
        wide = [(0, 0), (0, padding)] + [(0, 0)] * (inputs[name].ndim - 2)
        inputs[name] = np.pad(inputs[name], wide)
    return inputs


def generate_values(run, inputs, features):
    """The values that a decoder of real values generates in STEPS steps."""
    results = run("encoder", inputs)
    memory = {name: results[name] for name in results if name.startswith("memory_")}
    state = {name: results[name] for name in results if name not in memory}
    outputs = [np.zeros((len(inputs["source"]), features), "float32")]
    for _ in range(STEPS):
        output = run("step", {"values": outputs[-1], **state, **memory})
        state = {name: output[f"next_{name}"] for name in state}
        outputs.append(output["next_values"])
    return np.stack(outputs[1:], 1)


def decode(model, inputs):
    """The expected hypotheses: as from a predictor, without padding or the start."""
    rules = () if model.decoder.features else [SuppressTokens(np.array([PAD, START]))]
    return model.decode(**inputs, max_length=STEPS, constraints=rules)


@functools.cache
def expect(name):
    """The expected hypotheses of the model for each of BATCHES."""
    model = make(name).model
    results = [decode(model, draw(model, batch, time)) for batch, time in BATCHES]
    symbols = {value for each in results for value in each.tokens.ravel().tolist()}
    assert len(symbols) > 3 or model.is_uninformed
    return results


def check(name, run, header):
    """Greedy decoding through `run` equals the model's, with and without more padding."""
    model = make(name).model
    for (batch, time), expected in zip(BATCHES, expect(name), strict=True):
        for padding in (0, 4):
            compare(run, header, model, draw(model, batch, time, padding), expected)


def compare(run, header, model, inputs, expected):
    if model.decoder.features:
        values = generate_values(run, inputs, model.decoder.features)
        np.testing.assert_allclose(values, expected.tokens[:, 0], rtol=1e-3, atol=1e-4)
        return
    tokens, scores = NAMES["greedy"](run, header, inputs, STEPS)
    np.testing.assert_array_equal(tokens, expected.tokens[:, 0, : tokens.shape[1]])
    assert not expected.tokens[:, 0, tokens.shape[1] :].any()
    np.testing.assert_allclose(scores, expected.scores[:, 0], atol=1e-4)


def open_folder(folder):
    header = NAMES["open_header"](folder)
    return NAMES[f"open_{header['format']}"](folder), header
