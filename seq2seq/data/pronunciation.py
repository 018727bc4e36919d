"""Letters to phones: the task, and pronouncing dictionaries in their published forms.

CMUdict (`WORD  PH PH`, `;;;` lines), Kaldi's lexicon.txt and lexiconp.txt (`word 1.0 ph ph`), and
tab-separated ones, the Montreal Forced Aligner's among them (`word<TAB>0.99<TAB>...<TAB>ph ph`).
"""

import contextlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from seq2seq.data.files import list_paths, read_lines
from seq2seq.data.pairs import HELD_OUT, FileTask
from seq2seq.runtime.validation import check_count, check_flag

# The public dictionary, pinned: a newer one would silently be another task.
CMUDICT_URL = (
    "https://raw.githubusercontent.com/cmusphinx/cmudict/"
    "74790861f652b15e4ac49015a90074ad62a27690/cmudict.dict"
)
CMUDICT_SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"

# ARPAbet's vowels alone lose their digit, which is a tone or part of a phone in other alphabets.
VOWELS = "AA|AE|AH|AO|AW|AX|AY|EH|ER|EY|IH|IX|IY|OW|OY|UH|UW|UX"
STRESSED = re.compile(f"({VOWELS})[012]")
TONE = re.compile(f"({VOWELS})[3-9]")  # a dictionary that holds it has tones and no stress
NUMBER = re.compile(r"\d+(\.\d+)?([eE]-?\d+)?")
DECIMAL = re.compile(r"\d*\.\d+")


class Entry(NamedTuple):
    """A line of a dictionary.

    Attributes:
        line: its number in the file.
        word: without the number of a variant.
        fields: after the word: columns where tabs separate them, else symbols.
        tabs: whether tabs separate them.
    """

    line: int
    word: str
    fields: list[str]
    tabs: bool


def split_line(line: str) -> tuple[str, list[str], bool] | None:
    """Word, fields and whether tabs separate them; None for a comment or a blank line.

    A word ends at the first tab, or else at the first white space. `#` begins a comment only after
    white space, or before it at the beginning of a line: `#HASH-MARK` and `C#` are words.

    >>> split_line("ice cream\\tAY1 S # dessert")
    ('ice cream', ['AY1 S'], True)
    """
    if line.startswith(";;;") or re.match(r"\s*(#\s|#?$)", line):
        return None
    word, tab, phones = line.partition("\t")
    if tab:
        phones = re.split(r"(?:^|\s)#", phones)[0]
        return word.strip(), [field.strip() for field in phones.split("\t") if field.strip()], True
    word, *fields = re.split(r"(?<=\S)\s+#", line)[0].split()
    return word, fields, False


def read_dictionary(
    lines: Iterable[tuple[int, str]], name: str, stress: bool
) -> tuple[list[tuple[str, str]], int]:
    """Distinct (word, phones) of a dictionary in order, and the number with probabilities.

    Args:
        lines: of the file, numbered.
        name: of the file, for messages.
        stress: whether ARPAbet's vowels keep their stress digit.

    Raises:
        ValueError: a word has no pronunciation, or a number in place of a phone; the line is named.
    """
    entries = [Entry(n, *parts) for n, line in lines if (parts := split_line(line)) is not None]
    tabbed, plain = ([e for e in entries if e.tabs is tabs] for tabs in (True, False))
    pronounced = dict(_read_columns(tabbed, name)) | dict(_read_symbols(plain))
    tones = any(TONE.fullmatch(phone) for _, phones, _ in pronounced.values() for phone in phones)
    rows: dict[tuple[str, str], None] = {}  # a set in order: variants may differ only in stress
    for line, (word, phones, _) in sorted(pronounced.items()):
        for phone in phones:
            if DECIMAL.fullmatch(phone):
                raise ValueError(
                    f"{name}, line {line}: {phone!r} is a number and no phone; probabilities "
                    "follow the word in every line, or in columns of their own between tabs"
                )
        if not word or not phones:
            raise ValueError(f"{name}, line {line}: {word!r} has no pronunciation")
        if not stress and not tones:
            phones = [phone[:2] if STRESSED.fullmatch(phone) else phone for phone in phones]
        rows[re.sub(r"(?<=.)\(\d+\)$", "", word), " ".join(phones)] = None
    return list(rows), sum(weighted for *_, weighted in pronounced.values())


Pronounced = tuple[int, tuple[str, list[str], bool]]  # line; word, phones, with a probability


def _read_columns(entries: list[Entry], name: str) -> Iterable[Pronounced]:
    """Lines with tabs: the last column holds the phones, those before it numbers."""
    # Kaldi writes "word 1.0<TAB>phones": then a number follows every word.
    kaldi = all(_is_probability(word.rpartition(" ")[2]) and " " in word for _, word, *_ in entries)
    for line, word, fields, _ in entries:
        *numbers, phones = fields or [""]
        for number in numbers:
            if not NUMBER.fullmatch(number):
                raise ValueError(
                    f"{name}, line {line}: column {number!r} is neither a number nor the last; "
                    "expected word<TAB>phones, phones separated by spaces, numbers at most between"
                )
        if kaldi:
            word = word.rpartition(" ")[0].rstrip()
        yield line, (word, phones.split(), kaldi or bool(numbers))


def _read_symbols(entries: list[Entry]) -> Iterable[Pronounced]:
    """Lines without tabs: a probability after every word is no phone."""
    counts = [_count_numbers(fields) for *_, fields, _ in entries]
    numbers = min(counts, default=0)
    phones = (field for *_, fields, _ in entries for field in fields[numbers:])
    if not all(_is_probability(f[0]) for *_, f, _ in entries if f) or all(map(_is_number, phones)):
        numbers = 0  # a tone or a phone that is spelled as a digit, not probabilities
    for line, word, fields, _ in entries:
        yield line, (word, fields[numbers:], numbers > 0)


def _count_numbers(fields: list[str]) -> int:
    """Count the numbers before the phones, of which there is at least one."""
    for count, field in enumerate(fields[:-1]):
        if not _is_number(field):
            return count
    return max(len(fields) - 1, 0)


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _is_probability(text: str) -> bool:
    return _is_number(text) and float(text) <= 1


class Pronunciation(FileTask):
    """Letters to phones from a pronouncing dictionary (CMUdict): `hello` -> `HH AH L OW`.

    A word with several pronunciations has several right answers; its variants `word(2)` are one
    word. Words are divided into splits by `seed`: the published split is not freely available, so
    results can be compared with the published ones, but do not reproduce them.

    Args:
        path: the dictionary, in UTF-8: CMUdict's form, `word<TAB>phones` (a word may hold spaces),
            the Montreal Forced Aligner's or Kaldi's, whose probabilities are left out; None:
            CMUdict, fetched from its public repository at a pinned commit, checked by its SHA-256,
            and kept in Keras's cache.
        stress: whether ARPAbet's vowels keep their stress digit (the published numbers are
            without). Digits of other alphabets, as tones, stay.
        test_examples: words of the test, but never more than a tenth of the dictionary.
        keep_data: whether a run keeps a copy of the dictionary.
        seed: divides the words.
    """

    metrics = "pronunciation"
    monitor = ("word_error_rate", "min")

    def __init__(
        self,
        path: str | None = None,
        stress: bool = False,
        test_examples: int = 10_000,
        keep_data: bool = False,
        seed: int = 0,
    ):
        check_count("test_examples", test_examples)
        check_flag("stress", stress)
        self.keep_data = check_flag("task.keep_data", keep_data)
        path = fetch_dictionary() if path is None else path
        rows, weighted = read_dictionary(read_lines(path), str(path), stress)
        if not rows:
            raise ValueError(f"{path} holds no word with its pronunciation")
        self.files = {"path": list_paths(path)}
        if weighted:
            self.notes = (f"{weighted:,} lines have probabilities, which were left out",)
        held_out = {**HELD_OUT, "test": (HELD_OUT["test"][0], test_examples)}
        super().__init__({"train": rows}, "characters", "symbols", seed, held_out=held_out)


def fetch_dictionary() -> Path:
    """CMUdict at the pinned commit, from Keras's cache or its public repository.

    Raises:
        ValueError: it can't be fetched, or is not the file that was pinned.
    """
    from keras.utils import get_file  # only here: the data room needs NumPy at most

    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras prints its progress; data goes there
            return Path(get_file("cmudict.dict", CMUDICT_URL, file_hash=CMUDICT_SHA256))
    except Exception as error:
        raise ValueError(
            f"the dictionary could not be fetched ({error}); download cmudict.dict yourself and "
            "give its place: task.path=cmudict.dict"
        ) from error
