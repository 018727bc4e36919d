"""Generated tasks over symbols: copy, reverse, sort, duplicate, odds-first, addition, subtraction.

Each draws an example of a given length; `GeneratedTask` does the rest. Source and target share
one vocabulary. Published relatives: Grefenstette et al. 2015 (copy, reverse), Deletang et al. 2023
(reverse, duplicate, odds first, bucket sort), Zaremba and Sutskever 2014 (addition).
"""

import random
import string

from seq2seq.arguments import check_count, check_range
from seq2seq.data.task import GeneratedTask
from seq2seq.data.vocabulary import Vocabulary

ALPHABET = string.ascii_lowercase + string.ascii_uppercase + string.digits


class Rewrite(GeneratedTask):
    """A string of random symbols becomes another string; the subclass says which.

    Args:
        symbols: how many different symbols there are, at most 62 (a-z, A-Z, 0-9).
        min_length, max_length, test_min_length, test_max_length: symbols in the source.
        validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    def __init__(
        self,
        symbols: int = 26,
        min_length: int = 1,
        max_length: int = 10,
        test_min_length: int | None = None,
        test_max_length: int | None = None,
        validation_examples: int = 500,
        test_examples: int = 2000,
        seed: int = 0,
    ):
        super().__init__(
            min_length,
            max_length,
            test_min_length,
            test_max_length,
            validation_examples,
            test_examples,
            seed,
        )
        if check_count("symbols", symbols) > len(ALPHABET):
            raise ValueError(f"symbols must be at most {len(ALPHABET)}, got {symbols}")
        self.alphabet = ALPHABET[:symbols]
        self.source = self.target = Vocabulary(self.alphabet)

    def rewrite(self, source: str) -> str:
        """The target of `source`."""
        raise NotImplementedError

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """A random source with its target."""
        source = "".join(rng.choices(self.alphabet, k=rng.randint(low, high)))
        return source, self.rewrite(source)


class Copy(Rewrite):
    """The same string: the state must hold every symbol and its place.

    >>> Copy().rewrite("hello")
    'hello'
    """

    def rewrite(self, source: str) -> str:
        """The source itself."""
        return source


class Reverse(Rewrite):
    """The string from its end to its start.

    >>> Reverse().rewrite("hello")
    'olleh'
    """

    def rewrite(self, source: str) -> str:
        """The source read backwards."""
        return source[::-1]


class Sort(Rewrite):
    """The symbols in alphabetical order.

    >>> Sort().rewrite("hello")
    'ehllo'
    """

    def rewrite(self, source: str) -> str:
        """The source's symbols in the vocabulary's order."""
        return "".join(sorted(source, key=self.alphabet.index))


class Duplicate(Rewrite):
    """The string twice: the state must survive the first copy.

    >>> Duplicate().rewrite("abc")
    'abcabc'
    """

    def rewrite(self, source: str) -> str:
        """The source, and the source again."""
        return source + source


class OddsFirst(Rewrite):
    """Symbols 1, 3, 5 ... and then symbols 2, 4, 6 ...

    >>> OddsFirst().rewrite("abcdef")
    'acebdf'
    """

    def rewrite(self, source: str) -> str:
        """First the symbols at odd places (counted from 1), then those at even places."""
        return source[0::2] + source[1::2]


class Arithmetic(GeneratedTask):
    """Two whole numbers and an operation; a length is a number of digits.

    Each operand's number of digits is drawn evenly from `min_digits` to `digits`, then its value
    evenly among the numbers with that many digits.

    Args:
        digits: most digits of an operand in training.
        min_digits: fewest digits of an operand in training.
        test_digits, test_min_digits: the same for the test; None: as in training.
        reverse: whether the source is written backwards, so that its last digits come last
            to the decoder's first ones (as in the Keras example `addition_rnn`).
        validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    operator = ""

    def __init__(
        self,
        digits: int = 3,
        min_digits: int = 1,
        test_digits: int | None = None,
        test_min_digits: int | None = None,
        reverse: bool = False,
        validation_examples: int = 500,
        test_examples: int = 2000,
        seed: int = 0,
    ):
        check_range("min_digits", min_digits, "digits", digits, 1)
        test_low = min_digits if test_min_digits is None else test_min_digits
        test_high = digits if test_digits is None else test_digits
        check_range("test_min_digits", test_low, "test_digits", test_high, 1)
        super().__init__(
            min_digits, digits, test_low, test_high, validation_examples, test_examples, seed
        )
        self.reverse = reverse
        self.source = Vocabulary(string.digits + self.operator)
        self.target = Vocabulary(string.digits + "-")

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
        """Both orders of the operands, and both ways of writing, are one and the same."""
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
