"""Tags beside a source, as in inflection: `walk<TAB>V;PST` -> `walked`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seq2seq.runtime.vocabulary import Vocabulary, check_texts

TAB = "\t"  # between a source and its tags, wherever both are one text


def check_separator(separator: str) -> str:
    """Return `separator` if it can separate tags."""
    if not isinstance(separator, str) or not separator or TAB in separator:
        raise ValueError(f"the separator of tags must be text without a tab, got {separator!r}")
    check_texts("the separator's characters", separator)
    return separator


def split_tags(text: str, separator: str) -> list[str]:
    """Split a column of tags at `separator`, except inside brackets.

    >>> split_tags("N;ABL(PL;PSS(2,PL))", ";")
    ['N', 'ABL(PL;PSS(2,PL))']
    """
    parts = text.split(separator)
    if text.count("(") == text.count(")"):
        parts = _close_brackets(parts, separator)
    return [part.strip() for part in parts if part.strip()]


def _close_brackets(parts: list[str], separator: str) -> list[str]:
    closed, depth = [], 0
    for part in parts:
        if depth > 0:
            closed[-1] += separator + part
        else:
            closed.append(part)
        depth += part.count("(") - part.count(")")
    return closed


def number_tags(tags: list[str]) -> list[str]:
    """Name each tag; the second of two equal ones is a tag of its own.

    >>> number_tags(["V", "PRF", "PRF"])
    ['V', 'PRF', 'PRF\\t2']
    """
    counts = {}
    names = []
    for tag in tags:
        counts[tag] = counts.get(tag, 0) + 1
        names.append(tag if counts[tag] == 1 else f"{tag}{TAB}{counts[tag]}")  # no tag has a tab
    return names


def describe_unknown_tag(tag: str, separator: str, tags: Iterable[str]) -> str:
    """Message about a tag that was never seen in training."""
    name, _, number = tag.partition(TAB)
    times = f" {number} times in one source" if number else ""
    known = ", ".join(tag for tag in tags if TAB not in tag)
    return (
        f"tag {name!r} was never seen{times} in training (--unknown token leaves it out); tags are "
        f"separated by {separator!r}, there are: {known}"
    )


class Tagged:
    """Source codec of `source<TAB>tags`; the source becomes tokens, the tags a bag.

    Their order has no meaning, their number has: the second `PRF` of a source is a tag of its own.
    A separator inside brackets belongs to the tag. It has the methods of a `Vocabulary`, which read
    the source only, and `encode_tags`.

    Args:
        symbols: vocabulary of the source.
        tags: all tags, in the order of their positions in the result of `encode_tags`; the n-th of
            several equal ones is followed by a tab and n.
        separator: between two tags of a source.

    Raises:
        ValueError: no vocabulary, a tag that is no text or occurs twice, an empty separator.

    >>> codec = Tagged.build(["walk\\tV;PST", "sing\\tV;PRS"], "characters")
    >>> codec.tokens("sink\\tV;PRS"), codec.encode_tags("sink\\tV;PRS").tolist()
    (['s', 'i', 'n', 'k'], [1.0, 0.0, 1.0])
    """

    def __init__(self, symbols: Vocabulary, tags: Iterable[str], separator: str = ";"):
        if not isinstance(symbols, Vocabulary):
            raise ValueError(f"tags need a Vocabulary of the source, got {symbols!r}")
        self.symbols, self.tags = symbols, tuple(tags)
        self.separator = check_separator(separator)
        check_texts("tags", self.tags)
        self._positions = {tag: position for position, tag in enumerate(self.tags)}
        if len(self._positions) < len(self.tags):
            raise ValueError(f"a tag occurs twice: {', '.join(self.tags)}")

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        tokenizer: str,
        separator: str = ";",
        normalization: str = "none",
    ) -> Tagged:
        """Make the codec of all `texts`, symbols and tags in sorted order."""
        empty = cls(Vocabulary("", tokenizer, normalization), (), separator)
        parts = [empty.split(text) for text in texts]
        tags = sorted({tag for _, tags_of_source in parts for tag in number_tags(tags_of_source)})
        symbols = Vocabulary.build((source for source, _ in parts), tokenizer, normalization)
        return cls(symbols, tags, separator)

    def __len__(self) -> int:
        return len(self.symbols)

    def split(self, text: str) -> tuple[str, list[str]]:
        """Source and tags of a text; without a tab there are none."""
        source, tab, tags = text.rpartition(TAB)
        if not tab:
            return text, []
        return source, split_tags(self.symbols.canonical(tags), self.separator)

    def canonical(self, text: str) -> str:
        """`text` in its normal form, with sorted tags: equal sources have equal texts.

        >>> Tagged(Vocabulary("a"), ["V", "PST"]).canonical("a\\tV; PST;V")
        'a\\tPST;V;V'
        """
        source, tags = self.split(text)
        return self.symbols.canonical(source) + TAB + self.separator.join(sorted(tags))

    def tokens(self, text: str) -> list[str]:
        """Symbols of the source."""
        return self.symbols.tokens(self.split(text)[0])

    def encode(self, text: str, unknown: str = "error") -> list[int]:
        """Token ids of the source; see `Vocabulary.encode`.

        Raises:
            ValueError: the source itself holds a tab, or an unknown symbol.
        """
        source = self.split(text)[0]
        if TAB in source:
            raise ValueError(f"{text!r} holds two tabs: expected source<TAB>tags")
        return self.symbols.encode(source, unknown)

    def encode_tags(self, text: str, unknown: str = "error") -> np.ndarray:
        """(tags,) float32, 1.0 for each tag of `text`.

        Args:
            text: source, tab and tags.
            unknown: policy for a tag outside the set, or a text without a tab: `"error"`, or
                `"token"` to leave it out.

        Raises:
            ValueError: an unknown tag, which is named, or no tags at all.
        """
        if TAB not in text and unknown == "error":
            raise ValueError(f"{text!r} has no tags: expected source<TAB>tags")
        bag = np.zeros(len(self.tags), "float32")
        for tag in number_tags(self.split(text)[1]):
            if tag in self._positions:
                bag[self._positions[tag]] = 1.0
            elif unknown == "error":
                raise ValueError(describe_unknown_tag(tag, self.separator, self.tags))
        return bag

    def to_config(self) -> dict:
        """Dictionary for JSON; see `codec.make_codec`."""
        return {
            "kind": "tagged",
            "symbols": self.symbols.to_config(),
            "tags": self.tags,
            "separator": self.separator,
        }
