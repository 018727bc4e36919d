"""Sampling: tokens drawn from the model's distribution."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from seq2seq.decoding.search import MAX_HYPOTHESES, NEG_INF, Independent, StepInfo
from seq2seq.layers.lstm import Tensor
from seq2seq.runtime.validation import check_count, check_number


@dataclass(frozen=True)
class Sample(Independent):
    """Draws each token from the model's probabilities, after temperature and truncation.

    A sample depends on `seed`, its source and its number only: not on the other sources, nor on
    their order. Truncation applies to the probabilities after `temperature`; the remaining ones
    keep their proportions.

    Args:
        temperature: divisor of the logits; below 1 likely tokens become likelier.
        top_k: number of the likeliest tokens that are drawn from; None: all.
        top_p: only the likeliest tokens that together reach this probability are drawn (Holtzman
            et al. 2020, nucleus sampling); None: all.
        min_p: only tokens with at least this fraction of the highest probability are drawn (Nguyen
            et al. 2024); None: all.
        seed: seed of the draws.
        num_samples: number of targets drawn for each source.

    Raises:
        ValueError: a temperature that is not positive, a probability outside 0 to 1, a count
            below 1.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int = 0
    num_samples: int = 1
    name = "sample"
    dynamic_fields = ("temperature", "top_k", "top_p", "min_p", "seed")

    def __post_init__(self):
        check_number("decoding.temperature", self.temperature, exclusive=True)
        for field in ("top_p", "min_p"):
            if self.__dict__[field] is not None:
                check_number(f"decoding.{field}", self.__dict__[field], maximum=1, exclusive=True)
        if self.top_k is not None:
            check_count("decoding.top_k", self.top_k, maximum=2**31 - 1)
        check_count("decoding.num_samples", self.num_samples, maximum=MAX_HYPOTHESES)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ValueError(f"decoding.seed must be a whole number, got {self.seed!r}")

    @staticmethod
    def as_array(name: str, value: float) -> np.ndarray:
        """Convert a value; of a seed the last 32 bits, which the draws use. See `Strategy`."""
        if name == "seed":
            return np.asarray(value % 2**32, "uint32")
        return np.asarray(value, "int32" if name == "top_k" else "float32")

    @property
    def size(self) -> int:
        """Hypotheses per source."""
        return self.num_samples

    @property
    def n_best(self) -> int:
        """Hypotheses that are returned: all."""
        return self.num_samples

    def choose(self, log_probs: Tensor, info: StepInfo) -> Tensor:
        """Draw tokens (batch, samples), each by a random number of its source."""
        cumulative = ops.cumsum(self.truncate(log_probs), axis=-1)
        total = cumulative[..., -1:]
        drawn = self._draw_uniform(info)[..., None] * total
        # The first symbol whose cumulative probability is above the drawn number; never one of
        # probability 0, over which the sum does not rise.
        tokens = ops.sum(ops.cast(cumulative <= drawn, "int32"), axis=-1)
        last = ops.argmax(ops.cast(ops.equal(cumulative, total), "int32"), axis=-1)
        return ops.minimum(tokens, ops.cast(last, "int32"))

    def truncate(self, log_probs: Tensor) -> Tensor:
        """Probabilities (batch, samples, symbols) after truncation, not normalized."""
        is_allowed = log_probs > NEG_INF / 2
        p = ops.softmax(ops.where(is_allowed, log_probs / self.temperature, NEG_INF))
        p = ops.where(is_allowed, p, 0.0)
        threshold = ops.zeros_like(p[..., :1])
        if self.top_k is not None or self.top_p is not None:
            falling = ops.flip(ops.sort(p, axis=-1), axis=-1)
            if self.top_k is not None:
                position = ops.minimum(self.top_k, ops.shape(p)[-1]) - 1
                threshold = ops.maximum(threshold, ops.take(falling, position, axis=-1)[..., None])
            if self.top_p is not None:
                likelier = ops.cumsum(falling, axis=-1) - falling  # sum of the likelier ones
                nucleus = ops.where(likelier < self.top_p, falling, 2.0)
                threshold = ops.maximum(threshold, ops.min(nucleus, axis=-1, keepdims=True))
        if self.min_p is not None:
            threshold = ops.maximum(threshold, self.min_p * ops.max(p, axis=-1, keepdims=True))
        return ops.where(p >= threshold, p, 0.0)

    def _draw_uniform(self, info: StepInfo) -> Tensor:
        """Numbers (batch, samples) in [0, 1), from seed, source, sample and step only."""
        number = ops.cast(ops.arange(self.num_samples, dtype="int32"), "uint32")[None]
        seed = self.as_array("seed", self.seed) if isinstance(self.seed, int) else self.seed
        seed = (ops.cast(seed, "uint32") + np.uint32(1)) * np.uint32(0x9E3779B9)
        state = mix(ops.cast(info.keys, "uint32")[:, None] + seed)
        state = mix(state + number * np.uint32(0x85EBCA6B))
        state = mix(state + ops.cast(info.index, "uint32") * np.uint32(0xC2B2AE35))
        return ops.cast(ops.right_shift(state, np.uint32(8)), "float32") * 2.0**-24


def mix(state: Tensor) -> Tensor:
    """Hash uint32 numbers by the finalizer of MurmurHash3 (Appleby 2011)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = ops.bitwise_xor(state, ops.right_shift(state, np.uint32(shift)))
        state = state * np.uint32(factor)
    return ops.bitwise_xor(state, ops.right_shift(state, np.uint32(16)))
