"""Search is tested without a model: toy steps whose answers are known."""

import keras
import numpy as np
import pytest
from keras import ops

from seq2seq.decoding import Greedy, search
from seq2seq.models import StepOutput

START, END = 1, 2


def speller(words, symbols=12):
    """A step that spells each row's word, whatever it reads; the state is (rows, positions)."""
    table = np.full((len(words), max(map(len, words)) + 3), END)
    for row, word in enumerate(words):
        table[row, : len(word)] = word
    logits = 10.0 * np.eye(symbols, dtype="float32")[table]  # (rows, positions, symbols)

    def step(tokens, state, memory):
        rows, positions = state
        flat = ops.reshape(ops.convert_to_tensor(logits), (-1, symbols))
        index = rows * logits.shape[1] + ops.minimum(positions, logits.shape[1] - 1)
        return StepOutput(ops.take(flat, index, axis=0), (rows, positions + 1))

    start = (np.arange(len(words), dtype="int32"), np.zeros(len(words), "int32"))
    return step, tuple(map(ops.convert_to_tensor, start))


def run(words, max_length=10):
    step, state = speller(words)
    result = search(step, state, None, Greedy(), start_id=START, end_id=END, max_length=max_length)
    return [np.array(field) for field in result[:4]]


def test_spells_each_word_and_stops():
    tokens, lengths, scores, ended = run([[5, 6, 7], [4], []])
    assert tokens.shape == (3, 1, 10)
    assert lengths[:, 0].tolist() == [3, 1, 0]
    assert tokens[0, 0].tolist() == [5, 6, 7] + [0] * 7
    assert tokens[2, 0].tolist() == [0] * 10
    assert ended.all()
    # Every token and the end has the same probability in this toy.
    log_prob = 10 - np.log(np.exp(10) + 11)
    np.testing.assert_allclose(scores[:, 0], [4 * log_prob, 2 * log_prob, log_prob], atol=1e-4)


def test_a_batch_is_its_rows_one_by_one():
    words = [[5, 6, 7], [4], [9, 9, 9, 9, 8]]
    together = run(words)
    for row, word in enumerate(words):
        for field, alone in zip(together, run([word]), strict=True):
            np.testing.assert_allclose(field[row], alone[0], atol=1e-6)


def test_decoding_is_cut_off_at_the_limit_and_marked_as_such():
    tokens, lengths, _, ended = run([[5] * 8, [6]], max_length=4)
    assert tokens[:, 0].tolist() == [[5, 5, 5, 5], [6, 0, 0, 0]]
    assert lengths[:, 0].tolist() == [4, 1]
    assert ended[:, 0].tolist() == [False, True]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only an eager loop calls the step each time"
)
def test_stops_when_all_have_ended():
    """The loop leaves early: the step is not called for the rest of the limit."""
    step, state = speller([[5], [6, 7]])
    calls = []

    def counted(tokens, state, memory):
        calls.append(1)
        return step(tokens, state, memory)

    search(counted, state, None, Greedy(), start_id=START, end_id=END, max_length=1000)
    assert len(calls) == 3


def test_a_step_reads_the_start_and_then_the_previous_output():
    """A step that outputs its input plus one: the first input must be the start."""

    def step(tokens, state, memory):
        return StepOutput(ops.one_hot(tokens + memory, 12, dtype="float32") * 10, state)

    state = (ops.zeros((1, 1)),)
    result = search(step, state, 2, Greedy(), start_id=START, end_id=9, max_length=6)
    assert np.array(result.tokens)[0, 0].tolist() == [3, 5, 7, 0, 0, 0]


def test_a_strategy_can_reorder_the_state_and_never_the_memory():
    """Each step outputs its row's state plus memory; the strategy swaps two hypotheses."""

    class Swap(Greedy):
        size = 2

        def step(self, log_probs, state, info):
            tokens, _, state = super().step(log_probs, state, info)
            return tokens, ops.convert_to_tensor([[1, 0]]), state

    def step(tokens, state, memory):
        values = ops.where(state[0] < 0, 3 + 2 * ops.arange(2), state[0])
        return StepOutput(10 * ops.one_hot(values + memory, 12, dtype="float32"), (values,))

    state, memory = (ops.convert_to_tensor([-1]),), ops.convert_to_tensor([1])
    result = search(step, state, memory, Swap(), start_id=START, end_id=END, max_length=4)
    assert np.array(result.tokens)[0].tolist() == [[4, 6, 4, 6], [6, 4, 6, 4]]


def test_each_source_has_its_own_limit():
    step, state = speller([[5] * 8, [6] * 8, [7]])
    result = search(
        step,
        state,
        None,
        Greedy(),
        start_id=START,
        end_id=END,
        max_length=6,
        limits=np.array([4, 0, 3]),
    )
    assert np.array(result.lengths)[:, 0].tolist() == [4, 0, 1]
    assert np.array(result.ended)[:, 0].tolist() == [False, False, True]


def test_token_scores_add_up_and_attention_is_kept(markov, tables):
    mask = np.ones((4, 3), "bool")
    result = markov(tables)(Greedy(), source_mask=mask, attention=True)
    np.testing.assert_allclose(result.token_scores.sum(-1), result.scores, atol=1e-5)
    assert result.attention.shape == (4, 1, 6, 3)
    for row in range(4):
        length = result.lengths[row, 0] + result.ended[row, 0]
        previous_tokens = [START, *result.tokens[row, 0]][:length]
        np.testing.assert_array_equal(
            result.attention[row, 0, :length].argmax(-1), np.mod(previous_tokens, 3)
        )
        assert (result.attention[row, 0, length:] == 0).all()


def test_decoding_can_continue_from_a_prefix(markov, tables):
    """Continuing after the first token gives the rest of the whole search."""
    model = markov(tables)
    full = model(Greedy(), max_length=6)
    suffix = model(Greedy(), max_length=5, first=ops.convert_to_tensor(full.tokens[:, 0, 0]))
    longer = full.lengths[:, 0] > 0
    assert longer.any()
    np.testing.assert_array_equal(suffix.tokens[longer], full.tokens[longer, :, 1:])
