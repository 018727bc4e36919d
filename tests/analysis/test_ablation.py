"""Ablation: each row is the predictions from the changed state, and from no other."""

import keras
import numpy as np
import pytest

from seq2seq import (
    Additive,
    Example,
    FixedContext,
    LayerwiseDense,
    Predictor,
    Seq2Seq,
    Zero,
    ensemble,
)
from seq2seq.analysis.ablation import _changes, ablate
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.inference.states import derange
from seq2seq.layers import LSTMState
from seq2seq.models import DecoderState
from tests.conftest import without_compiling
from tests.inference.test_tracing import LETTERS, SETTINGS, make

SOURCES = ["abc", "cab", "b", "", "bbaca", "zz"]


@pytest.fixture(scope="module", autouse=True)
def eager():
    with without_compiling():
        yield


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


def right(run, wrong=()):
    """Examples whose targets are the run's predictions, but for some."""
    bias = np.array(run.model.decoder.readout.logits.bias)
    run.model.decoder.readout.logits.bias.assign(np.where(np.arange(len(bias)) == 3, -99.0, bias))
    # Without the unknown token, which is no text.
    predictions = run.predict(SOURCES, unknown="token")
    pairs = zip(SOURCES, predictions, strict=True)
    return [Example(source, text + "a" * (source in wrong)) for source, text in pairs]


def test_as_trained_equals_evaluation_and_zeroed_equals_an_uninformed_decoder():
    run = make({"layers": 2}, {"layers": 2})
    examples = right(run, wrong=["b"])
    rows = {row.name: row for row in ablate(run, examples)}
    assert [*rows] == [
        *("as trained", "zeroed", "shuffled", "hidden only", "cell only"),
        *("layer 1 only", "layer 2 only", "noise 0.25", "noise 0.5", "noise 1", "noise 2"),
    ]
    metrics = evaluate(run, examples, "tokens").metrics()
    assert rows["as trained"].exact == (5, 6)
    assert rows["as trained"].exact.value == metrics["exact_match"]
    assert rows["as trained"].tokens.value == pytest.approx(metrics["token_accuracy"])
    parts = (run.model.encoder, run.model.decoder)
    uninformed_model = Seq2Seq(
        *(type(p).from_config(p.get_config()) for p in parts), Zero(), allow_uninformed=True
    )
    uninformed_model.set_weights(run.model.get_weights())
    uninformed = Predictor(uninformed_model, LETTERS, LETTERS, run.decoding, SETTINGS)
    expected = evaluate(uninformed, examples, "tokens").metrics()
    assert rows["zeroed"].exact.value == expected["exact_match"] < 5 / 6
    assert rows["zeroed"].tokens.value == pytest.approx(expected["token_accuracy"])


@pytest.mark.slow
def test_rows_are_of_what_the_model_has():
    """A GRU has no cell, one layer is not left alone, attention is there or not."""
    gru = make({"cell": "gru"}, {"cell": "gru", "attention": Additive()})
    names = [row.name for row in ablate(gru, right(gru), noise_sizes=[1.0])]
    assert names == ["as trained", "zeroed", "shuffled", "noise 1", "attention off"]
    peek = make({}, {"attention": FixedContext()})
    assert ablate(peek, right(peek), noise_sizes=[])[-1].name == "attention off"


def test_each_change_is_of_the_part_that_it_names():
    layers = [LSTMState(*np.random.default_rng(n).normal(size=(2, 5, 3))) for n in range(2)]
    state = DecoderState(tuple(layers))
    results = {name: change(state).layers for name, change in _changes(state, [], seed=0)}
    order = derange(5, seed=0)
    for number, (hidden, cell) in enumerate(layers):
        zero, alone = np.zeros((5, 3)), [np.zeros((2, 5, 3)) for _ in layers]
        alone[number] = np.array([hidden, cell])
        expected = {
            "as trained": (hidden, cell),
            "zeroed": (zero, zero),
            "shuffled": (hidden[order], cell[order]),
            "hidden only": (hidden, zero),
            "cell only": (zero, cell),
            "layer 1 only": alone[0],
            "layer 2 only": alone[1],
        }
        assert results.keys() == expected.keys()
        for name, pair in expected.items():
            np.testing.assert_allclose(results[name][number], pair, rtol=1e-6, err_msg=name)


def test_no_noise_changes_nothing_and_much_changes_all():
    run = make({"bidirectional": True}, {}, LayerwiseDense())
    rows = {row.name: row for row in ablate(run, right(run), noise_sizes=[0.0, 50.0])}
    assert rows["noise 0"] == rows["as trained"]._replace(name="noise 0")
    assert rows["noise 50"].exact.successes < rows["as trained"].exact.successes == 6


@pytest.mark.slow
def test_with_attention_off_all_sources_of_one_state_are_alike():
    """The output then depends on the state alone: a bridge that passes none gives one answer."""
    run = make({}, {"attention": Additive()}, Zero())
    examples = right(run)
    off = ablate(run, examples, noise_sizes=[])[-1]
    answers = [example.target for example in examples]
    assert len(set(answers)) > 2
    assert off.exact.successes <= max(answers.count(answer) for answer in answers)


@pytest.mark.slow
def test_a_pointer_spells_what_it_copies():
    run = make({}, {"attention": Additive(), "readout": "pointer"})
    run.model.decoder.readout.p_gen.bias.assign(np.array([-9.0], "float32"))
    examples = right(run)
    assert any(set(example.target) & {"z"} for example in examples)
    assert ablate(run, examples, noise_sizes=[])[0].exact == (6, 6)


def test_impossible_ablations_are_refused():
    run = make()
    values = make(
        {"vocabulary_size": None, "features": 1}, {"vocabulary_size": None, "features": 1}
    )
    for bad, examples, message in (
        (values, [Example("1", "1")] * 2, "real values.*needs a run whose targets are symbols"),
        (ensemble([run, run]), [Example("a", "a")] * 2, "ablate its runs one by one"),
        (run, [Example("a", "a")], "give at least 2, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            ablate(bad, examples)
    with pytest.raises(ValueError, match="noise must be a number of at least 0, got -1"):
        ablate(run, [Example("a", "a")] * 2, noise_sizes=[-1])
