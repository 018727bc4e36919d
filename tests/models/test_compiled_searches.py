"""One compiled search serves all numbers of a strategy, and as many threads as there are."""

import keras
import numpy as np
import pytest

from seq2seq import (
    Additive,
    Beam,
    Decoder,
    Encoder,
    Greedy,
    LayerwiseDense,
    Sample,
    Seq2Seq,
    Zero,
    cross_entropy,
)
from seq2seq.models import decoding_mixin as searcher
from tests.conftest import slow_except

SOURCE = np.array([[5, 6, 7, 4, 2], [7, 4, 2, 0, 0], [4, 2, 0, 0, 0], [6, 6, 5, 2, 0]], "int32")
INPUTS = {"source": SOURCE, "source_mask": SOURCE > 0}
SAMPLE = {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05, "seed": 1, "num_samples": 2}
BEAM = {"width": 4, "num_groups": 2, "length_penalty": 0.6, "coverage_penalty": 0.2, "n_best": 4}
OTHERS = [
    (Sample, SAMPLE, {"seed": 0}),
    (Sample, SAMPLE, {"seed": 2}),
    (Sample, SAMPLE, {"seed": 2**40 + 7}),
    (Sample, SAMPLE, {"seed": -1}),
    (Sample, SAMPLE, {"temperature": 2}),
    (Sample, SAMPLE, {"top_k": 2}),
    (Sample, SAMPLE, {"top_p": 0.3}),
    (Sample, SAMPLE, {"min_p": 0.9}),
    (Beam, BEAM, {"length_penalty": 0}),
    (Beam, BEAM, {"length_penalty": 1.7}),
    (Beam, BEAM, {"coverage_penalty": 3}),
    (Beam, BEAM, {"diversity_penalty": 0}),
    (Beam, BEAM, {"diversity_penalty": 5.0}),
]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(2)
    size = {"vocabulary_size": 9, "embedding_size": 6}
    decoder = Decoder(6, attention=Additive(), **size)
    model = Seq2Seq(Encoder(6, bidirectional=True, **size), decoder, LayerwiseDense())
    for weight in model.weights:
        weight.assign(3 * np.array(weight))  # far from uniform predictions
    return model


@pytest.fixture
def traces(monkeypatch):
    """The strategies for which a search was compiled."""
    traced, search = [], searcher.search

    def count(step, state, memory, strategy, **options):
        traced.append(strategy)
        return search(step, state, memory, strategy, **options)

    monkeypatch.setattr(searcher, "search", count)
    return traced


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Sample, Beam])
def test_other_numbers_are_no_other_program(model, traces, kind):
    model._compiled_functions().clear()
    answers, first = {}, None
    for cls, usual, change in OTHERS:
        if cls is kind:
            answers[str(change)] = model.decode(
                **INPUTS, strategy=cls(**{**usual, **change}), max_length=7
            )
            first = first or len(traces)
    assert len(traces) == first and len(model._compiled_functions()) == 1
    distinct = {result.tokens.tobytes() + result.scores.tobytes() for result in answers.values()}
    assert len(distinct) > len(answers) / 2  # the numbers do count


@pytest.mark.parametrize(
    "kind, usual, change",
    slow_except([OTHERS[9]], OTHERS),
    ids=lambda value: str(value)[:60],
)
def test_a_search_compiled_for_one_number_is_right_for_another(model, kind, usual, change):
    """Beside the same search step by step, with the numbers as Python has them."""
    strategy = kind(**{**usual, **change})
    result = model.decode(**INPUTS, strategy=strategy, max_length=7)
    state, memory = model.start(INPUTS)
    keys = searcher.source_keys(INPUTS)
    plain = searcher.search(
        model.step, state, memory, strategy, start_id=1, end_id=2, max_length=7, keys=keys,
        source_mask=INPUTS["source_mask"],
    )  # fmt: skip
    np.testing.assert_array_equal(result.tokens, plain.tokens)
    np.testing.assert_allclose(result.scores, plain.scores, atol=1e-5)


def plainly(model, max_length=7):
    """The same search without anything compiled."""
    state, memory = model.start(INPUTS)
    return searcher.search(
        model.step, state, memory, Greedy(), start_id=1, end_id=2, max_length=max_length,
        keys=searcher.source_keys(INPUTS), source_mask=INPUTS["source_mask"],
    )  # fmt: skip


def make_plain():
    size = {"vocabulary_size": 9, "embedding_size": 6}
    model = Seq2Seq(Encoder(6, **size), Decoder(6, **size))
    for weight in model.weights:
        weight.assign(3 * np.array(weight))
    return model


def tell_nothing(model):
    model.bridge = Zero()
    model.bridge.connect(model.encoder.state_sizes, model.decoder.state_sizes)


def adapt(model):
    embedding = model.encoder.input_embedding.embedding
    embedding.enable_lora(2)
    embedding.lora_embeddings_b.assign(np.ones((2, 6)))
    embedding.lora_embeddings_a.assign(np.ones((9, 2)))


def replace_layer(model):
    readout = make_plain().decoder.readout
    model.decoder.readout = readout


CHANGES = {"bridge": tell_nothing, "LoRA": adapt, "layer": replace_layer}


@pytest.mark.parametrize("change", slow_except([replace_layer], CHANGES.values()), ids=CHANGES)
def test_a_changed_model_is_compiled_anew(change):
    keras.utils.set_random_seed(4)
    model = make_plain()
    original = model.decode(**INPUTS, max_length=7)
    scores = model.score({**INPUTS, "target": SOURCE}, SOURCE)
    change(model)
    actual, expected = model.decode(**INPUTS, max_length=7), plainly(model)
    np.testing.assert_array_equal(actual.tokens, expected.tokens)
    np.testing.assert_allclose(actual.scores, expected.scores, atol=1e-5)
    assert not np.allclose(actual.scores, original.scores, atol=1e-3)
    assert not np.allclose(model.score({**INPUTS, "target": SOURCE}, SOURCE), scores, atol=1e-3)


def test_compiling_a_model_compiles_its_searches_anew(traces):
    model = make_plain()
    for _ in range(2):
        model.decode(**INPUTS, max_length=7)
    count = len(traces)
    model.compile("adam", cross_entropy())
    model.decode(**INPUTS, max_length=7)
    assert len(traces) > count


def test_a_model_that_has_answered_is_saved_as_any_other(tmp_path):
    model = make_plain()
    expected = model.decode(**INPUTS, max_length=7)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.decode(**INPUTS, max_length=7).tokens, expected.tokens)
    for original, loaded in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(original, loaded)
