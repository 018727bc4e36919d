"""From examples to arrays: padding, masks, length buckets, and an order that can be computed.

Everything is padded on the right. Masks are explicit arrays; they alone say what is real.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from seq2seq.data.task import Example, Stream
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import END, PAD, START

WINDOW = 16  # batches whose examples are sorted by length together
MOST_STEPS = 65_536  # of a batch's sources or targets, padding included, where rows differ much


class Batch(NamedTuple):
    """Arrays of one batch; tokens are int32, real values float32 with a last axis of features.

    Attributes:
        source: (batch, source time): the tokens and an end, or real values.
        source_mask: (batch, source time), True where `source` is real.
        target_in: (batch, target time): a start and the tokens, or zeros and all values but the
            last: what the decoder reads.
        target_out: (batch, target time): the tokens and an end, or the values: what it must say.
        target_mask: (batch, target time), True where `target_out` is real.
        tags: (batch, tags) float32, 1.0 for each tag that a source has; None: the task has none.
        copies: (batch, source time), which number each source step says if it is copied; None: the
            model copies nothing.
    """

    source: np.ndarray
    source_mask: np.ndarray
    target_in: np.ndarray
    target_out: np.ndarray
    target_mask: np.ndarray
    tags: np.ndarray | None = None
    copies: np.ndarray | None = None

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What `Seq2Seq` is called with."""
        given = {
            "source": self.source,
            "source_mask": self.source_mask,
            "target": self.target_in,
            "target_mask": self.target_mask,
            "tags": self.tags,
            "copies": self.copies,
        }
        return {name: array for name, array in given.items() if array is not None}

    @property
    def weights(self) -> np.ndarray:
        """(batch, target time) float32: 1 for real tokens, 0 for padding."""
        return self.target_mask.astype("float32")


def bucket(length: int) -> int:
    """The padded length: the next of 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, ...

    Beyond 16 at most a fifth is padding; few shapes exist, so that little is compiled.

    >>> [bucket(length) for length in (0, 3, 4, 5, 33, 65)]
    [4, 4, 4, 8, 40, 80]
    """
    step = max(4, 2 ** (max(length, 1) - 1).bit_length() // 8)
    return max(4, -(-length // step) * step)


def pad(
    rows: Sequence[Sequence[int] | np.ndarray], time: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`rows` padded on the right with zeros, (batch, time, ...), and their mask (batch, time).

    Args:
        rows: lists of tokens, or arrays of shape (length, features).
        time: the padded length; None: the bucket of the longest.

    Raises:
        ValueError: there is no row, or one is empty (it would have no state) or too long.
    """
    if not len(rows):
        raise ValueError("there is no example: give at least one")
    lengths = np.array([len(row) for row in rows])
    time = bucket(int(lengths.max())) if time is None else time
    if lengths.min() == 0 or lengths.max() > time:
        raise ValueError(f"lengths must be 1 to {time}, got {lengths.min()} to {lengths.max()}")
    if isinstance(rows[0], np.ndarray):
        real = np.concatenate(rows)
    else:
        real = np.fromiter(chain.from_iterable(rows), "int32", lengths.sum())
    mask = np.arange(time) < lengths[:, None]
    padded = np.full((*mask.shape, *real.shape[1:]), PAD, real.dtype)
    padded[mask] = real
    return padded, mask


def delay(target_out: np.ndarray, target_mask: np.ndarray, start: float) -> np.ndarray:
    """What the decoder reads when it must say `target_out`: a start, then what it said before.

    >>> delay(np.array([[5, 4, 2, 0]]), np.array([[True, True, True, False]]), START).tolist()
    [[1, 5, 4, 0]]
    """
    target_in = np.full_like(target_out, start)
    target_in[:, 1:] = target_out[:, :-1]
    target_in[~target_mask] = PAD
    return target_in


def check_text(text: str) -> None:
    """Raise a ValueError for a missing value, bytes, a list: whatever is no text."""
    if not isinstance(text, str):
        raise ValueError(f"expected a text, got {text!r:.80}")


def check_each(name: str, texts: Sequence[str]) -> None:
    """Raise a ValueError that says which of `texts`, counted from 1, is no text."""
    for number, text in enumerate(texts, 1):
        try:
            check_text(text)
        except ValueError as error:
            raise ValueError(f"{name} {number}: {error}") from None


def encode_row(text: str, side: Codec, unknown: str = "error") -> list[int] | np.ndarray:
    """What a network reads or says of `text`: tokens and an end, or values, (time, features).

    The end tells the decoder when to stop, and lets a source be empty: it still has one step.
    """
    row = side.encode(text, unknown)
    return row if isinstance(side, Numbers) else [*row, END]


def encode_sources(
    texts: Sequence[str],
    source: Codec,
    target: Codec,
    unknown: str = "error",
    copying: bool = False,
) -> dict[str, np.ndarray]:
    """The arrays of a batch that come of its sources alone, by their names in `Batch`.

    Args:
        texts: one a source.
        source, target: how each side's text becomes numbers.
        unknown: see `Vocabulary.encode`; a model that copies takes every symbol.
        copying: whether the model copies from the source.
    """
    check_each("source", texts)
    symbols = "token" if copying else unknown
    padded, mask = pad([encode_row(text, source, symbols) for text in texts])
    arrays = {"source": padded, "source_mask": mask}
    if isinstance(source, Tagged):
        arrays["tags"] = np.stack([source.encode_tags(text, unknown) for text in texts])
    if copying:
        tokens = [source.tokens(text) for text in texts]
        arrays["copies"], _ = pad([[*target.encode_copies(t, t), END] for t in tokens])
    return arrays


def make_batch(
    examples: Sequence[Example],
    source: Codec,
    target: Codec,
    unknown: str = "error",
    copying: bool = False,
) -> Batch:
    """The arrays of `examples`, padded to their buckets.

    Args:
        examples: one a row.
        source, target: how each side's text becomes numbers.
        unknown: see `Vocabulary.encode`.
        copying: whether the model copies from the source (`readout="pointer"`).

    >>> from seq2seq.runtime.vocabulary import Vocabulary
    >>> letters = Vocabulary("ab")
    >>> make_batch([Example("ab", "ba")], letters, letters).target_in.tolist()
    [[1, 5, 4, 0]]
    """
    sources = encode_sources([e.source for e in examples], source, target, unknown, copying)
    check_each("target", [e.target for e in examples])
    if copying:
        rows = [
            [*target.encode_copies(target.tokens(e.target), source.tokens(e.source)), END]
            for e in examples
        ]
    else:
        rows = [encode_row(e.target, target, unknown) for e in examples]
    target_out, target_mask = pad(rows)
    start = 0 if isinstance(target, Numbers) else START
    target_in = delay(target_out, target_mask, start)
    return Batch(**sources, target_in=target_in, target_out=target_out, target_mask=target_mask)


class Batches:
    """Training batches; number `step` is a pure function of (seed, step), so any run can resume.

    A finite set is shuffled anew each epoch and every example comes once an epoch, or it is drawn
    from with replacement; a stream goes on for ever. Within windows of 16 batches examples of like
    length are put together, which saves padding, and the window's batches are shuffled. A batch
    with a row that is far longer than the others has fewer rows, so that memory stays bounded.

    Args:
        examples: a list, or a `Stream`.
        source, target: how each side's text becomes numbers.
        batch_size: examples a batch; the last of an epoch may be smaller, and one of long rows:
            those beside it have the examples that it lacks.
        seed: of the order.
        copying: whether the model copies from the source (`readout="pointer"`).
        curriculum_fraction: length curriculum: `curriculum_fraction(step)` of each window, its
            shortest examples, are drawn from; an epoch then repeats them in place of the longer
            ones. None: all are used, each once.
        replacement: whether each place of an epoch is drawn from the whole finite set, so that some
            examples come again and others not at all.

    Raises:
        ValueError: a stream is to be drawn from with replacement.
    """

    def __init__(
        self,
        examples: Sequence[Example] | Stream,
        source: Codec,
        target: Codec,
        batch_size: int,
        seed: int,
        copying: bool = False,
        curriculum_fraction: Callable[[int], float] | None = None,
        replacement: bool = False,
    ):
        if replacement and isinstance(examples, Stream):
            raise ValueError(
                "training.replacement=true draws the examples of a finite set again and again; "
                "this task makes new ones without end: leave it out"
            )
        self.examples, self.source, self.target = examples, source, target
        self.batch_size, self.seed = batch_size, seed
        self.copying, self.replacement = copying, replacement
        self.curriculum_fraction = curriculum_fraction
        self._window: tuple[int, int, list[list[Example]]] = (-1, -1, [])
        self._order: tuple[int, np.ndarray | None] = (-1, None)

    @property
    def steps_per_epoch(self) -> int | None:
        """Batches in one pass over a finite set; None for a stream."""
        if isinstance(self.examples, Stream):
            return None
        return -(-len(self.examples) // self.batch_size)

    def __getitem__(self, step: int) -> Batch:
        epoch, index = (
            (0, step) if self.steps_per_epoch is None else divmod(step, self.steps_per_epoch)
        )
        number, place = divmod(index, WINDOW)
        if self._window[:2] != (epoch, number):
            self._window = (epoch, number, self._make_window(epoch, number))
        rows = self._window[2][place]
        return make_batch(rows, self.source, self.target, copying=self.copying)

    def iterate(self, start: int = 0) -> Iterator[Batch]:
        """Batches `start`, `start + 1`, ... without end."""
        step = start
        while True:
            yield self[step]
            step += 1

    def _length(self, example: Example) -> int:
        if self.curriculum_fraction is None:  # it only saves padding: characters will do
            return len(example.target)
        return len(self.target.tokens(example.target))

    def _draw_order(self, epoch: int) -> np.ndarray:
        rng, count = np.random.default_rng((self.seed, epoch)), len(self.examples)
        return rng.integers(count, size=count) if self.replacement else rng.permutation(count)

    def _make_window(self, epoch: int, number: int) -> list[list[Example]]:
        size = WINDOW * self.batch_size
        indices: Sequence[int] = range(number * size, (number + 1) * size)
        if self.steps_per_epoch is not None:
            if self._order[0] != epoch:
                self._order = (epoch, self._draw_order(epoch))
            indices = self._order[1][number * size : (number + 1) * size]
        window = sorted((self.examples[i] for i in indices), key=self._length)
        rng = np.random.default_rng((self.seed, epoch, number))
        if self.curriculum_fraction is not None:
            step = epoch * (self.steps_per_epoch or 0) + number * WINDOW
            short = max(1, round(self.curriculum_fraction(step) * len(window)))
            if short < len(window):
                window = [window[i] for i in sorted(rng.integers(short, size=len(window)))]
        batches = self._divide(window)
        rng.shuffle(batches)
        return batches

    def _divide(self, window: list[Example]) -> list[list[Example]]:
        """The batches of a window: `batch_size` examples each, or fewer beside a far longer one.

        A batch is as wide as its longest row: a row of 20,000 symbols among 255 words would need
        gigabytes. The number of batches stays, so that those of short rows have more of them.
        """
        size = self.batch_size
        starts = range(0, len(window), size)
        batches = [window[start : start + size] for start in starts]
        # To see that no row is long, characters will do: there are no more tokens, but for the end.
        longest = [max(len(text) for example in batch for text in example[:2]) for batch in batches]
        if all(size * bucket(length + 1) <= MOST_STEPS for length in longest):
            return batches
        lengths = [
            max(count_steps(example.source, self.source), count_steps(example.target, self.target))
            for example in window
        ]
        longest = [max(lengths[start : start + size]) for start in starts]
        if all(size * bucket(length) <= MOST_STEPS for length in longest):
            return batches
        divided = divide(lengths, len(batches), MOST_STEPS)
        return [[window[row] for row in rows] for rows in divided]


def count_steps(text: str, side: Codec) -> int:
    """The steps of `text` as a network reads or writes it, its end included."""
    return len(text.split()) if isinstance(side, Numbers) else len(side.tokens(text)) + 1


def divide(lengths: Sequence[int], count: int, most: int) -> list[list[int]]:
    """The rows of `count` batches: rows of like length together, and few where they are long.

    Args:
        lengths: steps of each row; at least `count` rows.
        count: batches.
        most: steps of a batch, padding included; more, if all rows are long.

    >>> divide([3, 3, 100, 3, 3], count=2, most=200)
    [[2], [0, 1, 3, 4]]
    """
    rest = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    batches = []
    for left in range(count, 0, -1):
        even = -(-len(rest) // left)
        size = max(1, min(even, most // bucket(lengths[rest[0]])))
        batches.append(rest[:size])
        rest = rest[size:]
    return divide(lengths, count, 2 * most) if rest else batches
