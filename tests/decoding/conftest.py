import numpy as np
import pytest
from keras import ops

from seq2seq.decoding import search
from seq2seq.models import StepOutput

START, END = 1, 2


class Markov:
    """A step whose next symbol depends on the last alone, and on the source's own table."""

    def __init__(self, tables):
        tables = np.asarray(tables, "float32")  # (batch, symbols, symbols), logits
        self.tables = tables
        exponents = np.exp(tables - tables.max(-1, keepdims=True))
        self.log_probabilities = np.log(exponents / exponents.sum(-1, keepdims=True))

    def step(self, tokens, state, memory):
        logits = ops.take_along_axis(memory, tokens[:, None, None], axis=1)[:, 0]
        attention = ops.one_hot(tokens % 3, 3)  # what was said last points at a source step
        return StepOutput(logits, state, attention)

    def __call__(self, strategy, max_length=6, rows=None, **options):
        tables = self.tables if rows is None else self.tables[rows]
        state = (ops.zeros((len(tables), 1)),)
        ids = {"start_id": START, "end_id": END}
        memory = ops.convert_to_tensor(tables)
        found = search(self.step, state, memory, strategy, **ids, max_length=max_length, **options)
        return type(found)(*[None if one is None else np.array(one) for one in found])

    def score(self, target, row=0, ended=True):
        """The log-probability of a target, computed by itself."""
        before = [START, *target]
        after = [*target, END] if ended else target
        steps = zip(before, after, strict=False)
        return sum(self.log_probabilities[row, one, other] for one, other in steps)


@pytest.fixture
def markov():
    return Markov


@pytest.fixture
def tables():
    return 2 * np.random.default_rng(0).normal(size=(4, 5, 5))
