"""States, steps and traces of a predictor: they show what `predict` does, and change nothing."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from seq2seq import (
    Additive,
    Beam,
    Cell,
    Decoder,
    Encoder,
    FixedContext,
    General,
    LayerwiseDense,
    Numbers,
    Predictor,
    Sample,
    Seq2Seq,
    Vocabulary,
    Zero,
    ensemble,
    states,
)
from seq2seq.inference.decoding_options import Decoding
from tests.conftest import slow_except, without_compiling
from tests.inference.small_predictor import SETTINGS
from tests.inference.test_trace import same

LETTERS = Vocabulary("abc")
SOURCES = ["abc", "c", "", "bbaca"]
SIZE = {"vocabulary_size": len(LETTERS)}


def make(encoder=(), decoder=(), bridge=None, strong=3, **decoding):
    """A predictor of a small model with outputs that are not empty."""
    model = Seq2Seq(
        Encoder(6, **{**SIZE, **dict(encoder)}), Decoder(6, **{**SIZE, **dict(decoder)}), bridge
    )
    for weight in model.weights:
        weight.assign(strong * np.array(weight))
    sides = [
        LETTERS if part.features is None else Numbers(part.features)
        for part in (model.encoder, model.decoder)
    ]
    return Predictor(model, *sides, Decoding(**{"max_length": 5, **decoding}), SETTINGS)


KINDS = {
    "lstm": lambda: make({"layers": 2}, {"layers": 2}),
    "gru": lambda: make({"cell": "gru", "backwards": True}, {"cell": "gru"}),
    "rnn": lambda: make({"cell": "rnn"}, {"cell": "rnn", "attention": FixedContext()}),
    "residual": lambda: make(
        {"layers": 2, "cell": Cell(residual=True, layer_norm=True), "bidirectional": True},
        {"layers": 2, "cell": Cell(residual=True, layer_norm=True)},
        LayerwiseDense(),
        strong=1.5,  # normalising magnifies rounding
    ),
    "attention": lambda: make(
        {"bidirectional": True}, {"attention": General(input_feeding=True)}, LayerwiseDense()
    ),
    "pointer": lambda: make(
        {}, {"attention": Additive(coverage=True), "readout": "pointer"}, unknown="token"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def eager():
    with without_compiling():
        yield


@pytest.fixture(autouse=True)
def seed():
    """The models of a test have outputs that are not empty, and the same in every run."""
    keras.utils.set_random_seed(1)


@pytest.fixture(scope="module", params=slow_except(("pointer",), KINDS))
def run(request):
    keras.utils.set_random_seed(1)
    return KINDS[request.param]()


@pytest.fixture(scope="module")
def trace(run):
    """The trace of all sources, with gates."""
    return run.trace(SOURCES, gates=True)


def test_decoding_what_was_encoded_is_predicting(run):
    sources = [*SOURCES, "abz"] if run.copies_symbols else SOURCES
    for strategy in (None, Beam(2)):
        answers = run.decode(*run.encode(sources), strategy=strategy, sources=sources)
        assert answers == run.predict(sources, strategy)
    ample = replace(run.decoding, max_length=None)  # as long as the source's length allows
    hypotheses = run.decode(*run.encode("abc"), n_best=1, sources=["abc"], decoding=ample)
    assert hypotheses[0][0].tokens == run.predict(["abc"], n_best=1, decoding=ample)[0][0].tokens
    state, memory = run.encode(sources)
    alone = run.decode(*run.encode(sources[3]), sources=sources[3:4])
    rows = [3, 0]
    chosen = [sources[row] for row in rows]
    taken = run.decode(states.take(state, rows), states.take(memory, rows), sources=chosen)
    assert taken == [alone[0], run.predict(sources)[0]]


def test_a_trace_shows_the_steps_of_predict(run, trace):
    """Its states are those of `step`, its answers those of `predict`."""
    ended = [symbols[-1:] == ["<end>"] for symbols in trace.outputs]
    plain = [
        symbols[: len(symbols) - end] for symbols, end in zip(trace.outputs, ended, strict=True)
    ]
    assert [LETTERS.join(symbols) for symbols in plain] == run.predict(SOURCES)
    assert trace.sources == [[*source, "<end>"] for source in SOURCES]
    (state, memory), tokens = run.encode(SOURCES), None
    for received, layer in zip(trace.received, state.layers, strict=True):
        for field, array in layer._asdict().items():
            np.testing.assert_allclose(getattr(received, field), array, atol=1e-5)
    for time in range(trace.target_mask.shape[1]):
        output = run.step(tokens, state, memory)
        state, mask = output.state, trace.target_mask[:, time]
        for traced, layer in zip(trace.decoder, state.layers, strict=True):
            for field, array in layer._asdict().items():
                expected = np.array(array)[mask]
                np.testing.assert_allclose(getattr(traced, field)[mask, time], expected, atol=1e-5)
        probabilities = np.exp(np.array(output.logits))
        for row in np.flatnonzero(mask):
            number = LETTERS.symbols.index(trace.outputs[row][time])
            assert trace.probabilities[row, time] == pytest.approx(
                probabilities[row, number], abs=1e-5
            )
            top = [LETTERS.symbols.index(symbol) for symbol in trace.top_symbols[row][time]]
            np.testing.assert_allclose(
                trace.top_probabilities[row, time], probabilities[row, top], 1e-4
            )
            assert trace.top_probabilities[row, time, 0] == pytest.approx(probabilities[row].max())
            if trace.attention is not None:
                weights = np.array(output.attention)[row, : trace.attention.shape[2]]
                np.testing.assert_allclose(trace.attention[row, time], weights, atol=1e-5)
        tokens = [LETTERS.symbols.index(o[time]) if time < len(o) else 0 for o in trace.outputs]
    assert (trace.attention is not None) == run.model.has_weights


def test_an_encoder_is_traced_as_it_reads(run, trace):
    """Forwards the state after a symbol is that of a source that ends there; backwards likewise."""
    encoder, trace = run.model.encoder, trace.select(3)
    numbers = np.array([[*LETTERS.encode("bbaca"), 2]], "int32")
    directions = 2 if encoder.stack.bidirectional else 1
    layers = range(1, encoder.stack.num_layers + 1)
    names = [f"encoder {n}{w}" for n in layers for w in ("", " backwards")]
    if not encoder.stack.bidirectional:
        names = names[encoder.backwards :: 2]
    assert [layer.name for layer in trace.encoder] == names
    for time in (0, 3, 5):
        for back in (False, True):
            index = 1 if back and directions == 2 else 0
            if trace.encoder[index].backwards != back:
                continue
            state = encoder(numbers[:, time:] if back else numbers[:, : time + 1]).state[0]
            for field, array in state._asdict().items():  # of the lowest layer
                expected = np.split(np.array(array), directions, -1)[index]
                traced = getattr(trace.encoder[index], field)
                np.testing.assert_allclose(traced[:, time], expected, atol=1e-5)
    for layer, handed in zip(trace.encoder, trace.handed_over, strict=True):
        last = 0 if layer.backwards else -1
        assert handed.name == layer.name
        np.testing.assert_allclose(handed.hidden, layer.hidden[:, last], atol=1e-5)
        if layer.cell is not None:
            np.testing.assert_allclose(handed.cell, layer.cell[:, last], atol=1e-5)


def test_a_trace_of_one_is_a_row_of_the_trace_of_many(run, trace):
    for number in (1, 3):
        alone, row = run.trace(SOURCES[number], gates=True), trace.select(number)
        assert (alone.sources, alone.outputs) == (row.sources, row.outputs)
        assert alone.top_symbols == row.top_symbols
        for name in ("encoder", "handed_over", "received", "decoder"):
            for single, reference in zip(getattr(alone, name), getattr(row, name), strict=True):
                assert single.arrays.keys() == reference.arrays.keys()
                for key in single.arrays:
                    np.testing.assert_allclose(single.arrays[key], reference.arrays[key], atol=1e-5)
        np.testing.assert_allclose(alone.probabilities, row.probabilities, atol=1e-5)
    for layers, mask in ((trace.encoder, trace.source_mask), (trace.decoder, trace.target_mask)):
        for layer in layers:
            assert all((array[~mask] == 0).all() for array in layer.arrays.values())


def test_gates_are_there_on_request(tmp_path, run, trace):
    kind = run.model.encoder.stack.cell.kind
    expected = {"lstm": {*"ifgo"}, "gru": {*"zrg"}, "rnn": set()}[kind]
    for layer in (*trace.encoder, *trace.decoder):
        assert set(layer.gates or {}) == expected
    for layer, start in zip(trace.decoder, trace.received, strict=True):
        if kind == "lstm":
            cells = np.concatenate([start.cell[:, None], layer.cell], axis=1)
            gates, mask = layer.gates, trace.target_mask
            computed = gates["f"] * cells[:, :-1] + gates["i"] * gates["g"]
            np.testing.assert_allclose(computed[mask], cells[:, 1:][mask], atol=1e-4)
    plain = run.trace("ab", top=2)
    for layer in (*plain.encoder, *plain.decoder):
        assert not layer.gates
    assert plain.task == "copy" and plain.top_probabilities.shape[-1] == 2
    plain.save(tmp_path / "trace.npz")
    assert same(type(plain).load(tmp_path / "trace.npz"), plain)


@pytest.mark.slow
def test_the_choices_of_a_strategy_are_traced():
    run = KINDS["lstm"]()
    for strategy in (Beam(4), Sample(temperature=3.0, seed=4)):
        (best,) = run.predict(["ab"], strategy, n_best=1)
        trace = run.trace("ab", strategy)
        assert trace.outputs[0][: len(best[0].tokens)] == best[0].tokens
        scores = np.log(trace.probabilities[0])
        np.testing.assert_allclose(scores, best[0].token_scores, atol=1e-4)
    banned = replace(run.decoding, banned=["a", "b"], max_length=2)
    assert set(run.trace("ab", decoding=banned).outputs[0]) <= {"c", "<unknown>", "<end>"}


@pytest.mark.slow
def test_a_pointer_names_what_it_copies():
    run = make({}, {"attention": Additive(), "readout": "pointer"}, unknown="token")
    run.model.decoder.readout.p_gen.bias.assign([-50.0])  # every output is copied
    trace = run.trace(["xay"], top=20)
    assert set(trace.outputs[0]) <= {*"xay", "<end>"}
    assert len(trace.top_symbols[0][0]) == len(LETTERS)
    assert {*"xy"} <= set(trace.top_symbols[0][0][:4])
    assert trace.outputs[0][0] == trace.top_symbols[0][0][0]
    state, memory = run.encode(["xay"])
    assert run.decode(state, memory, sources=["xay"]) == run.predict(["xay"])
    assert not set(run.decode(state, memory)[0]) & {*"xy"}  # it does not know how they are spelt


def test_real_values_are_traced_too():
    run = make({"vocabulary_size": None, "features": 1}, {"vocabulary_size": None, "features": 2})
    trace = run.trace(["0.5 1 -2", "3"])
    assert trace.sources == [["0.5", "1", "-2"], ["3"]]
    assert [" ".join(symbols) for symbols in trace.outputs] == run.predict(["0.5 1 -2", "3"])
    assert trace.top_probabilities is None and trace.probabilities is None
    assert run.decode(*run.encode(["0.5 1 -2", "3"])) == run.predict(["0.5 1 -2", "3"])
    for call in (run.trace, run.encode):
        with pytest.raises(ValueError, match="source 2: it is empty: there is no value to read"):
            call(["1", ""])


def test_swapped_states_swap_answers():
    """Without attention the decoder depends on the state alone; exactly."""
    run = KINDS["lstm"]()
    sources = ["abc", "cab"]  # of one length, on which the limit of an answer depends
    state, memory = run.encode(sources)
    plain = run.decode(state, memory)
    assert plain[0] != plain[1]
    assert run.decode(states.swap(state, 0, 1), memory) == plain[::-1]
    for layer in range(2):  # all layers one by one equal the whole state
        state = states.swap(state, 0, 1, states.StateSlice(layer=layer))
    assert run.decode(state, memory) == plain[::-1]


@pytest.mark.slow
def test_zeroing_is_the_bridge_that_passes_nothing():
    run = KINDS["lstm"]()
    uninformed_model = Seq2Seq(
        Encoder(6, 2, **SIZE), Decoder(6, 2, **SIZE), Zero(), allow_uninformed=True
    )
    uninformed_model.set_weights(run.model.get_weights())
    uninformed = Predictor(uninformed_model, LETTERS, LETTERS, run.decoding, SETTINGS)
    state, memory = run.encode(SOURCES)
    hypotheses = run.decode(states.zero(state), memory, n_best=1)
    expected = uninformed.predict(SOURCES, n_best=1)
    assert [best[0].text for best in hypotheses] == [best[0].text for best in expected]
    for actual, reference in zip(hypotheses, expected, strict=True):
        np.testing.assert_allclose(actual[0].token_scores, reference[0].token_scores, atol=1e-5)
    assert [best[0].text for best in hypotheses] != run.predict(SOURCES)


@pytest.mark.slow
def test_state_and_memory_are_exchanged_each_by_itself():
    run = KINDS["attention"]()
    sources, back = ["abc", "cab"], [1, 0]
    state, memory = run.encode(sources)
    plain = run.decode(state, memory, n_best=1)

    def scores(hypotheses):
        return np.array([best[0].token_scores[0] for best in hypotheses])

    other_state = run.decode(states.swap(state, 0, 1), memory, n_best=1)
    other_memory = run.decode(state, states.take(memory, back), n_best=1)
    swapped = run.decode(states.swap(state, 0, 1), states.take(memory, back), n_best=1)
    np.testing.assert_allclose(scores(swapped)[::-1], scores(plain), atol=1e-5)
    np.testing.assert_allclose(scores(other_memory)[::-1], scores(other_state), atol=1e-5)
    assert np.abs(scores(other_state) - scores(plain)).min() > 1e-3
    assert np.abs(scores(other_memory) - scores(plain)).min() > 1e-3


def test_step_by_step_decoding_equals_predict():
    run = KINDS["lstm"]()
    run.model.decoder.readout.logits.bias.assign(
        [0.0, 0.0, -3.0, 0.0, 0.0, 0.0, 0.0]
    )  # no early end
    (best,) = run.predict(["ab"], n_best=1)
    assert len(best[0].tokens) > 1
    state, memory = run.encode(["ab"])
    symbols, score, tokens = [], 0.0, None
    for _ in range(len(best[0].token_scores)):
        output = run.step(tokens, state, memory)
        log_probabilities = np.array(output.logits)[0]
        number = int(log_probabilities[2:].argmax()) + 2  # padding and start are never generated
        score += log_probabilities[number]
        symbols.append(LETTERS.symbols[number])
        state, tokens = output.state, symbols[-1:]
    assert symbols[: len(best[0].tokens)] == best[0].tokens
    assert score == pytest.approx(best[0].score, abs=1e-4)
    state, memory = run.encode(["ab"])
    state = run.step(None, state, memory).state
    (continuation,) = run.decode(state, memory, n_best=1, tokens=[best[0].tokens[0]])
    assert continuation[0].tokens[: len(best[0].tokens) - 1] == best[0].tokens[1:]


@pytest.mark.slow
def test_decoding_applies_the_settings_as_predict_does():
    """Neither padding, start, banned tokens nor copies beyond the vocabulary are generated."""
    run = make({}, {"attention": General(), "readout": "pointer"}, banned=["a"], max_length=3)
    run.model.decoder.readout.logits.bias.assign([9.0, 9.0, 0.0, 0.0, 9.0, 0.0, 0.0])
    state, memory = run.encode(["xyx"], unknown="token")
    (hypotheses,) = run.decode(state, memory, Beam(8), n_best=8)
    assert len(hypotheses) == 8
    for hypothesis in hypotheses:
        assert set(hypothesis.tokens) <= {"b", "c", "<unknown>"} and len(hypothesis.tokens) <= 3
        assert len(hypothesis.token_scores) == len(hypothesis.tokens) + hypothesis.ended
    with pytest.raises(ValueError, match="'x' can't be a previous token"):
        run.step(["x"], state, memory)


@pytest.mark.slow
def test_unknown_symbols_are_copied_from_a_state_too():
    run = make({}, {"attention": General()}, unknown="copy", max_length=4)
    run.model.decoder.readout.logits.bias.assign(np.where(np.arange(len(LETTERS)) == 3, 99.0, 0.0))
    assert run.decode(*run.encode(["xay"]), sources=["xay"]) == run.predict(["xay"])
    assert set(run.decode(*run.encode(["xay"]), n_best=1)[0][0].tokens) == {"<unknown>"}
    penalty = Beam(2, coverage_penalty=0.5)
    beamed = run.decode(*run.encode(["xay", "b"]), strategy=penalty, sources=["xay", "b"])
    assert beamed == run.predict(["xay", "b"], penalty)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda run: run.trace([]), "there is no source"),
        (lambda run: run.encode([]), "there is no source"),
        (lambda run: run.trace(["a", "xb"]), "source 2: symbol 'x' at position 1"),
        (lambda run: run.trace("a", top=0), "top must be"),
        (lambda run: ensemble([run, run]).trace("a"), "an ensemble has a state for each model"),
        (
            lambda run: run.trace(
                "a", decoding=replace(run.decoding, allowed=["b"], lexicon=["a"])
            ),
            "the answer to source 1 has no step",
        ),
        (
            lambda run: run.decode(run.encode("a")[0], run.encode(["a", "b"])[1]),
            "the state is of 1 sources, the memory of 2",
        ),
        (
            lambda run: run.decode(*run.encode("a"), sources=["a", "b"]),
            "the memory of 1, and there are 2 sources",
        ),
        (lambda run: run.decode(*run.encode("a"), n_best=2), "n_best=2 is more than"),
    ],
)
def test_bad_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(KINDS["lstm"]())


@pytest.mark.slow
def test_the_states_of_an_ensemble_are_decoded():
    run = KINDS["lstm"]()
    together = ensemble([run, run])
    assert together.decode(*together.encode(SOURCES)) == run.predict(SOURCES)


@pytest.mark.slow
def test_samples_of_given_sources_are_those_of_predict(run):
    strategy = Sample(seed=7, temperature=2.0)
    if run.model.features is not None:
        return
    sources = [source for source in SOURCES if source]
    answers = run.decode(*run.encode(sources), strategy=strategy, sources=sources)
    assert answers == run.predict(sources, strategy)
    assert answers[::-1] == run.decode(*run.encode(sources[::-1]), strategy, sources=sources[::-1])
