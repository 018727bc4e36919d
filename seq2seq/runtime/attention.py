"""Attention and the memory that it reads; see `seq2seq.layers.attention`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2seq.runtime.recurrent import Weights, sigmoid


class Memory(NamedTuple):
    """Encoded sources; batch-major, as attention reads it.

    Attributes:
        values: (batch, time, size), outputs of the encoder.
        mask: (batch, 1, time), True for real steps; None: all are.
        lengths: (batch, 1, 1).
        keys: of the attention.
        tags: (batch, embedding_size), sum of the embeddings of the tags; None without.
        tag_gate_inputs: (batch, gates), their contribution to the decoder's gates.
        copies: (batch, time), extended-vocabulary ids of the sources; None without a pointer.
    """

    values: np.ndarray
    mask: np.ndarray | None
    lengths: np.ndarray
    keys: np.ndarray | None = None
    tags: np.ndarray | None = None
    tag_gate_inputs: np.ndarray | None = None
    copies: np.ndarray | None = None


def softmax(scores: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Softmax over the last axis; 0 where `mask` is False."""
    if mask is not None:
        scores = np.where(mask, scores, np.float32(-1e9))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights


class Attention:
    """Attention of any kind.

    Args:
        kind: class of the attention.
        weights: at its path.
        config: its arguments.
        query_size, memory_size: sizes of the decoder's hidden state and of the encoder's outputs.
    """

    KINDS = (
        "Dot",
        "Scaled",
        "General",
        "Additive",
        "Concat",
        "Local",
        "FixedContext",
        "RepeatVector",
    )

    def __init__(
        self, kind: str, weights: Weights, config: dict, query_size: int, memory_size: int
    ):
        self.kind, self.is_additive = kind, kind in ("Additive", "Concat")
        self.is_fixed = kind in ("FixedContext", "RepeatVector")
        self.replaces_inputs = kind == "RepeatVector"
        self.before = self.is_fixed or config["before"]
        self.input_feeding = not self.is_fixed and config["input_feeding"]
        self.coverage = self.is_additive and config["coverage"]
        if self.is_additive:
            units = config["units"] or query_size
            self.query = weights.dense("query", units, query_size, bias=False)
            self.key = weights.dense("key", units, memory_size)
            self.energy = weights.dense("energy", 1, units, bias=False).kernel[:, 0]
        elif kind in ("General", "Local"):
            self.key = weights.dense("key", query_size, memory_size, bias=False)
        if self.coverage:
            self.coverage_kernel = weights.dense("coverage", units, 1, bias=False).kernel[0]
        if kind == "Local":
            self.width = config["width"]
            self.hidden = weights.dense("hidden", query_size, query_size, bias=False)
            self.position = weights.dense("position", 1, query_size, bias=False)

    def keys(self, values: np.ndarray, states: tuple) -> np.ndarray:
        """Keys of the encoder's `values` (batch, time, size).

        Returns:
            (batch, size, time); additive: (batch, 1, time, units); if fixed the context.
        """
        if self.is_fixed:
            return states[-1][0]
        if self.is_additive:
            return self.key(values)[:, None]
        keys = self.key(values) if self.kind in ("General", "Local") else values
        return keys.transpose(0, 2, 1)

    def __call__(self, query: np.ndarray, memory: Memory, coverage: np.ndarray | None):
        """Compute contexts (rows, size) and weights (rows, time), if fixed None.

        Args:
            query: (rows, query_size), the same number of each source, one after the other.
            memory: of the sources.
            coverage: (rows, time), sum of all weights before; None without coverage.
        """
        if self.is_fixed:
            return repeat_rows(memory.keys, len(query)), None
        batch, time = memory.values.shape[:2]
        query = query.reshape(batch, -1, query.shape[-1])
        if self.is_additive:
            pairs = self.query(query)[:, :, None] + memory.keys  # (batch, queries, time, units)
            if self.coverage:
                pairs += coverage.reshape(batch, -1, time, 1) * self.coverage_kernel
            scores = np.tanh(pairs, out=pairs) @ self.energy
        else:
            scores = query @ memory.keys
        if self.kind == "Scaled":
            scores *= np.float32(query.shape[-1] ** -0.5)
        if self.kind == "Local":
            weights = self._local_weights(query, scores, memory)
        else:
            weights = softmax(scores, memory.mask)
        context = weights @ memory.values
        return context.reshape(-1, context.shape[-1]), weights.reshape(-1, time)

    def _local_weights(self, query: np.ndarray, scores: np.ndarray, memory: Memory) -> np.ndarray:
        """Softmax in a window, times a Gaussian around the predicted position in its middle."""
        center = (memory.lengths - 1) * sigmoid(self.position(np.tanh(self.hidden(query))))
        distance = np.arange(scores.shape[-1], dtype="float32") - center
        in_window = np.abs(distance) <= self.width
        in_window = in_window if memory.mask is None else in_window & memory.mask
        gaussian = np.exp(np.square(distance) / np.float32(-2 * (self.width / 2) ** 2))
        return softmax(scores, in_window) * gaussian


def repeat_rows(array: np.ndarray, rows: int) -> np.ndarray:
    """Repeat each entry of `array` (batch, ...), so that there are `rows`."""
    return array if len(array) == rows else np.repeat(array, rows // len(array), axis=0)
