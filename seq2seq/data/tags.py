"""Tags beside a source: what inflection needs, as in `walk<TAB>V;PST` -> `walked`."""

from collections.abc import Iterable

import numpy as np

from seq2seq.data.vocabulary import Numbers, Vocabulary, check_texts
from seq2seq.runtime.numpy_runtime import describe_unknown_tag, number_tags, split_tags

TAB = "\t"  # stands between a source and its tags, wherever both are one text


def check_separator(separator: str) -> str:
    """`separator` if it can stand between tags."""
    if not isinstance(separator, str) or not separator or TAB in separator:
        raise ValueError(f"the separator of tags must be text without a tab, got {separator!r}")
    check_texts("the separator's characters", separator)
    return separator


class Tagged:
    """A source side whose text is `source<TAB>tags`; the source becomes tokens, the tags a bag.

    Their order has no meaning, their number has: the second `PRF` of a source is a tag of its own.
    A separator inside brackets belongs to the tag. It has the verbs of a `Vocabulary`, which see
    the source only, and `encode_tags`.

    Args:
        symbols: the source's own vocabulary.
        tags: all tags, in the order of their places in what `encode_tags` returns; the n-th of
            several equal ones is followed by a tab and n.
        separator: stands between two tags of a source.
        multiset: False: each tag counts once and brackets mean nothing, as in artefacts of
            format 2.

    >>> side = Tagged.build(["walk\\tV;PST", "sing\\tV;PRS"], "characters")
    >>> side.tokens("sink\\tV;PRS"), side.encode_tags("sink\\tV;PRS").tolist()
    (['s', 'i', 'n', 'k'], [1.0, 0.0, 1.0])
    """

    def __init__(
        self,
        symbols: Vocabulary,
        tags: Iterable[str],
        separator: str = ";",
        multiset: bool = True,
    ):
        if not isinstance(symbols, Vocabulary):
            raise ValueError(f"tags stand beside a Vocabulary, got {symbols!r}")
        self.symbols, self.tags = symbols, tuple(tags)
        self.separator, self.multiset = check_separator(separator), multiset
        check_texts("tags", self.tags)
        self._places = {tag: place for place, tag in enumerate(self.tags)}
        if len(self._places) < len(self.tags):
            raise ValueError(f"a tag stands twice: {', '.join(self.tags)}")

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        tokeniser: str,
        separator: str = ";",
        normalization: str = "none",
    ) -> "Tagged":
        """The side that all of `texts` make, symbols and tags in sorted order."""
        side = cls(Vocabulary("", tokeniser, normalization), (), separator)
        parts = [side.split(text) for text in texts]
        tags = sorted({tag for _, own in parts for tag in number_tags(own)})
        symbols = Vocabulary.build((source for source, _ in parts), tokeniser, normalization)
        return cls(symbols, tags, separator)

    def __len__(self) -> int:
        return len(self.symbols)

    def split(self, text: str) -> tuple[str, list[str]]:
        """The source and its tags; without a tab there are none."""
        source, tab, tags = text.rpartition(TAB)
        if not tab:
            return text, []
        if self.multiset:
            return source, split_tags(self.symbols.canonical(tags), self.separator)
        return source, [tag.strip() for tag in tags.split(self.separator) if tag.strip()]

    def canonical(self, text: str) -> str:
        """`text` in the normal form, its tags in sorted order: equal sources have equal texts.

        >>> Tagged(Vocabulary("a"), ["V", "PST"]).canonical("a\\tV; PST;V")
        'a\\tPST;V;V'
        """
        source, tags = self.split(text)
        tags = sorted(tags) if self.multiset else sorted(set(tags))
        return self.symbols.canonical(source) + TAB + self.separator.join(tags)

    def tokens(self, text: str) -> list[str]:
        """The symbols of the source."""
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
            unknown: what to do with a tag outside the set, or with a text without a tab: `"error"`,
                or `"token"` to go on without.

        Raises:
            ValueError: names the unknown tag, or says that there are none.
        """
        if TAB not in text and unknown == "error":
            raise ValueError(f"{text!r} has no tags: expected source<TAB>tags")
        found = np.zeros(len(self.tags), "float32")
        tags = self.split(text)[1]
        for tag in number_tags(tags) if self.multiset else tags:
            if tag in self._places:
                found[self._places[tag]] = 1.0
            elif unknown == "error":
                raise ValueError(describe_unknown_tag(tag, self.separator, self.tags))
        return found

    def to_config(self) -> dict:
        """A dictionary for JSON; `from_config` reads it."""
        own = {
            "kind": "tagged",
            "symbols": self.symbols.to_config(),
            "tags": self.tags,
            "separator": self.separator,
        }
        return own if self.multiset else {**own, "multiset": False}


Side = Vocabulary | Numbers | Tagged  # how one side of a task becomes numbers


def from_config(config: dict) -> Side:
    """What a side's `to_config` wrote."""
    arguments = {key: value for key, value in config.items() if key != "kind"}
    kind = config.get("kind")
    if kind == "tokens":
        return Vocabulary(**arguments)
    if kind == "numbers":
        return Numbers(**arguments)
    if kind == "tagged":
        return Tagged(**{**arguments, "symbols": from_config(arguments["symbols"])})
    raise ValueError(f"expected kind 'tokens', 'numbers' or 'tagged', got {kind!r}")
