"""Fixed contexts: the encoder's last hidden state at every step."""

import numpy as np

from seq2seq.layers import FixedContext, RNNState

RNG = np.random.default_rng(5)
QUERY = RNG.normal(size=(2, 3, 4)).astype("float32")  # (batch, queries, query_size)
LENGTHS = (5, 2)
MASK = np.arange(5) < np.array(LENGTHS)[:, None]


def test_the_context_is_the_last_hidden_state_at_every_step():
    attention = FixedContext()
    attention.connect(4, 6)
    state = (RNNState(np.zeros((2, 6))), RNNState(RNG.normal(size=(2, 6)).astype("float32")))
    values = np.zeros((2, 5, 6), "float32")
    context, weights = attention(QUERY, attention.keys(values, state), values, MASK)
    assert weights is None
    np.testing.assert_array_equal(context, np.repeat(state[1].hidden[:, None], 3, axis=1))
