"""Small models as predictors, and the same models exported to the bundled runtime."""

import math

import numpy as np

from seq2seq import Decoder, Encoder, Seq2Seq
from seq2seq.data import Numbers, Vocabulary
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from tests.runtime.bundled import numpy_runtime

LETTERS, FORMS = Vocabulary("abcdefg"), Vocabulary("abcdxyz!")
TEXTS = ["", "a", "fedcba", "gg", "abcabcabcabc", "bad", "cab", "dab"]


def shake(model, seed=0):
    """Random weights, so large that answers differ from each other and end here and there."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        size = 2.0 / math.sqrt(weight.shape[0]) if len(weight.shape) > 1 else 0.3
        weight.assign(rng.normal(0.0, size, weight.shape))


def make_predictor(model, source, target, **settings):
    shake(model)
    merged = {"longest_source": 12, "longest_target": 3, "target_length": None, **settings}
    return Predictor(model, source, target, Decoding(), merged)


def export(predictor, tmp_path, name="model.npz"):
    predictor.save(tmp_path / name)
    return numpy_runtime.load(tmp_path / name)


def compare_with_keras(predictor, runtime, sources, strategy=None, unknown="token", **options):
    """Both answer `sources` with the same tokens and scores; the results are returned.

    Args:
        predictor, runtime: the same model.
        sources: texts.
        strategy: the Predictor's.
        unknown: see `Decoding`.
        options: of `Runtime.predict` that mean the same as `strategy`, such as `width`.
    """
    count = strategy.n_best if strategy is not None else 1
    keras_results = predictor.predict(sources, strategy, n_best=count, unknown=unknown)
    results = runtime.predict(sources, n_best=count, unknown=unknown, **options)
    for expected, best in zip(keras_results, results, strict=True):
        if isinstance(predictor.target, Numbers):
            np.testing.assert_allclose(best[0].tokens, expected[0].tokens, rtol=1e-4, atol=1e-4)
        else:
            assert [hypothesis.tokens for hypothesis in best] == [
                hypothesis.tokens for hypothesis in expected
            ]
            assert [hypothesis.text for hypothesis in best] == [
                hypothesis.text for hypothesis in expected
            ]
        scores = [hypothesis.score for hypothesis in expected]
        np.testing.assert_allclose(
            [hypothesis.score for hypothesis in best], scores, rtol=1e-4, atol=1e-4
        )
    return results


def make_tiny():
    """The predictor of a small model."""
    sizes = [{"vocabulary_size": len(side)} for side in (LETTERS, FORMS)]
    return make_predictor(Seq2Seq(Encoder(8, **sizes[0]), Decoder(8, **sizes[1])), LETTERS, FORMS)


def edit_header(runtime_file, keys, value):
    """The runtime of a header with `value` at `keys`, a path."""
    header, arrays = numpy_runtime.read_artifact(runtime_file)
    part = header
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    return numpy_runtime.NumpyPredictor(header, arrays)
