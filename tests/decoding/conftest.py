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
        attention = ops.one_hot(tokens % 3, 3)  # the previous token points at a source step
        return StepOutput(logits, state, attention)

    def __call__(self, strategy, max_length=6, rows=None, **options):
        tables = self.tables if rows is None else self.tables[rows]
        state = (ops.zeros((len(tables), 1)),)
        ids = {"start_id": START, "end_id": END}
        memory = ops.convert_to_tensor(tables)
        result = search(self.step, state, memory, strategy, **ids, max_length=max_length, **options)
        return type(result)(*[None if field is None else np.array(field) for field in result])

    def score(self, target, row=0, ended=True):
        """The log-probability of a target, computed by itself."""
        inputs = [START, *target]
        outputs = [*target, END] if ended else target
        steps = zip(inputs, outputs, strict=False)
        return sum(self.log_probabilities[row, previous, token] for previous, token in steps)


@pytest.fixture
def markov():
    return Markov


@pytest.fixture
def tables():
    return 2 * np.random.default_rng(0).normal(size=(4, 5, 5))
