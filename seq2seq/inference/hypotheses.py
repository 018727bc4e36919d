"""Hypotheses as texts, from the arrays of a search."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.decoding.search import Hypotheses
from seq2seq.inference.display import make_data_frame, make_table
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.vocabulary import UNKNOWN


class Hypothesis(NamedTuple):
    """Answer to a source.

    Attributes:
        text: the answer.
        tokens: its symbols; of real values, a tuple of features per step.
        score: log-probability of its tokens and end; 0 for real values; minus infinity where the
            constraints leave no answer.
        token_scores: log-probability of each token, and of the end if there is one.
        ended: whether it has an end; else it was cut off.
        attention: (tokens and end, source tokens and end), attention weights; None unless
            requested.
    """

    text: str
    tokens: list
    score: float
    token_scores: list[float] = []
    ended: bool = True
    attention: np.ndarray | None = None


class HypothesisLists(list):
    """The best hypotheses of each source, a list of lists, with a table of them all.

    Args:
        lists: for each source a list of `Hypothesis`, the best first.
        sources: texts of the sources; None: they are numbered.
    """

    def __init__(self, lists: Sequence[list[Hypothesis]], sources: Sequence[str] | None = None):
        super().__init__(lists)
        self.sources = [*range(1, len(self) + 1)] if sources is None else list(sources)

    def rows(self) -> list[dict]:
        """A row for each hypothesis: source, rank (1 is the best), text, score, whether it ended.

        A list that was changed has the numbers of its sources only.
        """
        sources = self.sources if len(self.sources) == len(self) else range(1, len(self) + 1)
        return [
            {"source": source, "rank": rank, "text": best.text, "score": best.score}
            | {"ended": best.ended}
            for source, hypotheses in zip(sources, self, strict=True)
            for rank, best in enumerate(hypotheses, 1)
        ]

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `rows`.

        Raises:
            ValueError: pandas is not installed.
        """
        return make_data_frame(self.rows(), ("source", "rank", "text", "score", "ended"))

    def _repr_html_(self) -> str:
        cells = ({**row, "score": f"{row['score']:.4f}"}.values() for row in self.rows())
        return make_table(("source", "rank", "text", "score", "ended"), map(tuple, cells))


def read_row(
    hypotheses: Hypotheses, row: int, target: Codec, source: Sequence, length: int
) -> list[Hypothesis]:
    """Hypotheses of a row; where none is possible, an empty one with a score of minus infinity.

    Args:
        hypotheses: of a batch.
        row: number of the source in it.
        target: codec of the target side.
        source: symbols of the source, which may have been copied.
        length: steps of the source.
    """
    results = [
        _read(hypotheses, (row, rank), target, source, length)
        for rank in range(hypotheses.tokens.shape[1])
        if np.isfinite(hypotheses.scores[row, rank])
    ]
    return results or [Hypothesis("", [], -math.inf, [], False)]


def _read(
    hypotheses: Hypotheses, index: tuple[int, int], target: Codec, source, length
) -> Hypothesis:
    count, ended = int(hypotheses.lengths[index]), bool(hypotheses.ended[index])
    steps = count + (ended and not isinstance(target, Numbers))  # with the end
    attention = None
    if hypotheses.attention is not None and hypotheses.attention.ndim == 4:
        attention = hypotheses.attention[index][:steps, :length]
    tokens = target.decode_tokens(np.array(hypotheses.tokens[index][:count]), source)
    return Hypothesis(
        target.join(tokens),
        tokens,
        float(hypotheses.scores[index]),
        hypotheses.token_scores[index][:steps].tolist(),
        ended,
        attention,
    )


def copy_attended(hypotheses: Hypotheses, lengths: np.ndarray, symbols: int) -> Hypotheses:
    """Replace unknown tokens by the most attended position of the source, numbered from `symbols`.

    Args:
        hypotheses: with attention weights or their positions.
        lengths: (batch,), steps of the sources, with their ends.
        symbols: size of the vocabulary.
    """
    attended = hypotheses.attention  # (batch, n, time)
    if attended.ndim == 4:  # weights
        positions = np.arange(attended.shape[-1])
        is_symbol = (positions < lengths[:, None] - 1)[:, None, None]  # without the end
        attended = np.where(is_symbol, attended, -1.0).argmax(-1)
    is_unknown = (hypotheses.tokens == UNKNOWN) & (lengths > 1)[:, None, None]
    return hypotheses._replace(tokens=np.where(is_unknown, symbols + attended, hypotheses.tokens))
