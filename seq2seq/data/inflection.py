"""Inflection: lemma and tags to a form, in a small invented language of English kind."""

import random
import string
from dataclasses import dataclass

from seq2seq.data.generated_task import GeneratedTask
from seq2seq.data.task import Example
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.validation import check_count, check_range
from seq2seq.runtime.vocabulary import Vocabulary

ONSETS = "b c d f g h j k l m n p r s t v w bl br cl cr dr fl gl gr pl pr sc sh sk sl sp st tr"
VOWELS = "a e i o u"
CODAS = "b ck d g ll m n ng ng ng nk nk nk p r rd rt s sh sk st t x"
ENDINGS = ("", "", "e", "y")  # of a lemma, after its last coda
STRONG = {"i": "a", "e": "o", "a": "e"}  # the last vowel of an irregular verb, in the past
TAGS = (
    *("V;NFIN", "V;PRS;3;SG", "V;PST", "V;PTCP;PRS", "V;PTCP;PST"),
    *("N;SG", "N;PL", "N;SG;GEN", "N;PL;GEN", "ADJ;CMPR", "ADJ;SPRL"),
)


def attach(lemma: str, ending: str) -> str:
    """`lemma` with a regular ending, spelled as English does.

    >>> [attach(*pair) for pair in (("hope", "ed"), ("try", "ed"), ("stop", "ing"), ("box", "s"))]
    ['hoped', 'tried', 'stopping', 'boxes']
    """
    before_vowel = ending[0] in VOWELS
    if ending == "s" and lemma.endswith(("s", "x", "sh")):
        return lemma + "es"
    if lemma.endswith("y") and lemma[-2] not in VOWELS and ending != "ing":
        return lemma[:-1] + ("ies" if ending == "s" else "i" + ending)
    if lemma.endswith("e") and before_vowel:
        return lemma[:-1] + ending
    one_vowel = sum(letter in "aeiou" for letter in lemma) == 1
    if before_vowel and one_vowel and lemma[-2] in VOWELS and lemma[-1] not in "wxy":
        return lemma + lemma[-1] + ending
    return lemma + ending


def change_vowel(lemma: str) -> str:
    """`lemma` with its last vowel changed, as the past of an irregular verb has it.

    >>> change_vowel("sing"), change_vowel("spend")
    ('sang', 'spond')
    """
    index = max(lemma.rfind(vowel) for vowel in STRONG)
    return lemma[:index] + STRONG[lemma[index]] + lemma[index + 1 :]


def is_strong(lemma: str) -> bool:
    """Whether the verb is irregular by its shape: it ends like `sing`, `drink` or `hang`.

    >>> [is_strong(lemma) for lemma in ("sing", "walk")]
    [True, False]
    """
    return lemma.endswith(("ing", "ink", "eng", "enk", "ang", "ank"))


def inflect(lemma: str, tags: str) -> str:
    """The form of `lemma` with `tags`.

    >>> [inflect("walk", tags) for tags in ("V;PST", "V;PRS;3;SG", "N;PL;GEN")]
    ['walked', 'walks', "walks'"]
    >>> inflect("sing", "V;PST"), inflect("sing", "V;PTCP;PST"), inflect("mint", "ADJ;CMPR")
    ('sang', 'sangen', 'minter')
    """
    if tags in ("V;PST", "V;PTCP;PST") and is_strong(lemma):
        past = change_vowel(lemma)
        return past if tags == "V;PST" else attach(past, "en")
    if tags == "N;SG;GEN":
        return lemma + "'s"
    if tags == "N;PL;GEN":
        return attach(lemma, "s") + "'"
    endings = {
        "V;PRS;3;SG": "s",
        "V;PST": "ed",
        "V;PTCP;PRS": "ing",
        "V;PTCP;PST": "ed",
        "N;PL": "s",
        "ADJ;CMPR": "er",
        "ADJ;SPRL": "est",
    }
    return attach(lemma, endings[tags]) if tags in endings else lemma


@dataclass(kw_only=True, eq=False)
class Inflection(GeneratedTask):
    """`walk<TAB>V;PST` -> `walked`: 11 sets of tags, regular endings with English spelling rules
    (doubling, silent e, y to i, es), and a class of irregular verbs that changes its vowel.

    A lemma is in one split with all its forms, so the test is on lemmas that never occur in
    training. Training is a finite set of rows, as published data are.

    Args:
        training_examples: rows of training, each different.
        min_syllables, max_syllables: of a lemma.
        validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    training_examples: int = 10_000
    columns = (1, 2, 3)  # as `seq2seq examples` writes them
    min_syllables: int = 1
    max_syllables: int = 3

    def __post_init__(self):
        super().__post_init__()
        check_count("training_examples", self.training_examples)
        check_range("min_syllables", self.min_syllables, "max_syllables", self.max_syllables, 1)
        tags = sorted({tag for tags in TAGS for tag in tags.split(";")})
        self.source = Tagged(Vocabulary(string.ascii_lowercase), tags)
        self.target = Vocabulary("'" + string.ascii_lowercase)

    def sizes(self, split: str) -> tuple[int, int]:
        """Fewest and most syllables of a lemma."""
        return self.min_syllables, self.max_syllables

    def count(self, split: str) -> int:
        """Number of rows of a split; training is finite, too."""
        return self.training_examples if split == "train" else super().count(split)

    def examples(self, split: str) -> list[Example]:
        """The rows of a split."""
        if split == "train" and split not in self._drawn:
            self._drawn[split] = self._draw_distinct(split)
        return self._drawn[split] if split == "train" else super().examples(split)

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """A lemma and tags, and the form."""
        onsets, codas = ONSETS.split(), CODAS.split()
        syllables = [
            rng.choice(onsets) + rng.choice(VOWELS.split()) for _ in range(rng.randint(low, high))
        ]
        lemma = "".join(syllables) + rng.choice(codas) + rng.choice(ENDINGS)
        tags = rng.choice(TAGS)
        return f"{lemma}\t{tags}", inflect(lemma, tags)

    def key(self, source: str, target: str) -> str:
        """The lemma."""
        return source.partition("\t")[0]
