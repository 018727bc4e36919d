"""The pointer: probabilities of existing symbols only, with sum one, by the paper's formula."""

import numpy as np

from seq2seq.layers import Pointer
from seq2seq.runtime.vocabulary import UNKNOWN

RNG = np.random.default_rng(6)
VOCABULARY = 6
COPIES = np.array([[4, 8, 5, 8, 2], [5, 5, 2, 0, 0]])  # 8 is the unseen symbol at place 2
LENGTHS = (5, 3)
WEIGHTS = np.zeros((2, 3, 5), "float32")
for row, length in enumerate(LENGTHS):
    WEIGHTS[row, :, :length] = RNG.dirichlet(np.ones(length), size=3)


def mix(p_gen_bias=0.0):
    pointer = Pointer(VOCABULARY)
    pointer.connect(4, 2, 3, None)
    pointer.p_gen.bias.assign([p_gen_bias])
    parts = [RNG.normal(size=(2, 3, size)).astype("float32") for size in (4, 2, 3)]
    log_probs = np.array(pointer(*parts, WEIGHTS, pointer.precompute(COPIES)))
    logits = parts[0] @ np.array(pointer.logits.kernel)
    features = np.concatenate(parts, -1) @ np.array(pointer.p_gen.kernel)
    return np.exp(log_probs), logits, 1 / (1 + np.exp(-(features + p_gen_bias)))


def test_equals_the_papers_formula():
    probabilities, logits, p_gen = mix()
    vocabulary = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = np.zeros((2, 3, VOCABULARY + 5))
    expected[..., :VOCABULARY] = p_gen * vocabulary
    for row, length in enumerate(LENGTHS):
        for step in range(length):
            expected[row, :, COPIES[row, step]] += (1 - p_gen[row, :, 0]) * WEIGHTS[row, :, step]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_probabilities_sum_to_one_over_existing_symbols_only():
    probabilities, _, _ = mix()
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    absent = np.ones((2, VOCABULARY + 5), "bool")
    absent[:, :VOCABULARY] = False
    absent[0, 8] = False
    assert probabilities.transpose(0, 2, 1)[absent].max() < 1e-20
    assert probabilities[0, :, 8].min() > 0


def test_pure_copying_puts_probability_on_the_source_alone():
    probabilities, _, p_gen = mix(p_gen_bias=-60.0)
    assert p_gen.max() < 1e-20
    for row in range(2):
        there = np.unique(COPIES[row, : LENGTHS[row]])
        np.testing.assert_allclose(probabilities[row][:, there].sum(-1), 1, atol=1e-5)


def test_copied_symbols_are_read_as_unknown():
    read = Pointer(6).to_readable_ids(np.array([5, 6, 10]))
    np.testing.assert_array_equal(read, [5, UNKNOWN, UNKNOWN])


def test_weights_that_sum_to_less_are_shares_all_the_same():
    pointer = Pointer(VOCABULARY)
    pointer.connect(4, 2, 3, None)
    parts = [RNG.normal(size=(2, 3, size)).astype("float32") for size in (4, 2, 3)]
    probabilities = np.exp(pointer(*parts, 0.3 * WEIGHTS, pointer.precompute(COPIES)))
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
