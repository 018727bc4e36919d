"""The public API as a type checker sees it: `mypy tests/typed_api.py`. It is never run."""

from collections.abc import Callable
from typing import assert_type

import numpy as np

import seq2seq


def predictions(run: seq2seq.Predictor) -> None:
    """A loaded run predicts texts or hypotheses, and scores targets."""
    assert_type(seq2seq.load("runs/latest"), seq2seq.Predictor)
    assert_type(seq2seq.train("task=copy", callbacks=[], progress=False), seq2seq.Predictor)
    assert_type(seq2seq.ensemble([run, run]), seq2seq.Predictor)
    task = seq2seq.Pairs(sources=["a"], targets=np.zeros((1, 2)), test=(["a"], ["b"]))
    assert_type(seq2seq.train("seed=1", task=task), seq2seq.Predictor)
    assert_type(seq2seq.Beam(width=5).width, int)
    assert_type(seq2seq.Hypothesis("a", ["a"], 0.0, [0.0], True).text, str)
    assert_type(run.inspect("abc"), seq2seq.Trace)
    assert_type(seq2seq.report("runs"), seq2seq.RunTable)
    run.predict(["abc"], strategy=seq2seq.Sample(seed=1), n_best=3)


def layers_and_models() -> None:
    """Models are composed by hand."""
    encoder = seq2seq.Encoder(units=8, vocabulary_size=10)
    decoder = seq2seq.Decoder(units=8, vocabulary_size=10, attention=seq2seq.Additive())
    model = seq2seq.Seq2Seq(encoder, decoder, bridge=seq2seq.LayerwiseDense())
    assert_type(model.encoder, seq2seq.Encoder)
    assert_type(model.decoder, seq2seq.Decoder)
    state = seq2seq.LSTMState(np.zeros((1, 8)), np.zeros((1, 8)))
    assert_type(state._replace(hidden=np.ones((1, 8))), seq2seq.LSTMState)


def data() -> None:
    """Vocabularies and batches."""
    letters = seq2seq.Vocabulary("abc")
    assert_type(letters.encode("ab"), list[int])
    assert_type(letters.decode([4, 5]), str)
    batch = seq2seq.make_batch([seq2seq.Example("ab", "ba")], letters, letters)
    assert_type(batch, seq2seq.Batch)
    assert_type(batch.source, np.ndarray)


def states_as_values(run: seq2seq.Predictor) -> None:
    """States are values that can be changed."""
    state, memory = run.encode(["abc", "bca"])
    assert_type(seq2seq.states.zero(state), seq2seq.DecoderState)
    assert_type(seq2seq.states.without_values(memory), seq2seq.Memory)
    export: Callable = seq2seq.export_graphs
    export(run, "onnx", "exported")
