"""Vocabulary: text to token ids and back, by a tokenizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from seq2seq.runtime.tokenization import (
    JOINTS,
    NORMAL_FORMS,
    TOKENIZERS,
    describe_symbol,
    normalize,
)
from seq2seq.runtime.validation import check_choice

PAD, START, END, UNKNOWN = range(4)
UNKNOWN_POLICIES = ("error", "token")  # for symbols outside the vocabulary
SPECIALS = ("<pad>", "<start>", "<end>", "<unknown>")


def check_texts(name: str, texts: Sequence[str]) -> None:
    """Raise a ValueError unless all of `texts` are text that can be written to a file."""
    if wrong := [text for text in texts if type(text) is not str]:
        raise ValueError(f"{name} must be texts, got {wrong[0]!r:.80}")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"{name} hold {half!r}, half a surrogate pair: no character") from None


class Vocabulary:
    """Symbols of a side of a task with their ids; ids 0 to 3 are pad, start, end, unknown.

    Args:
        symbols: the symbols in the order of their ids, from id 4 on.
        tokenizer: `"characters"` (each code point), `"graphemes"` (user-perceived characters:
            letters with their marks, conjuncts, emoji; UAX 29), `"words"` (runs of word characters
            with their combining marks and joiners, and each punctuation mark) or `"symbols"`
            (separated by white space).
        normalization: Unicode normal form (UAX 15) of every text before it is split: `"nfc"`,
            `"nfd"`, `"nfkc"` or `"none"`.

    Raises:
        ValueError: an unknown tokenizer or form, a symbol that is no text or occurs twice.

    >>> vocabulary = Vocabulary("abc")
    >>> vocabulary.encode("cab")
    [6, 4, 5]
    >>> vocabulary.decode([6, 4, 5, 2, 4])
    'cab'
    """

    def __init__(
        self, symbols: Iterable[str], tokenizer: str = "characters", normalization: str = "none"
    ):
        self.tokenizer = check_choice("tokenizer", tokenizer, TOKENIZERS)
        self.normalization = check_choice("normalization", normalization, NORMAL_FORMS)
        learned = tuple(symbols)
        self.symbols = (*SPECIALS, *learned)
        check_texts("symbols of a vocabulary", learned)
        # Text that spells "<end>" is not the end: special symbols have no ids here.
        self._ids = {symbol: number for number, symbol in enumerate(learned, len(SPECIALS))}
        if len(self._ids) < len(learned):
            twice = [symbol for symbol, count in Counter(learned).items() if count > 1]
            raise ValueError(f"symbols occur twice in the vocabulary: {twice[:5]}")

    @classmethod
    def build(cls, texts: Iterable[str], tokenizer: str, normalization: str = "none") -> Vocabulary:
        """Make the vocabulary of all symbols in `texts`, in sorted order.

        >>> Vocabulary.build(["K AE T", "K IH T"], "symbols").symbols[4:]
        ('AE', 'IH', 'K', 'T')
        """
        empty = cls((), tokenizer, normalization)
        symbols: set[str] = set()
        for text in texts:
            symbols.update(empty.tokens(text))
        return cls(sorted(symbols), tokenizer, normalization)

    def __len__(self) -> int:
        return len(self.symbols)

    def canonical(self, text: str) -> str:
        """`text` in its normal form, which is the same for equivalent texts."""
        return normalize(text, self.normalization)

    def tokens(self, text: str) -> list[str]:
        """Symbols of `text`."""
        return TOKENIZERS[self.tokenizer](self.canonical(text))

    def encode(self, text: str, unknown: str = "error") -> list[int]:
        """Token ids of `text`, without start and end.

        Args:
            text: the text.
            unknown: policy for a symbol outside the vocabulary: `"error"`, or `"token"` for the id
                of the unknown token.

        Raises:
            ValueError: an unknown symbol; it and its position (counted from 1) are named.
        """
        tokens = self.tokens(text)
        ids = self._ids
        numbers = [ids.get(token, UNKNOWN) for token in tokens]
        if unknown == "error" and UNKNOWN in numbers:
            position = numbers.index(UNKNOWN)
            raise ValueError(
                f"symbol {describe_symbol(tokens[position])} at position {position + 1} was never "
                "seen in training; remove it, or read it as the unknown token (--unknown token; "
                'in Python unknown="token")'
            )
        return numbers

    def encode_copies(self, tokens: Sequence[str], source: Sequence[str]) -> list[int]:
        """Extended-vocabulary ids of `tokens` for a pointer over `source` (See et al. 2017).

        A symbol outside the vocabulary that occurs in the source has the id `len(self)` plus its
        first position there; another is unknown.

        >>> Vocabulary("ab").encode_copies("azb", source="xbz")
        [4, 8, 5]
        """
        first = {
            symbol: len(self) + position for position, symbol in reversed(list(enumerate(source)))
        }
        return [self._ids.get(token, first.get(token, UNKNOWN)) for token in tokens]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` up to the first end; pad and start are left out."""
        return self.join(self.decode_tokens(ids))

    def join(self, tokens: Iterable[str]) -> str:
        """Text of symbols."""
        return JOINTS[self.tokenizer].join(tokens)

    def decode_tokens(self, ids: Sequence[int], source: Sequence[str] = ()) -> list[str]:
        """Symbols of `ids` up to the first end; pad and start are left out.

        Args:
            ids: ids of symbols.
            source: symbols of the source, for ids beyond the vocabulary; see `encode_copies`.
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
        """Dictionary for JSON; see `codec.make_codec`."""
        config = {
            "kind": "tokens",
            "tokenizer": self.tokenizer,
            "symbols": self.symbols[len(SPECIALS) :],
        }
        if self.normalization != "none":
            config["normalization"] = self.normalization
        return config
