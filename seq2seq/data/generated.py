"""Generated tasks over symbols: copy, reverse, sort, duplicate, odds-first, addition, subtraction.

Each draws an example of a given length; `GeneratedTask` does the rest. Source and target share
one vocabulary. Published relatives: Grefenstette et al. 2015 (copy, reverse), Deletang et al. 2023
(reverse, duplicate, odds first, bucket sort), Zaremba and Sutskever 2014 (addition).
"""

import random
import string
from dataclasses import dataclass

from seq2seq.data.generated_task import GeneratedTask, LengthTask, either
from seq2seq.runtime.validation import check_count, check_flag, check_range
from seq2seq.runtime.vocabulary import Vocabulary

ALPHABET = string.ascii_lowercase + string.ascii_uppercase + string.digits


@dataclass(kw_only=True, eq=False)
class Rewrite(LengthTask):
    """Base class of tasks that transform a string of random symbols.

    Args:
        symbols: number of different symbols: a-z, A-Z, 0-9, or numbers from 0 on.
        numbers: whether the symbols are whole numbers, written with spaces between them: `17 3 49`.
        bleu: whether BLEU is one of the metrics, as for translation.
        min_length, max_length, validation_max_length, test_min_length, test_max_length: see
            `LengthTask`.
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.

    Raises:
        ValueError: more symbols than the 62 letters and digits, and they are no numbers.
    """

    symbols: int = 26
    numbers: bool = False
    bleu: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_count("symbols", self.symbols)
        if check_flag("numbers", self.numbers):
            self.alphabet = [str(number) for number in range(self.symbols)]
        elif self.symbols > len(ALPHABET):
            raise ValueError(
                f"symbols must be at most {len(ALPHABET)}, got {self.symbols}; with numbers=true "
                "there may be more"
            )
        else:
            self.alphabet = [*ALPHABET[: self.symbols]]
        tokenizer = "symbols" if self.numbers else "characters"
        self.source = self.target = Vocabulary(self.alphabet, tokenizer)
        if check_flag("bleu", self.bleu):
            self.metrics, self.monitor = "translation", ("bleu", "max")

    def reorder(self, symbols: list[str]) -> list[str]:
        """Make the symbols of the target from those of the source."""
        raise NotImplementedError

    def rewrite(self, source: str) -> str:
        """The target of `source`."""
        return self.target.join(self.reorder(self.source.tokens(source)))

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """A random source with its target."""
        symbols = rng.choices(self.alphabet, k=rng.randint(low, high))
        return self.source.join(symbols), self.target.join(self.reorder(symbols))


class Copy(Rewrite):
    """The same string: the state must hold every symbol and its place.

    >>> Copy().rewrite("hello")
    'hello'
    """

    def reorder(self, symbols: list[str]) -> list[str]:
        """The symbols themselves."""
        return symbols


class Reverse(Rewrite):
    """The string from its end to its start.

    >>> Reverse().rewrite("hello"), Reverse(symbols=50, numbers=True).rewrite("17 3 49")
    ('olleh', '49 3 17')
    """

    def reorder(self, symbols: list[str]) -> list[str]:
        """The symbols read backwards."""
        return symbols[::-1]


class Sort(Rewrite):
    """The symbols in alphabetical order, numbers from the least.

    >>> Sort().rewrite("hello"), Sort(numbers=True).rewrite("10 9 10")
    ('ehllo', '9 10 10')
    """

    def __post_init__(self):
        super().__post_init__()
        self._places = {symbol: position for position, symbol in enumerate(self.alphabet)}

    def reorder(self, symbols: list[str]) -> list[str]:
        """The symbols in the vocabulary's order."""
        return sorted(symbols, key=self._places.__getitem__)


class Duplicate(Rewrite):
    """The string twice: the state must survive the first copy.

    >>> Duplicate().rewrite("abc")
    'abcabc'
    """

    def reorder(self, symbols: list[str]) -> list[str]:
        """The symbols, and the symbols again."""
        return symbols + symbols


class OddsFirst(Rewrite):
    """Symbols 1, 3, 5 ... and then symbols 2, 4, 6 ...

    >>> OddsFirst().rewrite("abcdef")
    'acebdf'
    """

    def reorder(self, symbols: list[str]) -> list[str]:
        """First the symbols at odd places (counted from 1), then those at even places."""
        return symbols[0::2] + symbols[1::2]


@dataclass(kw_only=True, eq=False)
class Arithmetic(GeneratedTask):
    """Two whole numbers and an operation.

    Each operand's number of digits is drawn evenly from `min_digits` to `digits`, then its value
    evenly among the numbers with that many digits.

    Args:
        digits: most digits of an operand in training.
        min_digits: fewest digits of an operand in training.
        test_digits, test_min_digits: the same for the test; None: as in training.
        reverse: whether the source is written backwards, so that the last digits, which the answer
            depends on first, are read last (as in the Keras example `addition_rnn`).
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    digits: int = 3
    min_digits: int = 1
    test_digits: int | None = None
    test_min_digits: int | None = None
    reverse: bool = False
    operator = ""

    def __post_init__(self):
        super().__post_init__()
        check_flag("reverse", self.reverse)
        check_range("min_digits", self.min_digits, "digits", self.digits, 1)
        low, high = self.sizes("test")
        check_range("test_min_digits", low, "test_digits", high, 1)
        self.source = Vocabulary(string.digits + self.operator)
        self.target = Vocabulary(string.digits + "-")

    def sizes(self, split: str) -> tuple[int, int]:
        """Fewest and most digits of an operand."""
        return either(
            split, (self.min_digits, self.digits), (self.test_min_digits, self.test_digits)
        )

    def result(self, left: int, right: int) -> int:
        """The answer."""
        raise NotImplementedError

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """Two operands of `low` to `high` digits, and their result."""
        left, right = (self._number(rng, rng.randint(low, high)) for _ in range(2))
        source = f"{left}{self.operator}{right}"
        return source[::-1] if self.reverse else source, str(self.result(left, right))

    @staticmethod
    def _number(rng: random.Random, digits: int) -> int:
        return rng.randint(10 ** (digits - 1) if digits > 1 else 0, 10**digits - 1)

    def key(self, source: str, target: str) -> str:
        """One key for both orders of the operands and both directions of writing."""
        text = source[::-1] if self.reverse else source
        return self.operator.join(sorted(text.split(self.operator)))


class Addition(Arithmetic):
    """The sum of two numbers.

    >>> Addition().result(12, 345)
    357
    """

    operator = "+"

    def result(self, left: int, right: int) -> int:
        """left + right."""
        return left + right


class Subtraction(Arithmetic):
    """The difference of two numbers; it may be negative.

    >>> Subtraction().result(12, 345)
    -333
    """

    operator = "-"

    def result(self, left: int, right: int) -> int:
        """left - right."""
        return left - right
