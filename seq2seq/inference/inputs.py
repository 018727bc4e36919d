"""Inputs of a predictor: encoding of texts, and batches of similar length."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from seq2seq.data.batching import MAX_STEPS, EncodedSource, bucket, encode_source, encode_target
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import TAB, Tagged
from seq2seq.runtime.vocabulary import START, UNKNOWN

MAX_PAIRS = 2**25  # pairs of a source step and a symbol that it may copy, of a batch
MAX_ANSWER_STEPS = 2**22  # steps of the answers of a batch, of all hypotheses


class BadText(ValueError):
    """Error: a text can't be encoded.

    Attributes:
        side: `"source"` or `"target"`.
        number: of the text, counted from 1.
        reason: the cause.
    """

    side = "text"

    def __init__(self, number: int, reason: str):
        super().__init__(f"{self.side} {number}: {reason}")
        self.number, self.reason = number, reason


class BadSource(BadText):
    """Error: a source can't be encoded."""

    side = "source"


class BadTarget(BadText):
    """Error: a target can't be encoded."""

    side = "target"


def list_texts(name: str, texts: Iterable[str]) -> list[str]:
    """Return `texts` as a list.

    Args:
        name: of the argument, for messages.
        texts: an iterable of texts; a single text is refused, since it iterates over its symbols.

    Raises:
        ValueError: it is no list of texts.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        kind = "text " if isinstance(texts, str) else ""
        raise ValueError(f"{name} must be a list of texts, got the {kind}{texts!r:.80}")
    return list(texts)


def encode_texts(
    texts: Sequence[str], source: Codec, target: Codec, unknown: str, copying: bool
) -> list[EncodedSource]:
    """Encode sources; see `encode_source`.

    Args:
        texts: the sources.
        source, target: codecs of the two sides.
        unknown: policy for unknown symbols, see `Decoding`.
        copying: whether the model copies symbols from the source.

    Raises:
        BadSource: a source can't be encoded.
    """
    policy = "token" if unknown == "copy" else unknown
    sources = []
    for number, text in enumerate(texts, 1):
        try:
            sources.append(encode_source(text, source, target, policy, copying))
        except ValueError as error:
            raise BadSource(number, str(error)) from None
    return sources


def encode_prefixes(
    target: Codec, sources: Sequence[EncodedSource], prefix: str | Sequence[str] | None
) -> list[list[int]] | None:
    """Encode the first tokens of each answer.

    Args:
        target: codec of the target side.
        sources: encoded sources; a prefix may copy their symbols.
        prefix: a text for all, or one per source; None: there is none.

    Raises:
        ValueError: a prefix can't be encoded, or their number differs from that of the sources.
    """
    if prefix is None:
        return None
    if isinstance(target, Numbers):
        raise ValueError("real values have no prefix")
    is_one = isinstance(prefix, str)
    texts = [prefix] * len(sources) if is_one else list_texts("prefix", prefix)
    if len(texts) != len(sources):
        raise ValueError(f"{len(sources)} sources need as many prefixes, got {len(texts)}")
    rows = []
    for number, (text, source) in enumerate(zip(texts, sources, strict=True), 1):
        try:
            rows.append(encode_target(text, source, target)[:-1])  # without the end
        except ValueError as error:
            raise ValueError(f"prefix {number}: {error}") from None
    return rows


def encode_previous(target: Codec, tokens: Sequence | None, batch: int) -> np.ndarray:
    """Encode previous tokens, the inputs of a decoder's step.

    Args:
        target: codec of the target side.
        tokens: a symbol or an id per source; of real values (batch, features); None: the start.
        batch: number of sources.

    Returns:
        (batch,) ids, or (batch, features) values.

    Raises:
        ValueError: a symbol is not in the vocabulary.
    """
    if isinstance(target, Numbers):
        values = np.zeros((batch, target.features)) if tokens is None else tokens
        return np.asarray(values, "float32")
    if tokens is None:
        return np.full(batch, START, "int32")
    symbols = target.symbols
    for token in tokens:
        if isinstance(token, str) and token not in symbols:
            raise ValueError(f"{token!r} can't be a previous token: it is not in the vocabulary")
    ids = [symbols.index(token) if isinstance(token, str) else token for token in tokens]
    return np.array(ids, "int32")


def make_source(codec: Codec, length: int) -> str:
    """Make a source of `length` symbols or values, to compile for its shape.

    Raises:
        ValueError: no symbol of the vocabulary makes such a text.
    """
    if isinstance(codec, Numbers):
        return " ".join([",".join("0" * codec.features)] * length)
    vocabulary, tag = codec, ""
    if isinstance(codec, Tagged):
        vocabulary, tag = codec.symbols, TAB + next((t for t in codec.tags if TAB not in t), "")
    for symbol in vocabulary.symbols[UNKNOWN + 1 :]:
        text = vocabulary.join([symbol] * length) + tag
        if len(codec.tokens(text)) == length:
            return text
    raise ValueError(f"no symbol of the source's vocabulary makes a text of {length} symbols")


def batches_by_length(
    lengths: Sequence[int],
    size: int,
    symbols: int | None = None,
    answer_steps: Callable[[int], int] | None = None,
) -> Iterator[list[int]]:
    """Yield batches of row numbers of similar length, the longest first; long ones are small.

    Args:
        lengths: steps of each source; sources without a step are left out.
        size: rows of a batch at most.
        symbols: vocabulary of a pointer, which computes all pairs of step and symbol; None: there
            is no pointer.
        answer_steps: steps of all hypotheses, by the steps of a source; None: no hypotheses.
    """
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    order = [number for number in order if lengths[number]]
    while order:
        steps = bucket(lengths[order[0]])
        rows = MAX_STEPS // steps
        if symbols is not None:
            rows = min(rows, MAX_PAIRS // (steps * (steps + symbols)))
        if answer_steps is not None:
            rows = min(rows, MAX_ANSWER_STEPS // max(1, answer_steps(steps)))
        count = max(1, min(size, rows))
        yield order[:count]
        order = order[count:]


def pad_batch(rows: Sequence[int], size: int) -> list[int]:
    """`rows` and copies of the first, up to a power of 2: few batch sizes are compiled."""
    count = min(size, 2 ** math.ceil(math.log2(len(rows))))
    return [*rows, *[rows[0]] * (count - len(rows))]
