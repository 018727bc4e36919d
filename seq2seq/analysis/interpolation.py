"""Interpolation: predictions from the states between those of two sources."""

from typing import NamedTuple

import numpy as np

from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.hypotheses import Hypothesis
from seq2seq.inference.predictor import Predictor
from seq2seq.inference.states import interpolate, take
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.validation import check_count


class InterpolationStep(NamedTuple):
    """A state between those of two sources.

    Attributes:
        weight: of the second source's state, 0 to 1.
        answers: predictions from it: of a model with attention, with the memory of the first source
            and of the second; of any other, one.
    """

    weight: float
    answers: list[Hypothesis]


def interpolate_sources(
    run: Predictor, first: str, second: str, steps: int = 9, decoding: Decoding | None = None
) -> list[InterpolationStep]:
    """Predict from states on the straight line from one source's to another's.

    Args:
        run: a trained model.
        first, second: the sources.
        steps: number of states, both ends included.
        decoding: see `Predictor.predict`.

    Raises:
        ValueError: a source can't be encoded, there are fewer than two steps, or the model is an
            ensemble.
    """
    if not isinstance(run.model, Seq2Seq):
        raise ValueError("an ensemble has several states: interpolate its runs one by one")
    check_count("steps", steps, 2)
    policy = None if decoding is None else decoding.unknown
    state, memory = run.encode([first, second], policy)
    weights = np.linspace(0, 1, steps).astype("float32")
    ends = [take(state, [row] * steps) for row in (0, 1)]
    between = interpolate(*ends, weights[:, None])
    columns = []
    lengths = np.asarray(memory.mask).sum(1)  # the maximum length of an answer depends on it
    rows = [int(lengths.argmax())] if run.model.decoder.attention is None else [0, 1]
    for row in rows:
        results = run.decode(
            between,
            take(memory, [row] * steps),
            n_best=1,
            sources=[(first, second)[row]] * steps,
            decoding=decoding,
        )
        columns.append([best[0] for best in results])
    rows = zip(weights, *columns, strict=True)
    return [InterpolationStep(float(weight), list(answers)) for weight, *answers in rows]
