"""The NumPy runtime: it answers as Keras does, alone, for every model that can be built."""

import itertools
import re

import numpy as np
import pytest

from seq2seq import Beam, Decoder, Encoder, Seq2Seq
from seq2seq.config import CONFIGS, build_model, build_task, compose
from seq2seq.data import Numbers
from seq2seq.inference.artifact import load_model, save_model
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from seq2seq.layers import (
    Cell,
    General,
)
from seq2seq.runtime.tagged import Tagged
from tests.conftest import slow_except
from tests.runtime.bundled import numpy_runtime
from tests.runtime.small_models import (
    FORMS,
    LETTERS,
    TEXTS,
    compare_with_keras,
    edit_header,
    export,
    make_predictor,
)

pytestmark = pytest.mark.usefixtures("eager_module")
MODELS = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
TAGGED = Tagged(LETTERS, ["N", "PL", "V"])
SERIES = Numbers(features=2, mean=0.5, scale=2.0)
# What is compared with Keras: a strategy of the Predictor, and the same for `Runtime.predict`.
STRATEGIES = [
    pytest.param(None, {}, id="greedy"),
    pytest.param(
        Beam(3, n_best=3, length_penalty=1.0), {"width": 3, "length_penalty": 1.0}, id="beam"
    ),
]
SLOW_BEAM = pytest.param(*STRATEGIES[1].values, id="beam", marks=pytest.mark.slow)
VALUES = ["0.5,1 2,3", "", "1,1", "0.25,-1 3,2 1,0.5 2,2", "-1,0 0,-1 1,2"]


@pytest.fixture(scope="module", params=slow_except(("pointer",), MODELS))
def catalogued(request, tmp_path_factory):
    """A model of the catalogue: its predictor, its runtime, and sources."""
    small = ["model.encoder.units=12", "model.encoder.embedding_size=12"]
    small += ["model.decoder.units=12"] if request.param == "bahdanau" else []
    config = compose(
        [f"model={request.param}", "task=inflection", "task.training_examples=32", *small]
    )
    task = build_task(config)
    predictor = make_predictor(build_model(config, task), task.source, task.target)
    runtime = export(predictor, tmp_path_factory.mktemp(request.param))
    return predictor, runtime, [example.source for example in task.examples("test")[:12]]


@pytest.mark.parametrize("strategy, options", STRATEGIES)
def test_every_model_answers_as_in_keras(catalogued, strategy, options):
    results = compare_with_keras(*catalogued, strategy, **options)
    assert (
        len({hypothesis.text for best in results for hypothesis in best}) > 6
    )  # it was worth comparing


def test_answers_do_not_depend_on_the_batch(catalogued):
    _, runtime, sources = catalogued
    for options in ({}, {"width": 3, "n_best": 2, "length_penalty": 0.6}):
        together = runtime.predict(sources, **{"n_best": 1, **options})
        alone = [runtime.predict([source], **{"n_best": 1, **options})[0] for source in sources]
        assert [[hypothesis.tokens for hypothesis in best] for best in together] == [
            [hypothesis.tokens for hypothesis in best] for best in alone
        ]
        for best, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(
                [h.score for h in best], [h.score for h in single], rtol=1e-4
            )


def test_a_beam_of_one_is_greedy(catalogued):
    _, runtime, sources = catalogued
    greedy, beam = (runtime.predict(sources, n_best=1, width=width) for width in (None, 1))
    assert [best[0].tokens for best in greedy] == [best[0].tokens for best in beam]
    assert [b[0].score for b in greedy] == pytest.approx([b[0].score for b in beam], abs=1e-4)


@pytest.mark.parametrize("source, target", [(SERIES, SERIES), (SERIES, FORMS), (LETTERS, SERIES)])
@pytest.mark.parametrize("target_length", [None, 3])
def test_real_values_answer_as_in_keras(tmp_path, source, target, target_length):
    encoder_options, decoder_options = (
        {"features": 2} if isinstance(side, Numbers) else {"vocabulary_size": len(side)}
        for side in (source, target)
    )
    cell = Cell("gru", layer_norm=target_length is not None)
    model = Seq2Seq(
        Encoder(6, cell=cell, **encoder_options),
        Decoder(6, cell=cell, attention=General(input_feeding=True), **decoder_options),
    )
    predictor = make_predictor(model, source, target, target_length=target_length)
    runtime = export(predictor, tmp_path)
    compare_with_keras(predictor, runtime, VALUES if source is SERIES else TEXTS)
    if target is SERIES:
        with pytest.raises(ValueError, match="real values"):
            runtime.predict(["1,2"], width=2)


@pytest.mark.parametrize(
    "weights, decimals", slow_except([("int8", 1)], [("float32", 6), ("float16", 2), ("int8", 1)])
)
def test_smaller_weights_are_read_by_both(tiny, tmp_path, weights, decimals):
    predictor, runtime = tiny
    model, path = predictor.model, tmp_path / "small.npz"
    settings = {**predictor.settings, "decoding": predictor.decoding.to_config()}
    save_model(path, model, LETTERS, FORMS, settings, weights=weights)
    loaded, *_ = load_model(path)
    header, arrays = numpy_runtime.read_artifact(path)
    assert header["weights"] == weights
    for original, restored in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(original, restored, atol=10**-decimals)
        np.testing.assert_array_equal(restored, arrays[restored.path])
    small = Predictor(loaded, LETTERS, FORMS, Decoding(), predictor.settings)
    compare_with_keras(small, numpy_runtime.load(path), TEXTS)


def test_lengths_can_be_limited(tiny):
    _, runtime = tiny
    everything = runtime.predict(TEXTS, n_best=1)
    assert max(len(best[0].tokens) for best in everything) > 8
    for max_length, limits in ((2, [2] * len(TEXTS)), ("0.5x+1", [len(t) // 2 + 1 for t in TEXTS])):
        for best, short, limit in zip(
            everything, runtime.predict(TEXTS, n_best=1, max_length=max_length), limits, strict=True
        ):
            assert short[0].tokens == best[0].tokens[:limit]
    beams = runtime.predict(TEXTS, width=3, n_best=3, max_length=2)
    assert max(len(hypothesis.tokens) for best in beams for hypothesis in best) == 2


def test_a_stream_comes_in_order_and_is_not_kept(tiny, monkeypatch):
    _, runtime = tiny
    monkeypatch.setattr(numpy_runtime, "CHUNK", 3)
    requested = []

    def endless():
        for text in itertools.cycle(TEXTS):
            requested.append(text)
            yield text

    answers = itertools.islice(runtime.stream(endless()), 10)
    assert list(answers) == (runtime.predict(TEXTS) * 2)[:10]
    assert len(requested) == 12
    with pytest.raises(numpy_runtime.BadSource, match="source 5: symbol 'q'") as caught:
        list(runtime.stream(["a", "b", "c", "d", "q"]))
    assert caught.value.number == 5


@pytest.mark.parametrize("wrong", [float("nan"), None, b"ab", ["a", "b"], 3])
def test_what_is_no_text_is_named(tiny, wrong):
    reason = re.escape(f"source 2: expected a text, got {wrong!r}")
    with pytest.raises(numpy_runtime.BadSource, match=reason):
        tiny[1].predict(["a", wrong])
    if not isinstance(wrong, list):
        with pytest.raises(ValueError, match="sources must be a list of texts, got the"):
            tiny[1].predict(wrong)


def test_sources_are_encoded_as_they_are_for_keras(tiny):
    predictor, runtime = tiny
    texts = ["", "badq"]
    assert runtime.predict(texts, unknown="token") == predictor.predict(texts, unknown="token")
    with pytest.raises(ValueError, match="symbol 'q' at position 4 was never seen"):
        runtime.predict(["badq"])


@pytest.mark.parametrize(
    "decoding, message",
    [
        ({"strategy": {"name": "sample", "seed": 1}}, "lacks the strategy 'sample': pass width="),
        (
            {"strategy": {"name": "beam", "width": 4, "coverage_penalty": 0.2}},
            "lacks coverage_penalty=0.2: pass width=",
        ),
        (
            {"strategy": {"name": "beam", "width": 4, "num_groups": 2}},
            "lacks num_groups=2: pass width=",
        ),
    ],
)
def test_an_unknown_strategy_is_refused_by_name(tiny, tmp_path, decoding, message):
    tiny[0].save(tmp_path / "model.npz")
    runtime = edit_header(tmp_path / "model.npz", ("settings", "decoding"), decoding)
    with pytest.raises(ValueError, match=message):
        runtime.predict(["bad"])
    assert runtime.predict(["bad"], width=3) == tiny[1].predict(["bad"], width=3)


def test_settings_of_the_file_are_used(tiny, tmp_path):
    tiny[0].save(tmp_path / "model.npz")
    beam = {
        "name": "beam",
        "width": 4,
        "length_penalty": 1.0,
        "n_best": 2,
        "diversity_penalty": 0.5,
    }
    decoding = {"strategy": beam, "max_length": "1x+1", "unknown": "token", "banned": []}
    runtime = edit_header(tmp_path / "model.npz", ("settings", "decoding"), decoding)
    options = {"width": 4, "length_penalty": 1.0, "max_length": "1x+1", "unknown": "token"}
    expected = tiny[1].predict(["badq"], n_best=3, **options)
    assert runtime.predict(["badq"], n_best=3) == expected
    assert runtime.predict(["badq"]) == [expected[0][0].text]
    for decoding in ({"unknown": "copy"}, {"no_repeat_ngram_size": 2}):
        runtime = edit_header(tmp_path / "model.npz", ("settings", "decoding"), decoding)
        with pytest.raises(ValueError, match=next(iter(decoding))):
            runtime.predict(["bad"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"width": 1.5}, "width must be a whole number of at least 1, got 1.5"),
        ({"width": 2, "n_best": 3}, "n_best=3 is more than the width 2: pass width=3"),
        (
            {"width": 2, "length_penalty": -1},
            "length_penalty must be a number .* at most 10, got -1",
        ),
        ({"length_penalty": 1.0}, "are a beam's: pass its width"),
        ({"unknown": "skip"}, "unknown unknown 'skip'; there are: error, token"),
        ({"max_length": 10**9}, "max_length must be at most 100000, got 1000000000"),
    ],
)
def test_wrong_arguments_are_refused(tiny, options, message):
    with pytest.raises(ValueError, match=message):
        tiny[1].predict(["bad"], **options)
    with pytest.raises(ValueError, match="must be a list of texts, got the text 'bad'"):
        tiny[1].predict("bad")
