"""From examples to arrays: padding, masks, length buckets, and a reproducible order.

Everything is padded on the right. Masks are explicit arrays: they alone mark real steps.
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
MAX_STEPS = 65_536  # of a batch's sources or targets, padding included, where rows differ much


class Batch(NamedTuple):
    """Arrays of one batch; tokens are int32, real values float32 with a last axis of features.

    Attributes:
        source: (batch, source time): the tokens and an end, or real values.
        source_mask: (batch, source time), True where `source` is real.
        target_in: (batch, target time): inputs of the decoder, a start and the tokens, or zeros and
            all values but the last.
        target_out: (batch, target time): labels, the tokens and an end, or the values.
        target_mask: (batch, target time), True where `target_out` is real.
        tags: (batch, tags) float32, 1.0 for each tag that a source has; None: the task has none.
        copies: (batch, source time), extended-vocabulary ids of the source (See et al. 2017); None:
            the model copies nothing.
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
        """Inputs of `Seq2Seq`."""
        arrays = {
            "source": self.source,
            "source_mask": self.source_mask,
            "target": self.target_in,
            "target_mask": self.target_mask,
            "tags": self.tags,
            "copies": self.copies,
        }
        return {name: array for name, array in arrays.items() if array is not None}

    @property
    def weights(self) -> np.ndarray:
        """(batch, target time) float32: 1 for real tokens, 0 for padding."""
        return self.target_mask.astype("float32")


def bucket(length: int) -> int:
    """Padded length: the next of 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, ...

    Beyond 16 at most a fifth is padding; few shapes exist, so that little is compiled.

    >>> [bucket(length) for length in (0, 3, 4, 5, 33, 65)]
    [4, 4, 4, 8, 40, 80]
    """
    step = max(4, 2 ** (max(length, 1) - 1).bit_length() // 8)
    return max(4, -(-length // step) * step)


def pad(
    rows: Sequence[Sequence[int] | np.ndarray], time: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pad `rows` on the right with zeros: (batch, time, ...), and their mask (batch, time).

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
        flat = np.concatenate(rows)
    else:
        flat = np.fromiter(chain.from_iterable(rows), "int32", lengths.sum())
    mask = np.arange(time) < lengths[:, None]
    padded = np.full((*mask.shape, *flat.shape[1:]), PAD, flat.dtype)
    padded[mask] = flat
    return padded, mask


def shift_right(target_out: np.ndarray, target_mask: np.ndarray, start: float) -> np.ndarray:
    """Inputs of the decoder for the labels `target_out`: a start, then the previous labels.

    >>> shift_right(np.array([[5, 4, 2, 0]]), np.array([[True, True, True, False]]), START).tolist()
    [[1, 5, 4, 0]]
    """
    target_in = np.full_like(target_out, start)
    target_in[:, 1:] = target_out[:, :-1]
    target_in[~target_mask] = PAD
    return target_in


def check_text(text: str) -> None:
    """Raise a ValueError unless `text` is text: a missing value, bytes, a list are not."""
    if not isinstance(text, str):
        raise ValueError(f"expected a text, got {text!r:.80}")


def encode_row(text: str, codec: Codec, unknown: str = "error") -> list[int] | np.ndarray:
    """Encode `text` for a network: ids and an end, or values (time, features).

    A decoder learns to stop from the end token; with it an empty source still has one step.
    """
    row = codec.encode(text, unknown)
    return row if isinstance(codec, Numbers) else [*row, END]


class EncodedSource(NamedTuple):
    """A source as a model reads it.

    Attributes:
        tokens: its symbols; of real values, a tuple of features per step.
        row: ids and an end, or values (time, features).
        tags: (tags,) float32; None: the task has none.
        copies: extended-vocabulary ids of the steps; None: the model copies nothing.
    """

    tokens: list
    row: list[int] | np.ndarray
    tags: np.ndarray | None = None
    copies: list[int] | None = None


def encode_source(
    text: str, source: Codec, target: Codec, unknown: str = "error", copying: bool = False
) -> EncodedSource:
    """Encode the text of a source.

    Args:
        text: the text.
        source, target: codecs of the two sides.
        unknown: policy for unknown symbols and tags, see `Vocabulary.encode`.
        copying: whether the model copies from the source, so that no symbol is unknown.

    Raises:
        ValueError: it is no text, or has an unknown symbol or tag.
    """
    check_text(text)
    tags = source.encode_tags(text, unknown) if isinstance(source, Tagged) else None
    row = encode_row(text, source, "token" if copying else unknown)
    tokens = source.tokens(text)
    copies = [*target.encode_copies(tokens, tokens), END] if copying else None
    return EncodedSource(tokens, row, tags, copies)


def stack_sources(sources: Sequence[EncodedSource]) -> dict[str, np.ndarray]:
    """Arrays of a batch of sources, by their names in `Batch`, padded to their bucket."""
    padded, mask = pad([source.row for source in sources])
    arrays = {"source": padded, "source_mask": mask}
    if sources[0].tags is not None:
        arrays["tags"] = np.stack([source.tags for source in sources])
    if sources[0].copies is not None:
        arrays["copies"], _ = pad([source.copies for source in sources])
    return arrays


def encode_target(
    text: str, source: EncodedSource, target: Codec, unknown: str = "error"
) -> list[int] | np.ndarray:
    """Encode the text of a target: ids and an end, or values.

    Args:
        text: the text.
        source: its source; a pointer may copy its symbols.
        target: codec of the target side.
        unknown: policy for unknown symbols, see `Vocabulary.encode`.

    Raises:
        ValueError: it is no text, or has an unknown symbol.
    """
    check_text(text)
    if source.copies is None:
        return encode_row(text, target, unknown)
    return [*target.encode_copies(target.tokens(text), source.tokens), END]


def stack_examples(
    sources: Sequence[EncodedSource], rows: Sequence[list[int] | np.ndarray]
) -> Batch:
    """Batch of encoded sources and targets, padded to their buckets."""
    target_out, target_mask = pad(rows)
    start = 0 if isinstance(rows[0], np.ndarray) else START
    target_in = shift_right(target_out, target_mask, start)
    return Batch(
        **stack_sources(sources),
        target_in=target_in,
        target_out=target_out,
        target_mask=target_mask,
    )


def make_batch(
    examples: Sequence[Example],
    source: Codec,
    target: Codec,
    unknown: str = "error",
    copying: bool = False,
) -> Batch:
    """Make the arrays of `examples`, padded to their buckets.

    Args:
        examples: one per row.
        source, target: codecs of the two sides.
        unknown: policy for unknown symbols, see `Vocabulary.encode`.
        copying: whether the model copies from the source (`readout="pointer"`).

    Raises:
        ValueError: names the source or target that can't be encoded.

    >>> from seq2seq.runtime.vocabulary import Vocabulary
    >>> letters = Vocabulary("ab")
    >>> make_batch([Example("ab", "ba")], letters, letters).target_in.tolist()
    [[1, 5, 4, 0]]
    """
    sources, rows = [], []
    for number, example in enumerate(examples, 1):
        side = "source"
        try:
            sources.append(encode_source(example.source, source, target, unknown, copying))
            side = "target"
            rows.append(encode_target(example.target, sources[-1], target, unknown))
        except ValueError as error:
            raise ValueError(f"{side} {number}: {error}") from None
    return stack_examples(sources, rows)


class Batches:
    """Training batches; number `step` is a pure function of (seed, step), so any run can resume.

    A finite set is shuffled anew each epoch and every example comes once an epoch, or it is drawn
    from with replacement; a stream never ends. Within windows of 16 batches examples of similar
    length are put together, which saves padding, and the window's batches are shuffled. A batch
    with a row that is far longer than the others has fewer rows, so that memory stays bounded.

    Args:
        examples: a list, or a `Stream`.
        source, target: codecs of the two sides.
        batch_size: examples per batch; the last of an epoch may be smaller, and one of long rows,
            whose other examples are in the batches beside it.
        seed: seed of the order.
        copying: whether the model copies from the source (`readout="pointer"`).
        curriculum_fraction: length curriculum: `curriculum_fraction(step)` of each window, its
            shortest examples, are drawn from; an epoch then repeats them in place of the longer
            ones. None: all are used, each once.
        replacement: whether each example of an epoch is drawn from the whole finite set, so that
            some come more than once and others not at all.

    Raises:
        ValueError: a stream can't be drawn from with replacement.
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
                "training.replacement=true draws from a finite set of examples; this task has an "
                "endless stream: leave it out"
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
        number, position = divmod(index, WINDOW)
        if self._window[:2] != (epoch, number):
            self._window = (epoch, number, self._make_window(epoch, number))
        rows = self._window[2][position]
        return make_batch(rows, self.source, self.target, copying=self.copying)

    def iterate(self, start: int = 0) -> Iterator[Batch]:
        """Yield batches `start`, `start + 1`, ... without end."""
        step = start
        while True:
            yield self[step]
            step += 1

    def _length(self, example: Example) -> int:
        if self.curriculum_fraction is None:  # characters are near enough to save padding
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
        """Divide a window into batches: `batch_size` examples each, or fewer beside a longer one.

        A batch is as wide as its longest row: a row of 20,000 symbols among 255 words would need
        gigabytes. The number of batches stays, so that those of short rows have more examples.
        """
        size = self.batch_size
        starts = range(0, len(window), size)
        batches = [window[start : start + size] for start in starts]
        # Characters bound the number of tokens, but for the end.
        longest = [max(len(text) for example in batch for text in example[:2]) for batch in batches]
        if all(size * bucket(length + 1) <= MAX_STEPS for length in longest):
            return batches
        lengths = [
            max(count_steps(example.source, self.source), count_steps(example.target, self.target))
            for example in window
        ]
        longest = [max(lengths[start : start + size]) for start in starts]
        if all(size * bucket(length) <= MAX_STEPS for length in longest):
            return batches
        divided = divide(lengths, len(batches), MAX_STEPS)
        return [[window[row] for row in rows] for rows in divided]


def count_steps(text: str, codec: Codec) -> int:
    """Number of steps of `text` in a network, its end included."""
    return len(text.split()) if isinstance(codec, Numbers) else len(codec.tokens(text)) + 1


def divide(lengths: Sequence[int], count: int, max_steps: int) -> list[list[int]]:
    """Divide rows into `count` batches of similar length, with few rows where they are long.

    Args:
        lengths: steps of each row; at least `count` rows.
        count: number of batches.
        max_steps: steps of a batch, padding included; more, if all rows are long.

    >>> divide([3, 3, 100, 3, 3], count=2, max_steps=200)
    [[2], [0, 1, 3, 4]]
    """
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    batches = []
    for batches_left in range(count, 0, -1):
        even = -(-len(rows) // batches_left)
        size = max(1, min(even, max_steps // bucket(lengths[rows[0]])))
        batches.append(rows[:size])
        rows = rows[size:]
    return divide(lengths, count, 2 * max_steps) if rows else batches
