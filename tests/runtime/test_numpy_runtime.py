"""The NumPy runtime: it answers as Keras does, alone, for every model that can be built."""

import itertools
import math
import re
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest

from seq2seq import Beam, Decoder, Encoder, Seq2Seq
from seq2seq.config import CONFIGS, build_model, build_task, compose
from seq2seq.data import Numbers, Vocabulary
from seq2seq.export.bundle import write_bundle
from seq2seq.inference.artifact import load_model, save_model
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
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

MODELS = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
LETTERS, FORMS = Vocabulary("abcdefg"), Vocabulary("abcdxyz!")
TAGGED = Tagged(LETTERS, ["N", "PL", "V"])
SERIES = Numbers(features=2, mean=0.5, scale=2.0)
TEXTS = ["", "a", "fedcba", "gg", "abcabcabcabc", "bad", "cab", "dab"]
# What is compared with Keras: a strategy of the Predictor, and the same for `Runtime.predict`.
STRATEGIES = [
    pytest.param(None, {}, id="greedy"),
    pytest.param(
        Beam(3, n_best=3, length_penalty=1.0), {"width": 3, "length_penalty": 1.0}, id="beam"
    ),
]
SLOW_BEAM = pytest.param(*STRATEGIES[1].values, id="beam", marks=pytest.mark.slow)
VALUES = ["0.5,1 2,3", "", "1,1", "0.25,-1 3,2 1,0.5 2,2", "-1,0 0,-1 1,2"]


@pytest.fixture(scope="module", autouse=True)
def eager():
    """Small models answer sooner than their loops are compiled."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def shake(model, seed=0):
    """Random weights, so large that answers differ from each other and end here and there."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        size = 2.0 / math.sqrt(weight.shape[0]) if len(weight.shape) > 1 else 0.3
        weight.assign(rng.normal(0.0, size, weight.shape))


def make_predictor(model, source, target, **settings):
    shake(model)
    kept = {"longest_source": 12, "longest_target": 3, "target_length": None, **settings}
    return Predictor(model, source, target, Decoding(), kept)


def export(predictor, tmp_path, name="model.npz"):
    predictor.save(tmp_path / name)
    return numpy_runtime.load(tmp_path / name)


def compare_with_keras(predictor, runtime, sources, strategy=None, unknown="token", **options):
    """Both answer `sources` with the same tokens and scores; what they say is returned.

    Args:
        predictor, runtime: the same model.
        sources: texts.
        strategy: the Predictor's.
        unknown: see `Decoding`.
        options: of `Runtime.predict` that mean the same as `strategy`, such as `width`.
    """
    count = strategy.n_best if strategy is not None else 1
    wanted = predictor.predict(sources, strategy, n_best=count, unknown=unknown)
    found = runtime.predict(sources, n_best=count, unknown=unknown, **options)
    for expected, best in zip(wanted, found, strict=True):
        if isinstance(predictor.target, Numbers):
            np.testing.assert_allclose(best[0].tokens, expected[0].tokens, rtol=1e-4, atol=1e-4)
        else:
            assert [one.tokens for one in best] == [one.tokens for one in expected]
            assert [one.text for one in best] == [one.text for one in expected]
        scores = [one.score for one in expected]
        np.testing.assert_allclose([one.score for one in best], scores, rtol=1e-4, atol=1e-4)
    return found


def make_tiny():
    """The predictor of a small model."""
    sizes = [{"vocabulary_size": len(side)} for side in (LETTERS, FORMS)]
    return make_predictor(Seq2Seq(Encoder(8, **sizes[0]), Decoder(8, **sizes[1])), LETTERS, FORMS)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small model: its predictor and its runtime."""
    predictor = make_tiny()
    return predictor, export(predictor, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module", params=MODELS)
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
    found = compare_with_keras(*catalogued, strategy, **options)
    assert len({one.text for best in found for one in best}) > 6  # it was worth comparing


def test_answers_do_not_depend_on_the_batch(catalogued):
    _, runtime, sources = catalogued
    for options in ({}, {"width": 3, "n_best": 2, "length_penalty": 0.6}):
        together = runtime.predict(sources, **{"n_best": 1, **options})
        alone = [runtime.predict([source], **{"n_best": 1, **options})[0] for source in sources]
        assert [[one.tokens for one in best] for best in together] == [
            [one.tokens for one in best] for best in alone
        ]
        for best, other in zip(together, alone, strict=True):
            np.testing.assert_allclose([h.score for h in best], [h.score for h in other], rtol=1e-4)


def test_a_beam_of_one_is_greedy(catalogued):
    _, runtime, sources = catalogued
    greedy, beam = (runtime.predict(sources, n_best=1, width=width) for width in (None, 1))
    assert [best[0].tokens for best in greedy] == [best[0].tokens for best in beam]
    assert [b[0].score for b in greedy] == pytest.approx([b[0].score for b in beam], abs=1e-4)


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


@pytest.mark.parametrize("strategy, options", [STRATEGIES[0], SLOW_BEAM])
def test_further_parts_answer_as_in_keras(combined, strategy, options):
    found = compare_with_keras(*combined, strategy, **options)
    assert len({one.text for best in found for one in best}) > 2


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
    places = log_probabilities[len(FORMS) :]  # of the source's symbols, and of its end
    assert places.max() > -20 and np.isfinite(places[:3]).all()
    assert np.isneginf(places[3:]).all()


@pytest.mark.parametrize("source, target", [(SERIES, SERIES), (SERIES, FORMS), (LETTERS, SERIES)])
@pytest.mark.parametrize("target_length", [None, 3])
def test_real_values_answer_as_in_keras(tmp_path, source, target, target_length):
    reads, says = (
        {"features": 2} if isinstance(side, Numbers) else {"vocabulary_size": len(side)}
        for side in (source, target)
    )
    cell = Cell("gru", layer_norm=target_length is not None)
    model = Seq2Seq(
        Encoder(6, cell=cell, **reads),
        Decoder(6, cell=cell, attention=General(input_feeding=True), **says),
    )
    predictor = make_predictor(model, source, target, target_length=target_length)
    runtime = export(predictor, tmp_path)
    compare_with_keras(predictor, runtime, VALUES if source is SERIES else TEXTS)
    if target is SERIES:
        with pytest.raises(ValueError, match="real values"):
            runtime.predict(["1,2"], width=2)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_computes_in_float32(tmp_path, policy):
    models = []
    for dtype in (policy, "float32"):
        sizes = {"vocabulary_size": len(LETTERS), "dtype": dtype}
        decoder = Decoder(8, attention=Additive(dtype=dtype), **sizes)
        models.append(Seq2Seq(Encoder(8, **sizes), decoder, Copy(dtype=dtype)))
    half, full = (make_predictor(model, LETTERS, LETTERS) for model in models)
    for one, other in zip(half.model.weights, full.model.weights, strict=True):
        other.assign(keras.ops.cast(one, "float32"))
    compare_with_keras(full, export(half, tmp_path), TEXTS[:5])


@pytest.mark.parametrize("weights, places", [("float32", 6), ("float16", 2), ("int8", 1)])
def test_smaller_weights_are_read_by_both(tiny, tmp_path, weights, places):
    predictor, runtime = tiny
    model, path = predictor.model, tmp_path / "small.npz"
    settings = {**predictor.settings, "decoding": predictor.decoding.to_config()}
    save_model(path, model, LETTERS, FORMS, settings, weights=weights)
    loaded, *_ = load_model(path)
    header, arrays = numpy_runtime.read_artifact(path)
    assert header["weights"] == weights
    for before, after in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(before, after, atol=10**-places)
        np.testing.assert_array_equal(after, arrays[after.path])
    small = Predictor(loaded, LETTERS, FORMS, Decoding(), predictor.settings)
    compare_with_keras(small, numpy_runtime.load(path), TEXTS)


def continue_by_hand(runtime, source, limit):
    """All that can be said of `source` in `limit` steps: (score, tokens, whether it ended)."""
    begun = runtime.start(source)
    said = [(0.0, (), (numpy_runtime.START, begun))]
    for _ in range(limit):
        longer = []
        for score, tokens, (last, state) in said:
            log_probabilities, after = runtime.step(last, state)
            for token, gained in enumerate(log_probabilities.tolist()):
                if token == numpy_runtime.END:
                    yield score + gained, tokens, True
                elif gained > -math.inf:
                    longer.append((score + gained, (*tokens, token), (token, after)))
        said = longer
    yield from ((score, tokens, False) for score, tokens, _ in said)


def penalise(score, length, alpha):
    return score / (length if alpha == "average" else ((5 + length) / 6) ** alpha)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0, "average"])
def test_a_beam_that_is_wide_enough_is_exhaustive(tmp_path, alpha):
    two = Vocabulary("ab")
    model = Seq2Seq(Encoder(5, vocabulary_size=6), Decoder(5, vocabulary_size=6))
    runtime = export(make_predictor(model, two, two), tmp_path)
    for source in ("", "ab", "bbb"):
        ended = [one for one in continue_by_hand(runtime, source, limit=4) if one[2]]
        ended.sort(key=lambda one: -penalise(one[0], len(one[1]) + 1, alpha))
        best = runtime.predict([source], width=100, length_penalty=alpha, n_best=12, max_length=4)[
            0
        ]
        symbols = [[two.symbols[token] for token in tokens] for _, tokens, _ in ended[:12]]
        assert [one.tokens for one in best] == symbols
        assert [one.score for one in best] == pytest.approx([s for s, *_ in ended[:12]], abs=1e-4)


def search_by_hand(runtime, source, width, limit, alpha, n_best, early_stopping):
    """Beam search as its description says, with lists; (score, tokens) of each hypothesis."""
    live, pool = [(0.0, (), runtime.start(source))], []
    for step in range(1, limit + 1):
        candidates = []
        for score, tokens, state in live:
            last = tokens[-1] if tokens else numpy_runtime.START
            log_probabilities, after = runtime.step(last, state)
            for token in np.flatnonzero(np.isfinite(log_probabilities)).tolist():
                candidates.append((score + float(log_probabilities[token]), tokens, token, after))
        candidates.sort(key=lambda one: -one[0])
        for score, tokens, token, _ in candidates[:width]:
            if token == numpy_runtime.END:
                pool.append((penalise(score, step, alpha), score, tokens))
        pool = sorted(pool, key=lambda one: -one[0])[:n_best]
        going = [one for one in candidates[: 2 * width] if one[2] != numpy_runtime.END]
        live = [(score, (*tokens, token), after) for score, tokens, token, after in going[:width]]
        beaten = len(pool) == n_best and penalise(live[0][0], limit, alpha) <= pool[-1][0]
        if beaten or (early_stopping and len(pool) == n_best):
            break
    return ([one[1:] for one in pool] + [one[:2] for one in live])[:n_best]


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("width, n_best, alpha", [(2, 1, 0.0), (3, 3, 1.0), (5, 2, "average")])
def test_the_beam_is_as_described(tiny, width, n_best, alpha, early_stopping):
    _, runtime = tiny
    beam = numpy_runtime.Beam(width, alpha, n_best, early_stopping)
    plan = numpy_runtime.DecodePlan(beam.search, width, "error", 9)
    for source, best in zip(TEXTS, runtime.hypotheses(TEXTS, plan), strict=True):
        wanted = search_by_hand(runtime, source, width, 9, alpha, n_best, early_stopping)
        symbols = [[FORMS.symbols[token] for token in tokens] for _, tokens in wanted]
        assert [one.tokens for one in best] == symbols
        assert [one.score for one in best] == pytest.approx([s for s, _ in wanted], abs=1e-4)


def test_padding_and_start_are_never_said(tmp_path):
    predictor = make_tiny()
    (bias,) = [w for w in predictor.model.weights if w.path == "decoder/readout/logits/bias"]
    bias.assign([5.0, 5.0, *np.zeros(len(FORMS) - 2)])
    runtime = export(predictor, tmp_path)
    compare_with_keras(predictor, runtime, TEXTS)
    log_probabilities, _ = runtime.step(numpy_runtime.START, runtime.start("abc"))
    assert np.isneginf(log_probabilities[:2]).all()
    assert np.exp(log_probabilities).sum() < 0.5  # the others keep their probabilities


def test_lengths_can_be_limited(tiny):
    _, runtime = tiny
    everything = runtime.predict(TEXTS, n_best=1)
    assert max(len(best[0].tokens) for best in everything) > 8
    for most, limits in ((2, [2] * len(TEXTS)), ("0.5x+1", [len(t) // 2 + 1 for t in TEXTS])):
        for best, short, limit in zip(
            everything, runtime.predict(TEXTS, n_best=1, max_length=most), limits, strict=True
        ):
            assert short[0].tokens == best[0].tokens[:limit]
    both = runtime.predict(TEXTS, width=3, n_best=3, max_length=2)
    assert max(len(one.tokens) for best in both for one in best) == 2


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A folder with a copy of the one file alone."""
    place = tmp_path_factory.mktemp("alone")
    write_bundle(place)
    return place


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in (*sys.stdlib_module_names, "numpy", "numpy_runtime"):
            raise ImportError(f"{name} is not to be imported")
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import numpy_runtime
sys.exit(numpy_runtime.main(sys.argv[2:]))
"""


@pytest.fixture
def answer(script, tiny, python, tmp_path):
    """Run the file alone, on a small model, as a program."""
    tiny[0].save(tmp_path / "model.npz")

    def run(text, *options, model=tmp_path / "model.npz"):
        return python("-c", ALONE, script, model, *options, stdin=text)

    return run


def test_the_file_answers_alone(answer, tiny):
    _, runtime = tiny
    done = answer("".join(f"{text}\n" for text in TEXTS))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n") == [*runtime.predict(TEXTS), ""]


def test_the_program_shows_hypotheses_and_scores(answer, tiny):
    done = answer("bad\ncab\n", "--width", 3, "--n-best", 2, "--scores", "--length-penalty", 0.6)
    found = tiny[1].predict(["bad", "cab"], width=3, n_best=2, length_penalty=0.6)
    lines = ["\t".join(f"{one.text}\t{one.score:.4f}" for one in best) + "\n" for best in found]
    assert done.stdout == "".join(lines)
    assert answer("bad\n", "--scores").stdout.count("\t") == 1


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("bad\nbaq\n", [], "error: line 2: symbol 'q' at position 3 was never seen"),
        ("bad\n", ["--width", "0"], "error: width must be a whole number of at least 1, got 0"),
        ("bad\n", ["--n-best", "2"], "error: length_penalty=None and n_best=2 are a beam's"),
        ("bad\n", ["--length-penalty", "x", "--width", "2"], "error: length_penalty must be"),
        ("bad\n", ["--max-length", "x"], "error: max_length must be a whole number"),
    ],
)
def test_what_is_wrong_is_one_line(answer, tiny, text, options, message):
    done = answer(text, *options)
    assert done.returncode == 2 and done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    answers = [*tiny[1].predict(["bad"]), ""] if "line 2" in message else []
    assert done.stdout.splitlines() == answers


@pytest.mark.parametrize("options, status", [([], 2), (["--unknown", "skip"], 0)])
def test_lines_that_cannot_be_read_are_named_and_the_others_answered(answer, tiny, options, status):
    bad, cab = tiny[1].predict(["bad", "cab"])
    done = answer("bad\nbaq\nxx\ncab\n", *options)
    assert (done.returncode, done.stdout) == (status, f"{bad}\n\n\n{cab}\n")
    assert done.stderr.startswith("line 2: symbol 'q'") and "2 of 4 lines have no answer" in (
        done.stderr
    )


def test_a_file_that_is_none_is_one_line(answer, tmp_path):
    for name in ("nothing.npz", "text.npz"):
        (tmp_path / "text.npz").write_text("no model")
        done = answer("bad\n", model=tmp_path / name)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert done.stderr.startswith("error: ") and name in done.stderr


def test_answers_come_as_soon_as_their_sources(script, tiny, tmp_path):
    tiny[0].save(tmp_path / "model.npz")
    command = [sys.executable, script / "numpy_runtime.py", tmp_path / "model.npz"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program:
        for text in TEXTS[1:4]:
            program.stdin.write(text + "\n")
            program.stdin.flush()
            assert program.stdout.readline() == tiny[1].predict([text])[0] + "\n"


def test_a_line_that_is_not_utf8_is_named(script, tiny, tmp_path):
    tiny[0].save(tmp_path / "model.npz")
    command = [sys.executable, script / "numpy_runtime.py", tmp_path / "model.npz"]
    done = subprocess.run(command, input=b"bad\n\xff\ncab\n", capture_output=True)
    assert done.returncode == 2
    assert done.stderr == b"error: line 2: not UTF-8 (invalid start byte)\n"
    bad, cab = tiny[1].predict(["bad", "cab"])
    assert done.stdout.decode() == f"{bad}\n\n{cab}\n"


def test_the_module_is_a_program_too(tiny, python, tmp_path):
    tiny[0].save(tmp_path / "model.npz")  # the folder is a run
    done = python("-m", "seq2seq.runtime", tmp_path, stdin="\ufeffbad\r\ncab")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == tiny[1].predict(["bad", "cab"])


def test_a_stream_comes_in_order_and_is_not_kept(tiny, monkeypatch):
    _, runtime = tiny
    monkeypatch.setattr(numpy_runtime, "CHUNK", 3)
    asked = []

    def endless():
        for text in itertools.cycle(TEXTS):
            asked.append(text)
            yield text

    answers = itertools.islice(runtime.stream(endless()), 10)
    assert list(answers) == (runtime.predict(TEXTS) * 2)[:10]
    assert len(asked) == 12
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


def change(runtime_file, place, value):
    """The runtime of a header that says `value` at `place`, a path of keys."""
    header, arrays = numpy_runtime.read_artifact(runtime_file)
    part = header
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return numpy_runtime.NumpyPredictor(header, arrays)


@pytest.mark.parametrize(
    "place, value, message",
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
def test_an_unknown_model_is_refused(tiny, tmp_path, place, value, message):
    tiny[0].save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=message):
        change(tmp_path / "model.npz", ("model", *place), value)


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
    runtime = change(tmp_path / "model.npz", ("settings", "decoding"), decoding)
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
    runtime = change(tmp_path / "model.npz", ("settings", "decoding"), decoding)
    given = {"width": 4, "length_penalty": 1.0, "max_length": "1x+1", "unknown": "token"}
    wanted = tiny[1].predict(["badq"], n_best=3, **given)
    assert runtime.predict(["badq"], n_best=3) == wanted
    assert runtime.predict(["badq"]) == [wanted[0][0].text]
    for decoding in ({"unknown": "copy"}, {"no_repeat_ngram_size": 2}):
        runtime = change(tmp_path / "model.npz", ("settings", "decoding"), decoding)
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
