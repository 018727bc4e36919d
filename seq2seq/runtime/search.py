"""Greedy and beam search; see `seq2seq.decoding`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from seq2seq.runtime.attention import Memory
from seq2seq.runtime.file_format import align
from seq2seq.runtime.model import Model, State, take
from seq2seq.runtime.vocabulary import END, START

Result = tuple[list, float]  # tokens without the end, and their log-probability with it


def greedy(model: Model, state: State, memory: Memory, limits: np.ndarray) -> list[list[Result]]:
    """Decode the likeliest token each step, until the end or the limit of each source."""
    results: list[list[int]] = [[] for _ in limits]
    scores = np.zeros(len(limits), "float32")
    sources, tokens = np.arange(len(limits)), np.full(len(limits), START)
    for step in range(int(limits.max())):
        log_probs, state = model.step(tokens, state, memory)
        tokens = log_probs.argmax(1)
        scores[sources] += log_probs[np.arange(len(tokens)), tokens]
        for source, token in align(sources.tolist(), tokens.tolist()):
            if token != END:
                results[source].append(token)
        live = (tokens != END) & (limits[sources] > step + 1)
        if not live.any():
            break
        if not live.all():
            sources, tokens = sources[live], tokens[live]
            state, memory = take(state, live), take(memory, live)
    return [[result] for result in align(results, scores.tolist())]


def free_running(
    model: Model, state: State, memory: Memory, limits: np.ndarray
) -> list[list[Result]]:
    """Predict real values, each fed back as predicted, up to the limit of each source."""
    outputs = np.zeros((len(limits), model.features), "float32")
    values = np.zeros((len(limits), int(limits.max()), model.features), "float32")
    for step in range(values.shape[1]):
        outputs, state = model.decoder.step(outputs, state, memory)
        values[:, step] = outputs
    return [[(row[:limit], 0.0)] for row, limit in align(values, limits)]


class Beam(NamedTuple):
    """Beam search: the `width` likeliest hypotheses of each source are extended at once.

    Attributes:
        width: number of live hypotheses per source.
        length_penalty: finished hypotheses are ranked by score / ((5 + length) / 6) ** penalty (Wu
            et al. 2016, eq. 14), or by score / length if it is `"average"`.
        n_best: number of hypotheses that are returned.
        early_stopping: whether the search ends with the first `n_best` that end.
    """

    width: int
    length_penalty: float | str = 0.0
    n_best: int = 1
    early_stopping: bool = False

    def penalty(self, length: int) -> float:
        """Divisor of the score of `length` tokens, the end included."""
        if self.length_penalty == "average":
            return length
        return ((5 + length) / 6) ** self.length_penalty

    def search(
        self, model: Model, state: State, memory: Memory, limits: np.ndarray
    ) -> list[list[Result]]:
        """Decode at most `n_best` hypotheses of each source, the best first."""
        beams = [BeamState(self, limit) for limit in limits.tolist()]
        live, width = beams, self.width
        state = take(state, np.repeat(np.arange(len(beams)), width))
        tokens = np.full(len(beams) * width, START)
        while live:
            log_probs, state = model.step(tokens, state, memory)
            symbols = log_probs.shape[1]
            scores = np.array([beam.scores for beam in live], "float32").reshape(-1, 1)
            scores = (scores + log_probs).reshape(len(live), -1)  # (sources, width * symbols)
            best = top_k(scores, 2 * width)
            candidates = (np.take_along_axis(scores, best, axis=1), *np.divmod(best, symbols))
            for beam, *rows in align(live, *(part.tolist() for part in candidates)):
                beam.step(*rows)
            is_live = np.array([not beam.is_done for beam in live])
            rows = [
                row * width + parent for row, beam in enumerate(live) for parent in beam.parents
            ]
            rows = np.array(rows).reshape(-1, width)[is_live].reshape(-1)
            if not is_live.all():
                live = [beam for beam in live if not beam.is_done]
                memory = take(memory, is_live)
            state = take(state, rows)
            tokens = np.array([token for beam in live for _, token in beam.paths])
        return [beam.results() for beam in beams]


class BeamState:
    """Hypotheses of a source during a beam search.

    Args:
        beam: the strategy.
        limit: number of steps at most.
    """

    def __init__(self, beam: Beam, limit: int):
        self.beam, self.limit, self.steps, self.is_done = beam, limit, 0, False
        # All are equal at first: only one of them may be extended.
        self.scores = [0.0] + [-math.inf] * (beam.width - 1)
        self.paths: list = [None] * beam.width  # linked lists (path, token), the last token first
        self.parents = list(range(beam.width))  # hypothesis that each one continues
        self.finished: list[tuple] = []  # rank, score and path, the best first

    def step(self, scores: list[float], parents: list[int], tokens: list[int]) -> None:
        """Extend by a token, given the best `2 * width` candidates in their order."""
        self.steps += 1
        width, penalty, live = self.beam.width, self.beam.penalty(self.steps), []
        for rank, (score, parent, token) in enumerate(align(scores, parents, tokens)):
            if token != END:
                live.append((score, parent, (self.paths[parent], token)))
            elif rank < width and score > -math.inf:
                self.finished.append((score / penalty, score, self.paths[parent]))
        self.finished.sort(key=lambda hypothesis: -hypothesis[0])
        del self.finished[self.beam.n_best :]
        self.scores, self.parents, self.paths = map(list, align(*live[:width]))
        self.is_done = self.steps >= self.limit or self._is_decided()

    def _is_decided(self) -> bool:
        """Whether `n_best` have ended, and no live hypothesis can rank before them."""
        if len(self.finished) < self.beam.n_best:
            return False
        bound = self.scores[0] / self.beam.penalty(self.limit)  # scores only fall
        return self.beam.early_stopping or bound <= self.finished[-1][0]

    def results(self) -> list[Result]:
        """Finished hypotheses in order of rank, then live ones in order of score."""
        live = [(0, score, path) for score, path in align(self.scores, self.paths)]
        live = [hypothesis for hypothesis in live if hypothesis[1] > -math.inf]
        best = (self.finished + live)[: self.beam.n_best]
        return [(unlink(path), score) for _, score, path in best]


def unlink(path: tuple | None) -> list[int]:
    """Convert a linked list (path, token) to the list of its tokens."""
    tokens = []
    while path is not None:
        path, token = path
        tokens.append(token)
    return tokens[::-1]


def top_k(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices (batch, k) of the highest of `scores` (batch, size), ties in order."""
    threshold = np.partition(scores, -k, axis=1)[:, -k]
    rows, columns = np.nonzero(scores >= threshold[:, None])  # with all that tie with the last
    order = np.lexsort((-scores[rows, columns], rows))  # stable
    first = np.searchsorted(rows, np.arange(len(scores)))
    return columns[order][first[:, None] + np.arange(k)]
