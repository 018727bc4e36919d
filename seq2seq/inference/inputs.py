"""Sources on their way in: what can be read, and which are decoded together."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from seq2seq.data.batching import bucket, check_text, encode_row
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import TAB, Tagged
from seq2seq.runtime.vocabulary import UNKNOWN

MOST_STEPS = 65_536  # source steps, padding included, that are decoded together
MOST_PAIRS = 2**25  # of a step and a symbol that it may copy, that are decoded together
MOST_ROOM = 2**22  # steps that answers may have, of all hypotheses that are followed together


class BadText(ValueError):
    """A text that can't be encoded.

    Attributes:
        side: `"source"` or `"target"`.
        number: which of them, counted from 1.
        reason: the cause.
    """

    side = "text"

    def __init__(self, number: int, reason: str):
        super().__init__(f"{self.side} {number}: {reason}")
        self.number, self.reason = number, reason


class BadSource(BadText):
    """A source that can't be encoded."""

    side = "source"


class BadTarget(BadText):
    """A target that can't be encoded."""

    side = "target"


def list_texts(name: str, texts: Iterable[str]) -> list[str]:
    """`texts` as a list; a text by itself is refused, since its symbols would be taken for texts.

    Args:
        name: of the argument, for messages.
        texts: what was received.

    Raises:
        ValueError: it is no list of anything.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        kind = "text " if isinstance(texts, str) else ""
        raise ValueError(f"{name} must be a list of texts, got the {kind}{texts!r:.80}")
    return list(texts)


def measure(texts: Sequence[str], side: Codec, unknown: str, copying: bool) -> list[int]:
    """The steps of each source, its end included.

    Args:
        texts: the sources.
        side: how they become numbers.
        unknown: what is done with unknown symbols, see `Decoding`.
        copying: whether the model copies symbols from the source.

    Raises:
        BadSource: one can't be encoded.
    """
    # What a pointer has never seen it can still copy.
    policy = "error" if unknown == "error" and not copying else "token"
    lengths = []
    for number, text in enumerate(texts, 1):
        try:
            check_text(text)
            if isinstance(side, Tagged):
                side.encode_tags(text, "token" if unknown == "copy" else unknown)
            lengths.append(len(encode_row(text, side, policy)))
        except ValueError as error:
            raise BadSource(number, str(error)) from None
    return lengths


def make_source(side: Codec, length: int) -> str:
    """A source of `length` symbols or values, for what needs its shape alone.

    Raises:
        ValueError: no symbol of the vocabulary makes such a text.
    """
    if isinstance(side, Numbers):
        return " ".join([",".join("0" * side.features)] * length)
    vocabulary, end = side, ""
    if isinstance(side, Tagged):
        vocabulary, end = side.symbols, TAB + next((t for t in side.tags if TAB not in t), "")
    for symbol in vocabulary.symbols[UNKNOWN + 1 :]:
        text = vocabulary.join([symbol] * length) + end
        if len(side.tokens(text)) == length:
            return text
    raise ValueError(f"no symbol of the source's vocabulary makes a text of {length} symbols")


def find_bad(texts: Sequence[str], side: Codec, unknown: str, copying: bool) -> dict[int, str]:
    """The sources that can't be encoded: their numbers, counted from 1, and why; see `measure`."""
    bad = {}
    for number, text in enumerate(texts, 1):
        try:
            measure([text], side, unknown, copying)
        except BadSource as error:
            bad[number] = error.reason
    return bad


def check_targets(targets: Sequence[str], side: Codec, unknown: str, copying: bool) -> None:
    """Raise a BadTarget that names the first target that can't be encoded.

    Args:
        targets: texts.
        side: how they become numbers.
        unknown: see `Vocabulary.encode`.
        copying: whether the model copies symbols from the source; then every symbol will do.
    """
    for number, text in enumerate(targets, 1):
        try:
            check_text(text)
            encode_row(text, side, "token" if copying else unknown)
        except ValueError as error:
            raise BadTarget(number, str(error)) from None


def group(
    lengths: Sequence[int],
    size: int,
    symbols: int | None = None,
    room_of: Callable[[int], int] | None = None,
) -> Iterator[list[int]]:
    """Numbers of sources of like length, the longest first; few at once where they are long.

    Args:
        lengths: steps of each source; one without a step is left out.
        size: the most that go together.
        symbols: of a model that looks at every pair of a step and a symbol, how many; None: it
            does not.
        room_of: steps of all hypotheses of a source of so many steps; None: there are none.
    """
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    order = [number for number in order if lengths[number]]  # no step: nothing to read
    while order:
        steps = bucket(lengths[order[0]])
        room = MOST_STEPS // steps
        if symbols is not None:
            room = min(room, MOST_PAIRS // (steps * (steps + symbols)))
        if room_of is not None:
            room = min(room, MOST_ROOM // max(1, room_of(steps)))
        count = max(1, min(size, room))
        yield order[:count]
        order = order[count:]


def fill(rows: Sequence[int], size: int) -> list[int]:
    """`rows` and copies of the first: a batch of any other size would be another shape."""
    count = min(size, 2 ** math.ceil(math.log2(len(rows))))
    return [*rows, *[rows[0]] * (count - len(rows))]
