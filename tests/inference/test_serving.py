"""A predictor in a server: warm before the first request, and called from many threads."""

import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from seq2seq import Additive, Beam, Decoder, Encoder, Sample, Seq2Seq
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from seq2seq.layers import backend as kernels
from seq2seq.runtime.vocabulary import Vocabulary

LETTERS = Vocabulary.build(["abcdefg"], "characters")
SETTINGS = {"longest_source": 40, "longest_target": 8, "target_length": None}


def make():
    """A small model with outputs that are not empty."""
    keras.utils.set_random_seed(2)
    size = {"vocabulary_size": len(LETTERS)}
    model = Seq2Seq(Encoder(8, **size), Decoder(8, attention=Additive(), **size))
    for weight in model.weights:
        weight.assign(3 * np.array(weight))
    return Predictor(model, LETTERS, LETTERS, Decoding(max_length=6), SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", ["auto", True, False])
def test_after_a_warm_up_nothing_is_compiled(jit_compile, monkeypatch):
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 2)
    run, traced = make(), []
    if keras.backend.backend() == "jax" and jit_compile is False:
        with pytest.raises(ValueError, match="jit_compile=False: JAX compiles every search"):
            run.jit_compile = jit_compile
        return
    run.jit_compile = jit_compile
    step = run.model.step
    monkeypatch.setattr(run.model, "step", lambda *args: traced.append(args) or step(*args))
    run.warm_up([1, 5, 6, 9], batch_sizes=[1, 3])
    assert traced
    traced.clear()
    for _ in range(5):
        for sources in (["a"], ["abcdef"], ["abcdefgab"], ["b", "a", "ab"], ["abcdef"] * 3):
            run.predict(sources)
    assert not traced
    run.predict(["a"], Beam(2))
    assert traced  # another strategy is another program
    with pytest.raises(ValueError, match="lengths must be"):
        run.warm_up([0])


def test_an_invalid_jit_compile_is_refused():
    with pytest.raises(ValueError, match=r'jit_compile must be "auto", True or False, got 3'):
        make().jit_compile = 3


@pytest.mark.slow
def test_threads_get_the_answers_that_one_gets(monkeypatch):
    """Cold, while programs are compiled, and warm; with several strategies at once."""
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 3)
    monkeypatch.setattr(kernels, "MAX_COMPILED_SHAPES", 2)
    letters, chance = "abcdefg", random.Random(1)
    questions = [
        ["".join(chance.choices(letters, k=chance.randint(1, 7))) for _ in range(number % 2 + 1)]
        for number in range(60)
    ]
    strategies = [None, Sample(seed=5)]
    requests = [(sources, strategies[number // 2 % 2]) for number, sources in enumerate(questions)]
    alone, shared = make(), make()
    expected = [alone.predict(*question) for question in requests]
    with ThreadPoolExecutor(8) as threads:
        actual = [*threads.map(lambda question: shared.predict(*question), requests * 4)]
    assert actual == expected * 4
    assert len({str(answers) for answers in expected}) > 20
