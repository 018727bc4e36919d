"""Models of every part answer as in Keras, whatever the batch."""

import itertools
from functools import partial

import keras
import numpy as np
import pytest

from seq2seq import Beam, Decoder, Encoder, Seq2Seq
from seq2seq.layers import (
    Additive,
    Cell,
    Concat,
    Copy,
    Dense,
    Dot,
    FixedContext,
    General,
    HiddenOnly,
    LayerwiseDense,
    LearnedInitialState,
    Local,
    RepeatVector,
    Scaled,
    TopLayer,
    Zero,
)
from seq2seq.runtime.tagged import TAB, Tagged
from tests.runtime.bundled import numpy_runtime
from tests.runtime.small_models import (
    FORMS,
    LETTERS,
    TEXTS,
    compare_with_keras,
    edit_header,
    export,
    make_predictor,
    make_tiny,
)

pytestmark = pytest.mark.usefixtures("eager_module")
TAGGED = Tagged(LETTERS, ["N", "PL", "V"])
# What is compared with Keras: a strategy of the Predictor, and the same for `Runtime.predict`.
STRATEGIES = [
    pytest.param(None, {}, id="greedy"),
    pytest.param(
        Beam(3, n_best=3, length_penalty=1.0), {"width": 3, "length_penalty": 1.0}, id="beam"
    ),
]
SLOW_BEAM = pytest.param(*STRATEGIES[1].values, id="beam", marks=pytest.mark.slow)
NORMED = partial(Cell, layer_norm=True)
# encoder, decoder (their arguments beyond units, vocabulary and features), bridge, tied embeddings
PARTS = {
    "gru in both directions": (
        dict(cell=NORMED("gru"), layers=2, bidirectional=True),
        dict(cell=NORMED("gru"), layers=2, attention=Additive(units=5)),
        LayerwiseDense,
    ),
    "rnn backwards": (
        dict(cell=NORMED("rnn", residual=True), layers=2, backwards=True),
        dict(cell=NORMED("rnn", residual=True), layers=2, attention=Scaled(input_feeding=True)),
        Copy,
    ),
    "lstm of three layers": (
        dict(cell=NORMED("lstm", residual=True, forget_bias=1.0), layers=3),
        dict(cell=Cell("lstm", residual=True, forget_bias=1.0), layers=2, attention=Dot()),
        TopLayer,
    ),
    "hidden and local": (
        dict(cell=NORMED("gru")),
        dict(cell=NORMED("lstm"), attention=Local(width=2, before=True)),
        HiddenOnly,
    ),
    "learned and copied": (
        dict(cell="rnn", bidirectional=True),
        dict(attention=Concat(input_feeding=True, coverage=True), readout="pointer"),
        LearnedInitialState,
    ),
    "all embeddings tied": (
        dict(backwards=True, embedding_size=6),
        dict(attention=General(before=True), readout="tied", embedding_size=6),
        Zero,
        True,
    ),
    "a peek": (
        dict(cell="rnn", layers=2, bidirectional=True, embedding_size=5),
        dict(
            cell=NORMED("gru"), layers=3, attention=FixedContext(), readout="tied", embedding_size=6
        ),
        Dense,
    ),
    "nothing but the last state": (
        dict(bidirectional=True, embedding_size=5),
        dict(cell=NORMED("lstm"), layers=2, attention=RepeatVector()),
        Zero,
    ),
    "tags and a pointer": (
        dict(cell="gru"),
        dict(
            cell=NORMED("gru"),
            layers=2,
            tags=3,
            attention=Local(width=1, input_feeding=True),
            readout="pointer",
        ),
        Dense,
    ),
    "tags, coverage before": (
        dict(bidirectional=True),
        dict(tags=3, attention=Additive(coverage=True), readout="pointer"),
        Dense,
    ),
}
POINTERS = [name for name, parts in PARTS.items() if parts[1].get("readout") == "pointer"]


@pytest.fixture(scope="module", params=PARTS)
def combined(request, tmp_path_factory):
    """A model of further parts: its predictor, its runtime, and sources."""
    encoder, decoder, bridge, *tied = PARTS[request.param]
    source = TAGGED if "tags" in decoder else LETTERS
    target = LETTERS if tied else FORMS
    if "attention" in decoder:  # an attention serves one decoder
        attention = decoder["attention"]
        decoder = {**decoder, "attention": type(attention).from_config(attention.get_config())}
    model = Seq2Seq(
        Encoder(8, vocabulary_size=len(source), **encoder),
        Decoder(8, vocabulary_size=len(target), **decoder),
        bridge(),
        tied_embeddings=bool(tied),
    )
    predictor = make_predictor(model, source, target)
    sources = [*TEXTS, "aqz"]  # two were never seen
    if source is TAGGED:
        sources = [f"{text}\t{tags}" for text, tags in zip(sources, itertools.cycle(["N;PL", "V"]))]
    return predictor, export(predictor, tmp_path_factory.mktemp("combined")), sources


@pytest.mark.slow
@pytest.mark.parametrize("strategy, options", [STRATEGIES[0], SLOW_BEAM])
def test_further_parts_answer_as_in_keras(combined, strategy, options):
    results = compare_with_keras(*combined, strategy, **options)
    assert len({hypothesis.text for best in results for hypothesis in best}) > 2


def test_further_parts_do_not_depend_on_the_batch(combined):
    _, runtime, sources = combined
    alone = [runtime.predict([source], unknown="token")[0] for source in sources]
    assert runtime.predict(sources, unknown="token") == alone


def test_tables_that_would_be_too_large_are_not_made(tmp_path, monkeypatch):
    sizes = {"vocabulary_size": len(LETTERS), "embedding_size": 6}
    decoder = Decoder(8, **sizes, attention=General(before=True), readout="tied")
    predictor = make_predictor(Seq2Seq(Encoder(8, **sizes), decoder), LETTERS, LETTERS)
    folded = export(predictor, tmp_path).model
    monkeypatch.setattr(numpy_runtime, "MAX_FOLDED", 0)
    runtime = export(predictor, tmp_path)
    assert (folded.decoder.projection, runtime.model.decoder.cell.table) == (None, None)
    assert folded.decoder.cell.table is not None and runtime.model.decoder.projection is not None
    compare_with_keras(predictor, runtime, TEXTS)


@pytest.mark.parametrize("combined", POINTERS, indirect=True)
def test_unseen_symbols_can_be_copied_and_nothing_beyond(combined):
    _, runtime, _ = combined
    source = "qrs" + (TAB + "N" if runtime.model.tags else "")
    log_probabilities, _ = runtime.step(numpy_runtime.START, runtime.start(source))
    copy_scores = log_probabilities[len(FORMS) :]  # of the source's symbols, and of its end
    assert copy_scores.max() > -20 and np.isfinite(copy_scores[:3]).all()
    assert np.isneginf(copy_scores[3:]).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_computes_in_float32(tmp_path, policy):
    models = []
    for dtype in (policy, "float32"):
        sizes = {"vocabulary_size": len(LETTERS), "dtype": dtype}
        decoder = Decoder(8, attention=Additive(dtype=dtype), **sizes)
        models.append(Seq2Seq(Encoder(8, **sizes), decoder, Copy(dtype=dtype)))
    half, full = (make_predictor(model, LETTERS, LETTERS) for model in models)
    for weight, full_weight in zip(half.model.weights, full.model.weights, strict=True):
        full_weight.assign(keras.ops.cast(weight, "float32"))
    compare_with_keras(full, export(half, tmp_path), TEXTS[:5])


def test_padding_and_start_are_never_generated(tmp_path):
    predictor = make_tiny()
    (bias,) = [w for w in predictor.model.weights if w.path == "decoder/readout/logits/bias"]
    bias.assign([5.0, 5.0, *np.zeros(len(FORMS) - 2)])
    runtime = export(predictor, tmp_path)
    compare_with_keras(predictor, runtime, TEXTS)
    log_probabilities, _ = runtime.step(numpy_runtime.START, runtime.start("abc"))
    assert np.isneginf(log_probabilities[:2]).all()
    assert np.exp(log_probabilities).sum() < 0.5  # the others keep their probabilities


@pytest.mark.parametrize(
    "keys, value, message",
    [
        (
            ("registered_name",),
            "mine>Seq2Seq",
            "unknown model 'mine>Seq2Seq'; did you mean 'seq2seq>Seq2Seq'",
        ),
        (("config", "bridge", "registered_name"), "seq2seq>Gate", "unknown bridge 'seq2seq>Gate'"),
        (("config", "decoder", "config", "readout"), "maxout", "unknown readout 'maxout'"),
        (("config", "decoder", "config", "cell", "kind"), "sru", "unknown kind of cell 'sru'"),
        (
            ("config", "decoder", "config", "units"),
            9,
            "has shape .32, 32., .32, 36. is needed",
        ),
        (("config", "decoder", "config", "layers"), 2, "layer_1/lstm_cell/kernel is missing"),
        (("config", "encoder", "config"), {}, "header can't be read .KeyError"),
        (("config", "end_id"), 3, "supports start_id=1 and end_id=2, got start_id=1 and end_id=3"),
    ],
)
def test_an_unknown_model_is_refused(tiny, tmp_path, keys, value, message):
    tiny[0].save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=message):
        edit_header(tmp_path / "model.npz", ("model", *keys), value)
