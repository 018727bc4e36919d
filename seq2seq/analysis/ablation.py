"""Ablation: accuracy of the answers without the encoder's final state, or a part of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from seq2seq.data.task import Example
from seq2seq.evaluation.metrics import score_all
from seq2seq.evaluation.statistics import Proportion
from seq2seq.inference.predictor import Predictor
from seq2seq.inference.states import (
    StateSlice,
    add_noise,
    only,
    shuffle,
    take,
    without_values,
    zero,
)
from seq2seq.layers.structure import map_tensors
from seq2seq.models.decoder import DecoderState
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.progress import progress
from seq2seq.runtime.validation import check_number

NOISE_SIZES = (0.25, 0.5, 1.0, 2.0)


class Ablation(NamedTuple):
    """Accuracy under a change of the state.

    Attributes:
        name: of the change.
        exact: right answers.
        tokens: right positions, over the longer of answer and target.
    """

    name: str
    exact: Proportion
    tokens: Proportion


def ablate(
    run: Predictor,
    examples: Sequence[Example],
    noise_sizes: Sequence[float] = NOISE_SIZES,
    seed: int = 0,
) -> list[Ablation]:
    """Evaluate a run on held-out examples with the decoder's initial state changed.

    The encoder reads each source once; its memory is unchanged, but for the last ablation.

    Args:
        run: a trained model whose targets are symbols.
        examples: held-out; symbols never seen in training are read as the unknown token.
        noise_sizes: sizes of Gaussian noise, relative to the standard deviation of the hidden and
            cell state of each layer over the examples.
        seed: of noise and shuffling.

    Returns:
        As trained, zeroed, shuffled; of an LSTM hidden only and cell only; of several layers each
        one alone; with noise; and where there is attention, with nothing to attend to.

    Raises:
        ValueError: the targets are real values, the model is an ensemble, or there are less than 2
            examples.
    """
    if not isinstance(run.model, Seq2Seq):
        raise ValueError("an ensemble has several states: ablate its runs one by one")
    if run.model.features is not None:
        raise ValueError(
            "the targets of this run are real values, which are not right or wrong; ablate "
            "counts right answers and needs a run whose targets are symbols"
        )
    if len(examples) < 2:
        raise ValueError(
            f"states are shuffled among examples: give at least 2, got {len(examples)}"
        )
    for size in noise_sizes:
        check_number("noise", size)
    batches = _Batches(run, examples)
    changes = list(_changes(batches.state, noise_sizes, seed))
    has_attention = run.model.decoder.attention is not None
    ablations = []
    with progress("ablating", len(changes) + has_attention, "changes") as advance:
        for name, change in changes:
            ablations.append(batches.evaluate(name, change(batches.state)))
            advance()
        if has_attention:
            ablations.append(batches.evaluate("attention off", batches.state, without_values))
    return ablations


def _changes(
    state: DecoderState, noise_sizes: Sequence[float], seed: int
) -> Iterator[tuple[str, Callable]]:
    """Yield each change of the state with its name."""
    yield "as trained", lambda state: state
    yield "zeroed", zero
    yield "shuffled", lambda state: shuffle(state, seed)
    if "cell" in state.layers[0]._fields:
        yield "hidden only", lambda state: only(state, StateSlice("hidden"))
        yield "cell only", lambda state: only(state, StateSlice("cell"))
    if len(state.layers) > 1:
        for layer in range(len(state.layers)):
            yield (
                f"layer {layer + 1} only",
                lambda state, layer=layer: only(state, StateSlice(layer=layer)),
            )
    for size in noise_sizes:
        yield f"noise {size:g}", lambda state, size=size: _add_relative_noise(state, size, seed)


def _add_relative_noise(state: DecoderState, size: float, seed: int) -> DecoderState:
    """Add noise of `size` times the standard deviation of each layer's hidden and cell state."""
    for number, layer in enumerate(state.layers):
        for field, array in layer._asdict().items():
            std = float(np.sqrt(np.var(ops.convert_to_numpy(array), axis=0).mean()))
            state = add_noise(state, size * std, seed, StateSlice(field, number))
    return state


class _Batches:
    """Held-out examples, encoded once: their state as one, their memories in batches.

    Attributes:
        state: of all examples, in batches of similar length.
    """

    def __init__(self, run: Predictor, examples: Sequence[Example]):
        policy = "token" if run.decoding.unknown == "error" else run.decoding.unknown
        self.run, self.decoding = run, replace(run.decoding, unknown=policy)
        encoded = run.encode_texts([example.source for example in examples], policy)
        self.examples = [[examples[row] for row in rows] for rows in run.batches(encoded)]
        batches = [run.encode([e.source for e in batch], policy) for batch in self.examples]
        states, self.memories = zip(*batches, strict=True)
        self.state = map_tensors(
            lambda *parts: np.concatenate([ops.convert_to_numpy(part) for part in parts]), *states
        )

    def evaluate(self, name: str, state: Any, change: Callable | None = None) -> Ablation:
        """Evaluate predictions from `state`, with each memory changed by `change`."""
        scores, start = [], 0
        for examples, memory in zip(self.examples, self.memories, strict=True):
            rows = range(start, start + len(examples))
            start += len(examples)
            results = self.run.decode(
                take(state, rows),
                memory if change is None else change(memory),
                n_best=1,
                sources=[example.source for example in examples],
                decoding=self.decoding,
            )
            scores += score_all(
                "tokens",
                [best[0].tokens for best in results],
                [[self.run.target.tokens(t) for t in e.references] for e in examples],
            )
        return Ablation(
            name,
            Proportion(sum(not score.error for score in scores), len(scores)),
            Proportion(
                sum(score.matches for score in scores), sum(score.positions for score in scores)
            ),
        )
