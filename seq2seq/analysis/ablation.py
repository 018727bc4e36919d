"""Ablation: what the answers are worth when the handed-over state is taken away, or part of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from seq2seq.data.task import Example
from seq2seq.evaluation.metrics import judge_all
from seq2seq.evaluation.proportions import Share
from seq2seq.inference.inputs import measure
from seq2seq.inference.predictor import Predictor
from seq2seq.inference.states import Part, add_noise, blind, keep, shuffle, take, zero
from seq2seq.layers.structure import map_tensors
from seq2seq.models.decoder import DecoderState
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.progress import progress
from seq2seq.runtime.validation import check_number

NOISE = (0.25, 0.5, 1.0, 2.0)


class Ablation(NamedTuple):
    """What came of one change.

    Attributes:
        name: of the change.
        exact: answers that are right.
        tokens: places of answers that are right, over the longer of answer and target.
    """

    name: str
    exact: Share
    tokens: Share


def ablate(
    run: Predictor, examples: Sequence[Example], noise: Sequence[float] = NOISE, seed: int = 0
) -> list[Ablation]:
    """Judge a run's answers to held-out examples, with the decoder's first state changed.

    The encoder reads each source once; its memory stays as it is, but for the last ablation.

    Args:
        run: a trained model that says symbols.
        examples: held-out; symbols never seen in training are read as the unknown token.
        noise: sizes of Gaussian noise, as shares of the standard deviation that hidden and cell of
            each layer have over the examples.
        seed: of noise and shuffling.

    Returns:
        As trained, zeroed, shuffled; of an LSTM hidden only and cell only; of several layers each
        one alone; with noise; and where there is attention, with nothing to attend to.

    Raises:
        ValueError: the model says real values or is an ensemble, or there are fewer than two
            examples.
    """
    if not isinstance(run.model, Seq2Seq):
        raise ValueError("an ensemble hands over several states: ablate its runs one by one")
    if run.model.features is not None:
        raise ValueError(
            "this run says real values, of which none is right or wrong; ablate "
            "counts right answers and needs a run that says symbols"
        )
    if len(examples) < 2:
        raise ValueError(
            f"states are shuffled among examples: give at least 2, got {len(examples)}"
        )
    for size in noise:
        check_number("noise", size)
    batches = _Batches(run, examples)
    changes = list(_changes(batches.state, noise, seed))
    attends = run.model.decoder.attention is not None
    found = []
    with progress("ablating", len(changes) + attends, "changes") as advance:
        for name, change in changes:
            found.append(batches.judge(name, change(batches.state)))
            advance()
        if attends:
            found.append(batches.judge("attention off", batches.state, blind))
    return found


def _changes(
    state: DecoderState, noise: Sequence[float], seed: int
) -> Iterator[tuple[str, Callable]]:
    """Each change of the state, by its name."""
    yield "as trained", lambda state: state
    yield "zeroed", zero
    yield "shuffled", lambda state: shuffle(state, seed)
    if "cell" in state.layers[0]._fields:
        yield "hidden only", lambda state: keep(state, Part("hidden"))
        yield "cell only", lambda state: keep(state, Part("cell"))
    if len(state.layers) > 1:
        for layer in range(len(state.layers)):
            yield (
                f"layer {layer + 1} only",
                lambda state, layer=layer: keep(state, Part(layer=layer)),
            )
    for size in noise:
        yield f"noise {size:g}", lambda state, size=size: _disturb(state, size, seed)


def _disturb(state: DecoderState, size: float, seed: int) -> DecoderState:
    """Noise of `size` times the deviation that each layer's hidden and cell have over a batch."""
    for number, layer in enumerate(state.layers):
        for field, array in layer._asdict().items():
            spread = float(np.sqrt(np.var(ops.convert_to_numpy(array), axis=0).mean()))
            state = add_noise(state, size * spread, seed, Part(field, number))
    return state


class _Batches:
    """Held-out examples, read once: their state as one, their memories in batches.

    Attributes:
        state: of all examples, those of like length together.
    """

    def __init__(self, run: Predictor, examples: Sequence[Example]):
        policy = "token" if run.decoding.unknown == "error" else run.decoding.unknown
        self.run, self.decoding = run, replace(run.decoding, unknown=policy)
        sources = [example.source for example in examples]
        steps = measure(sources, run.source, policy, run.copying)
        self.examples = [[examples[row] for row in rows] for rows in run.group(steps)]
        read = [run.encode([e.source for e in some], policy) for some in self.examples]
        states, self.memories = zip(*read, strict=True)
        self.state = map_tensors(
            lambda *parts: np.concatenate([ops.convert_to_numpy(part) for part in parts]), *states
        )

    def judge(self, name: str, state: Any, change: Callable | None = None) -> Ablation:
        """What is said from `state`, with each memory changed by `change`."""
        judged, start = [], 0
        for examples, memory in zip(self.examples, self.memories, strict=True):
            rows = range(start, start + len(examples))
            start += len(examples)
            said = self.run.decode(
                take(state, rows),
                memory if change is None else change(memory),
                n_best=1,
                sources=[example.source for example in examples],
                decoding=self.decoding,
            )
            judged += judge_all(
                "tokens",
                [best[0].tokens for best in said],
                [[self.run.target.tokens(t) for t in e.references] for e in examples],
            )
        return Ablation(
            name,
            Share(sum(not one.error for one in judged), len(judged)),
            Share(sum(one.matches for one in judged), sum(one.places for one in judged)),
        )
