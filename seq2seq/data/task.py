"""Task, Example and the endless Stream: the data of training and evaluation.

A task has examples, a codec for each side, and metrics. Examples are text; a test example never
occurs in training. Tasks need NumPy at most.
"""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from seq2seq.runtime.codec import Codec

SPLITS = ("train", "validation", "test")
HELD_OUT = {"test": 0.10, "validation": 0.05}  # shares of the space of a generated task
SAMPLED = 1024  # examples of a stream that represent all


class Example(NamedTuple):
    """One source text with its right answer, and further right answers if there are any."""

    source: str
    target: str
    others: tuple[str, ...] = ()

    @property
    def references(self) -> tuple[str, ...]:
        """Every right answer."""
        return (self.target, *self.others)


class Stream:
    """Examples without end: number `index` is a pure function of (seed, index).

    They are drawn a block at a time and only the newest block is kept, so memory does not grow.

    Args:
        draw: makes one example from a `random.Random`.
        seed: of the examples.
        block: examples drawn together.
    """

    def __init__(self, draw: Callable[[random.Random], Example], seed: str, block: int = 1024):
        self._draw, self._seed, self._block = draw, seed, block
        self._number, self._examples = -1, []

    def __getitem__(self, index: int) -> Example:
        number, offset = divmod(index, self._block)
        if number != self._number:
            rng = random.Random(f"{self._seed}/{number}")
            self._examples = [self._draw(rng) for _ in range(self._block)]
            self._number = number
        return self._examples[offset]


class Task:
    """Interface of a task; a subclass implements it.

    Attributes:
        source, target: codecs: a `Vocabulary`, `Numbers`, or `Tagged` for a source with tags.
        metrics: the family of metrics, `"tokens"`, `"translation"`, `"pronunciation"` or `"values"`
            (see `seq2seq.evaluation.metrics`).
        monitor: the metric that picks the best weights, and whether `"max"` or `"min"` is best.
        oracle_length: whether the test is decoded a second time with the lengths of the references;
            see `seq2seq.evaluation.evaluate.evaluate`.
        target_length: of real-valued targets, how many values they have; None: as many as their
            source. Tokens end by themselves.
        columns: of files of examples, which hold source, target and tags; see `PairReader`.
        comment: what comment lines of such files begin with; None: they have none.
        notes: remarks on the data, to be read before training.
        files: of the examples, by the keys of the task that name them; nothing of generated ones.
        keep_data: whether a run keeps copies of `files`, so that it can be trained again where they
            are changed or missing.
    """

    source: Codec
    target: Codec
    metrics = "tokens"
    monitor = ("exact_match", "max")
    oracle_length = False
    target_length: int | None = None
    columns: Sequence[int | str] | None = None
    comment: str | None = None
    notes: tuple[str, ...] = ()
    files: Mapping[str, Sequence[Path]] = MappingProxyType({})
    keep_data = False

    def examples(self, split: str) -> Sequence[Example] | Stream:
        """The examples of `"train"` (a list, or a `Stream`), `"validation"` or `"test"` (lists)."""
        raise NotImplementedError

    def to_config(self) -> dict:
        """Configuration, for `config.yaml`; with `in_memory` it can't make the task again."""
        return {"_target_": f"{type(self).__module__}.{type(self).__qualname__}", "in_memory": True}


def position(key: str, seed: int) -> float:
    """Hash of `key` to [0, 1), which divides a space into splits."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def evenly_spaced(examples: Sequence, maximum: int | None) -> Sequence:
    """At most `maximum` of the examples, evenly spaced, in their order; None: all.

    >>> evenly_spaced("abcdefg", 3)
    ['a', 'c', 'e']
    """
    count = len(examples)
    if maximum is None or count <= maximum:
        return examples
    return [examples[index * count // maximum] for index in range(maximum)]


def representative_examples(examples: Sequence[Example] | Stream) -> Sequence[Example]:
    """The examples; of an endless stream the first ones, which represent all."""
    if isinstance(examples, Stream):
        return [examples[number] for number in range(SAMPLED)]
    return examples


def part_of(key: str, seed: int, held_out: dict[str, float] = HELD_OUT) -> str:
    """The split that `key` belongs to; all examples with the same key are in the same split."""
    fraction = position(key, seed)
    for split, size in held_out.items():
        if fraction < size:
            return split
        fraction -= size
    return "train"
