"""How text becomes numbers and numbers become text again.

A `Vocabulary` turns text into token ids through a tokeniser; `Numbers` turns text such as
`"0.5 0.25"` into real values. Both have the same four verbs (`tokens`, `encode`, `decode`,
`to_config`), so that tasks, batching and prediction need not know which of the two they hold.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.runtime.numpy_runtime import (
    FORMS,
    JOINTS,
    SPLITS,
    describe_symbol,
    normalize,
    write_number,
)
from seq2seq.runtime.validation import check_choice, check_count

PAD, START, END, UNKNOWN = range(4)
LARGEST = 1e30  # of real values: well inside float32
LEAST_SPREAD = 1e-12  # of a feature, as a share of its mean: less is rounding
SPECIALS = ("<pad>", "<start>", "<end>", "<unknown>")


class Tokeniser(NamedTuple):
    """A way to split text into symbols and to join symbols into text."""

    split: Callable[[str], list[str]]
    join: Callable[[Iterable[str]], str]


# Those of `OLD` are only read, from artefacts that were written with them.
TOKENISERS = {name: Tokeniser(split, JOINTS[name].join) for name, split in SPLITS.items()}
OLD = ("words_without_marks",)
CHOICES = tuple(name for name in TOKENISERS if name not in OLD)


def check_texts(name: str, texts: Sequence[str]) -> None:
    """Raise a ValueError unless all of `texts` are text that can be written to a file."""
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise ValueError(f"{name} must be texts, got {wrong[0]!r}")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"{name} hold {half!r}, half a surrogate pair: no character") from None


class Vocabulary:
    """The symbols of one side of a task, each with its id; ids 0 to 3 are pad, start, end, unknown.

    Args:
        symbols: the symbols in the order of their ids, from id 4 on.
        tokeniser: `"characters"` (each code point), `"graphemes"` (what a reader takes for one
            character: letters with their marks, conjuncts, emoji; UAX 29), `"words"` (runs of word
            characters with their combining marks and joiners, and each punctuation mark) or
            `"symbols"` (whatever white space separates).
        normalization: the normal form of Unicode (UAX 15) that every text is brought to before it
            is split: `"nfc"`, `"nfd"`, `"nfkc"` or `"none"`.

    Raises:
        ValueError: for an unknown tokeniser or form, a symbol that is no text or stands twice.

    >>> vocabulary = Vocabulary("abc")
    >>> vocabulary.encode("cab")
    [6, 4, 5]
    >>> vocabulary.decode([6, 4, 5, 2, 4])
    'cab'
    """

    def __init__(
        self, symbols: Iterable[str], tokeniser: str = "characters", normalization: str = "none"
    ):
        self.tokeniser = check_choice("tokeniser", tokeniser, TOKENISERS)
        self.normalization = check_choice("normalization", normalization, FORMS)
        self.symbols = (*SPECIALS, *symbols)
        own = self.symbols[len(SPECIALS) :]  # text that spells "<end>" is not the end
        check_texts("symbols of a vocabulary", own)
        self._ids = {symbol: number for number, symbol in enumerate(own, len(SPECIALS))}
        if len(self._ids) < len(own):
            twice = [symbol for symbol, count in Counter(own).items() if count > 1]
            raise ValueError(f"symbols stand twice in the vocabulary: {twice[:5]}")

    @classmethod
    def build(
        cls, texts: Iterable[str], tokeniser: str, normalization: str = "none"
    ) -> "Vocabulary":
        """The vocabulary of all symbols in `texts`, in sorted order.

        >>> Vocabulary.build(["K AE T", "K IH T"], "symbols").symbols[4:]
        ('AE', 'IH', 'K', 'T')
        """
        empty = cls((), tokeniser, normalization)
        symbols: set[str] = set()
        for text in texts:
            symbols.update(empty.tokens(text))
        return cls(sorted(symbols), tokeniser, normalization)

    def __len__(self) -> int:
        return len(self.symbols)

    def canonical(self, text: str) -> str:
        """`text` as all texts that mean the same are written: in the normal form."""
        return normalize(text, self.normalization)

    def tokens(self, text: str) -> list[str]:
        """The symbols of `text`."""
        return TOKENISERS[self.tokeniser].split(self.canonical(text))

    def encode(self, text: str, unknown: str = "error") -> list[int]:
        """Token ids of `text`, without start and end.

        Args:
            text: the text.
            unknown: what to do with a symbol outside the vocabulary: `"error"` or `"token"`
                (the unknown token's id stands for it).

        Raises:
            ValueError: names the unknown symbol and its place (counted from 1).
        """
        tokens = self.tokens(text)
        ids = self._ids
        numbers = [ids.get(token, UNKNOWN) for token in tokens]
        if unknown == "error" and UNKNOWN in numbers:
            place = numbers.index(UNKNOWN)
            raise ValueError(
                f"symbol {describe_symbol(tokens[place])} at position {place + 1} was never seen "
                "in training; remove it, or let the unknown token stand for it (--unknown token; "
                'in Python unknown="token")'
            )
        return numbers

    def encode_copies(self, tokens: Sequence[str], source: Sequence[str]) -> list[int]:
        """The numbers of `tokens` for a model that copies from `source`, as a pointer does.

        A symbol outside the vocabulary that stands in the source has the number `len(self)` plus
        its first place there; one that does not is unknown.

        >>> Vocabulary("ab").encode_copies("azb", source="xbz")
        [4, 8, 5]
        """
        first = {symbol: len(self) + place for place, symbol in reversed(list(enumerate(source)))}
        return [self._ids.get(token, first.get(token, UNKNOWN)) for token in tokens]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` up to the first end; pad and start are left out."""
        return self.join(self.decode_tokens(ids))

    def join(self, tokens: Iterable[str]) -> str:
        """Text of symbols."""
        return TOKENISERS[self.tokeniser].join(tokens)

    def decode_tokens(self, ids: Sequence[int], source: Sequence[str] = ()) -> list[str]:
        """Symbols of `ids` up to the first end; pad and start are left out.

        Args:
            ids: numbers of symbols.
            source: the symbols that numbers beyond the vocabulary point at; see `encode_copies`.
        """
        tokens = []
        for number in ids:
            if number == END:
                break
            if number >= len(self):
                tokens.append(source[number - len(self)])
            elif number not in (PAD, START):
                tokens.append(self.symbols[number])
        return tokens

    def to_config(self) -> dict:
        """A dictionary for JSON; `seq2seq.data.tags.from_config` reads it."""
        own = {
            "kind": "tokens",
            "tokeniser": self.tokeniser,
            "symbols": self.symbols[len(SPECIALS) :],
        }
        normal = self.normalization != "none"
        return {**own, "normalization": self.normalization} if normal else own


def to_float(text: str) -> float:
    """The number that `text` spells; `1_000`, which Python reads, is none.

    Raises:
        ValueError: it spells no number.
    """
    if "_" in text:
        raise ValueError(f"{text!r} is no number")
    return float(text)


class Numbers:
    """One side of a real-valued task: text holds numbers, a time step each, separated by spaces.

    A step of several features joins them with commas: `"0.1,0.2 0.3,0.4"`. The network sees
    `(value - mean) / scale`; text is always in the values' own units.

    Args:
        features: values per time step.
        mean, scale: what standardises the values, one number for each feature, or one for all; 0
            and 1 leave them as they are.

    >>> Numbers().encode("0.5 -1").tolist()
    [[0.5], [-1.0]]
    >>> Numbers(features=2).decode([[0.5, 1], [2, 3]])
    '0.5,1 2,3'
    """

    def __init__(
        self,
        features: int = 1,
        mean: float | Sequence[float] = 0.0,
        scale: float | Sequence[float] = 1.0,
    ):
        self.features = check_count("features", features)
        self.mean = self._check_statistics("mean", mean)
        if not (np.array(scale, "float64") > 0).all():
            raise ValueError(f"scale must be positive, got {scale}")
        self.scale = self._check_statistics("scale", scale)

    def _check_statistics(self, name: str, values: float | Sequence[float]) -> np.ndarray:
        numbers = np.array(values, "float64")
        if numbers.shape not in ((), (self.features,)) or not np.isfinite(numbers).all():
            raise ValueError(
                f"{name} must be a finite number, or {self.features} of them, got {values}"
            )
        return np.broadcast_to(numbers, self.features)

    @classmethod
    def build(cls, texts: Sequence[str]) -> "Numbers":
        """Features, and the mean and scale of each, as they are in `texts`.

        A feature that is constant (but for rounding) has scale 1.
        """
        first = next((text.split()[0] for text in texts if text.strip()), "0")
        plain = cls(features=first.count(",") + 1)
        values = np.concatenate([plain._parse(text) for text in texts])  # float64: large offsets
        center = values[:1] if len(values) else np.zeros((1, plain.features))
        mean = center[0] + (values - center).mean(0)
        scale = (values - mean).std(0)
        constant = scale <= LEAST_SPREAD * np.abs(mean)
        return cls(plain.features, mean, np.where(constant, 1.0, scale))

    def canonical(self, text: str) -> str:
        """`text` itself."""
        return text

    def tokens(self, text: str) -> list[tuple[float, ...]]:
        """The values of `text` in their own units, one tuple of features a step.

        Raises:
            ValueError: names the step that is not a number or has another count of features.
        """
        return [tuple(step) for step in self._parse(text).tolist()]

    def encode(self, text: str, unknown: str = "error") -> np.ndarray:
        """Standardised values of `text`, float32 of shape (time, features)."""
        del unknown  # numbers know no unknown symbols
        return ((self._parse(text) - self.mean) / self.scale).astype("float32")

    def _parse(self, text: str) -> np.ndarray:
        steps = text.split()
        try:
            rows = [[to_float(value) for value in step.split(",")] for step in steps]
            values = np.array(rows, "float64").reshape(len(steps), self.features)
        except ValueError:
            values = None
        if values is None or not (np.abs(values) <= LARGEST).all():
            raise ValueError(self._describe_wrong_step(steps))
        return values

    def _describe_wrong_step(self, steps: list[str]) -> str:
        for place, step in enumerate(steps, 1):
            try:
                right = np.abs([to_float(value) for value in step.split(",")]) <= LARGEST
            except ValueError:
                return f"{step!r} at position {place} is not a number"
            if not right.all() or len(right) != self.features:
                break
        return (
            f"{step!r} at position {place} must hold {self.features} finite value(s) of at most "
            f"{LARGEST:g}, separated by commas"
        )

    def decode(self, values: np.ndarray) -> str:
        """Text of standardised `values` (time, features)."""
        return self.join(self.decode_tokens(values))

    def join(self, tokens: Iterable[tuple[float, ...]]) -> str:
        """Text of values in their own units, with the digits that their spread calls for."""
        return " ".join(",".join(map(write_number, step, self.scale)) for step in tokens)

    def decode_tokens(self, values: np.ndarray, source: Sequence = ()) -> list[tuple[float, ...]]:
        """Values (time, features) in their own units, one tuple a step."""
        del source  # nothing is copied
        restored = np.asarray(values, "float64") * self.scale + self.mean
        return [tuple(step) for step in restored.reshape(-1, self.features).tolist()]

    def to_config(self) -> dict:
        """A dictionary for JSON; `seq2seq.data.tags.from_config` reads it."""
        return {
            "kind": "numbers",
            "features": self.features,
            **{name: self._as_plain(name) for name in ("mean", "scale")},
        }

    def _as_plain(self, name: str) -> float | list[float]:
        numbers = getattr(self, name).tolist()
        return numbers[0] if len(set(numbers)) == 1 else numbers
