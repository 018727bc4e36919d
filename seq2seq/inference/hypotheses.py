"""From the numbers that a search found to answers that a person reads."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.decoding.search import Hypotheses
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.vocabulary import UNKNOWN


class Hypothesis(NamedTuple):
    """One answer.

    Attributes:
        text: as a person reads it.
        tokens: its symbols; of real values, a tuple of features a step.
        score: log-probability of its tokens and end; 0 for real values; minus infinity where the
            constraints leave no answer.
        token_scores: log-probability of each token, and of the end if there is one.
        ended: whether it came to its end, and was not cut off.
        attention: (tokens and end, source tokens and end), the weights while each was said; None
            unless it was asked for.
    """

    text: str
    tokens: list
    score: float
    token_scores: list[float] = []
    ended: bool = True
    attention: np.ndarray | None = None


def read_row(
    found: Hypotheses, row: int, target: Codec, source: Sequence, steps: int
) -> list[Hypothesis]:
    """The hypotheses of a row; where none is possible, an empty one says so by its score.

    Args:
        found: what was found for a batch.
        row: which source of it.
        target: how numbers become text.
        source: the symbols that may have been copied.
        steps: of the source, for the attention.
    """
    made = [
        _read(found, (row, place), target, source, steps)
        for place in range(found.tokens.shape[1])
        if np.isfinite(found.scores[row, place])
    ]
    return made or [Hypothesis("", [], -math.inf, [], False)]


def _read(found: Hypotheses, place: tuple[int, int], target: Codec, source, steps) -> Hypothesis:
    length, ended = int(found.lengths[place]), bool(found.ended[place])
    said = length + (ended and not isinstance(target, Numbers))  # and the end
    attention = None
    if found.attention is not None and found.attention.ndim == 4:
        attention = found.attention[place][:said, :steps]
    symbols = target.decode_tokens(np.array(found.tokens[place][:length]), source)
    return Hypothesis(
        target.join(symbols),
        symbols,
        float(found.scores[place]),
        found.token_scores[place][:said].tolist(),
        ended,
        attention,
    )


def point(found: Hypotheses, steps: np.ndarray, symbols: int) -> Hypotheses:
    """`found` with places of the source, numbered from `symbols` on, for the unknown token.

    Each is the place that was attended to most; `steps` (batch,) are the sources', with their ends.
    """
    pointed = found.attention  # (batch, n, time)
    if pointed.ndim == 4:  # weights
        places = np.arange(pointed.shape[-1])
        real = (places < steps[:, None] - 1)[:, None, None]  # without the end
        pointed = np.where(real, pointed, -1.0).argmax(-1)
    unknown = (found.tokens == UNKNOWN) & (steps > 1)[:, None, None]
    return found._replace(tokens=np.where(unknown, symbols + pointed, found.tokens))
