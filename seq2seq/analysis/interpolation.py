"""Paths: what is said from the states between those of two sources."""

from typing import NamedTuple

import numpy as np

from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.hypotheses import Hypothesis
from seq2seq.inference.predictor import Predictor
from seq2seq.inference.states import interpolate, take
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.validation import check_count


class Stop(NamedTuple):
    """One state on the way.

    Attributes:
        share: of the second source's state in it, 0 to 1.
        answers: what is said from it: of a model that looks at its source, looking at the first
            and at the second; of any other, one answer.
    """

    share: float
    answers: list[Hypothesis]


def walk(
    run: Predictor, one: str, other: str, steps: int = 9, decoding: Decoding | None = None
) -> list[Stop]:
    """What is said from states on the straight line from one source's to another's.

    Args:
        run: a trained model.
        one, other: the sources.
        steps: how many states, both ends included.
        decoding: see `Predictor.predict`.

    Raises:
        ValueError: a source can't be encoded, there are fewer than two steps, or the model is an
            ensemble.
    """
    if not isinstance(run.model, Seq2Seq):
        raise ValueError("an ensemble hands over several states: interpolate its runs one by one")
    check_count("steps", steps, 2)
    policy = None if decoding is None else decoding.unknown
    state, memory = run.encode([one, other], policy)
    shares = np.linspace(0, 1, steps).astype("float32")
    ends = [take(state, [row] * steps) for row in (0, 1)]
    between = interpolate(*ends, shares[:, None])
    columns = []
    lengths = np.asarray(memory.mask).sum(1)  # on which it depends how long an answer may be
    rows = [int(lengths.argmax())] if run.model.decoder.attention is None else [0, 1]
    for row in rows:
        said = run.decode(
            between,
            take(memory, [row] * steps),
            n_best=1,
            sources=[(one, other)[row]] * steps,
            decoding=decoding,
        )
        columns.append([best[0] for best in said])
    return [Stop(float(s), list(answers)) for s, *answers in zip(shares, *columns, strict=True)]
