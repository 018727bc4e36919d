"""Bridges: initial state of the decoder from the encoder's; see `seq2seq.layers.bridges`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seq2seq.runtime.file_format import align
from seq2seq.runtime.recurrent import Weights


class Bridge:
    """Bridge of any kind.

    Args:
        kind: class of the bridge.
        weights: of the model.
        name: of the bridge.
        encoder_sizes, decoder_sizes: of the states, a tuple per layer.
    """

    KINDS = (
        "Copy",
        "HiddenOnly",
        "Dense",
        "LayerwiseDense",
        "TopLayer",
        "Zero",
        "LearnedInitialState",
    )

    def __init__(
        self, kind: str, weights: Weights, name: str, encoder_sizes: list, decoder_sizes: list
    ):
        self.kind, self.sizes = kind, decoder_sizes
        total, weights = sum(map(sum, encoder_sizes)), weights.subpath(name)
        if kind == "LearnedInitialState":
            self.parts = self._make(lambda field, size, _: weights.subpath(name).get(field, size))
        elif kind == "Dense":
            self.parts = self._make(lambda field, size, _: weights.dense(field, size, total))
        elif kind == "LayerwiseDense":
            self.parts = self._make(
                lambda field, size, at: weights.dense(field, size, encoder_sizes[at][0])
            )

    def _make(self, make: Callable) -> list[tuple]:
        """Call `make(name, size, layer)` for each of the decoder's states."""
        return [
            tuple(
                make(f"layer_{number}_{field}", size, number)
                for field, size in zip(("hidden", "cell"), layer)  # noqa: B905
            )
            for number, layer in enumerate(self.sizes)
        ]

    def __call__(self, states: tuple) -> tuple:
        """Compute the decoder's initial states."""
        batch = len(states[0][0])
        if self.kind == "Copy":
            return states
        if self.kind == "TopLayer":
            return states[-1:] * len(self.sizes)
        if self.kind == "LearnedInitialState":
            return tuple(
                tuple(np.repeat(field[None], batch, axis=0) for field in layer)
                for layer in self.parts
            )
        if self.kind in ("Zero", "HiddenOnly"):
            zeros = [tuple(np.zeros((batch, n), "float32") for n in layer) for layer in self.sizes]
            if self.kind == "Zero":
                return tuple(zeros)
            return tuple((state[0], *zero[1:]) for state, zero in align(states, zeros))
        if self.kind == "Dense":
            joined = np.concatenate([part for state in states for part in state], axis=1)
            states = tuple((joined,) * len(layer) for layer in self.sizes)
        projected = []
        for layer, state in align(self.parts, states):
            hidden, *cell = [project(part) for project, part in align(layer, state)]
            projected.append((np.tanh(hidden), *cell))  # a hidden state is bounded, a cell is not
        return tuple(projected)
