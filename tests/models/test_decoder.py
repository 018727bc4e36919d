"""The decoder: its step is the definition, a whole sequence equals its steps."""

import numpy as np
import pytest

from seq2seq import Decoder, LSTMState, Memory

RNG = np.random.default_rng(3)
TOKENS = np.array([[1, 5, 6, 7], [1, 8, 0, 0]])
VALUES = RNG.normal(size=(2, 4, 2)).astype("float32")


def random_state(layers):
    return tuple(LSTMState(*RNG.normal(size=(2, 2, 8)).astype("float32")) for _ in range(layers))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    "sequence, kind", [(TOKENS, {"vocabulary_size": 10}), (VALUES, {"features": 2})]
)
def test_a_sequence_equals_its_steps(layers, sequence, kind):
    decoder, state = Decoder(8, layers, **kind), random_state(layers)
    memory = Memory(None, None, state)
    state = decoder.start(state, memory)
    whole = decoder(sequence, state, memory)
    for time in range(4):
        output = decoder.step(sequence[:, time], state, memory)
        state = output.state
        np.testing.assert_allclose(output.logits, whole.logits[:, time], atol=1e-5)
    for one, other in zip(state, whole.state, strict=True):
        np.testing.assert_allclose(one.cell, other.cell, atol=1e-5)


def test_the_mask_keeps_the_final_state_from_padding():
    decoder, state = Decoder(8, 2, vocabulary_size=10), random_state(2)
    memory = Memory(None, None, state)
    masked = decoder(TOKENS, state, memory, mask=TOKENS > 0)
    alone = decoder(TOKENS[1:, :2], tuple(LSTMState(*(x[1:] for x in s)) for s in state), memory)
    for one, other in zip(masked.state, alone.state, strict=True):
        np.testing.assert_allclose(one.hidden[1], other.hidden[0], atol=1e-6)


def test_structure_of_the_state_is_kept():
    decoder, state = Decoder(8, 2, vocabulary_size=10), random_state(2)
    output = decoder.step(TOKENS[:, 0], state, Memory(None, None, state))
    assert [type(layer) for layer in output.state] == [LSTMState, LSTMState]
