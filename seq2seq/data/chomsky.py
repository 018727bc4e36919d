"""The 15 tasks of Deletang et al. 2023, "Neural Networks and the Chomsky Hierarchy" (arXiv
2207.02098), as the authors' code defines them (google-deepmind/neural_networks_chomsky_hierarchy).

A source has one character per symbol. A target is the answer alone, and the model predicts its end;
the authors pad targets after a termination symbol.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from seq2seq.data import modular
from seq2seq.data.generated_task import LengthTask
from seq2seq.runtime.validation import check_choice, check_flag
from seq2seq.runtime.vocabulary import Vocabulary


def draw_bits(rng: random.Random, length: int) -> str:
    """Random bits."""
    return f"{rng.getrandbits(length):0{length}b}"


def draw_symbols(rng: random.Random, length: int, symbols: str) -> str:
    """Random symbols."""
    return "".join(rng.choices(symbols, k=length))


def even_pairs(source: str) -> str:
    """Whether the number of 01 and 10 is odd, which is whether the first and last bit differ.

    >>> even_pairs("001110"), even_pairs("0101001")
    ('0', '1')
    """
    return str(int(source[0] != source[-1]))


def parity_check(source: str) -> str:
    """Whether the number of ones is odd.

    >>> parity_check("0110"), parity_check("0111")
    ('0', '1')
    """
    return str(source.count("1") % 2)


def cycle_navigation(source: str) -> str:
    """Final position of a walk on a circle of 5, from 0: 0 is a step back, 1 none, 2 one ahead.

    The paper's text writes the steps otherwise (0 none, 1 ahead, 2 back): the same task.

    >>> cycle_navigation("20100"), cycle_navigation("2220")
    ('3', '2')
    """
    return str((source.count("2") - source.count("0")) % 5)


def reverse_string(source: str) -> str:
    """The bits from the end to the start.

    >>> reverse_string("0111")
    '1110'
    """
    return source[::-1]


def draw_stack(rng: random.Random, length: int) -> str:
    """A stack of bits, bottom first, and then actions; at least one of each."""
    if length == 1:
        return draw_bits(rng, 1)
    bits = rng.randint(1, length - 1)
    return draw_bits(rng, bits) + draw_symbols(rng, length - bits, "234")


def stack_manipulation(source: str) -> str:
    """The stack after the actions, top first: 2 pops, 3 pushes 0, 4 pushes 1.

    An empty stack stays empty when it is popped.

    >>> stack_manipulation("0110422"), stack_manipulation("110222")
    ('110', '')
    """
    stack: list[str] = []
    for symbol in source:
        if symbol != "2":
            stack.append({"3": "0", "4": "1"}.get(symbol, symbol))
        elif stack:
            stack.pop()
    return "".join(reversed(stack))


def duplicate_string(source: str) -> str:
    """The bits twice.

    >>> duplicate_string("101")
    '101101'
    """
    return source + source


def draw_missing(rng: random.Random, length: int) -> str:
    """Bits twice, one of them replaced by 2, and of odd lengths a 3 at the end; of length 1 a 1."""
    if length == 1:
        return "1"
    twice = 2 * draw_bits(rng, length // 2)
    index = rng.randrange(len(twice))
    return f"{twice[:index]}2{twice[index + 1 :]}{'3' * (length % 2)}"


def missing_duplicate_string(source: str) -> str:
    """The bit that the 2 replaces.

    >>> missing_duplicate_string("01100210"), missing_duplicate_string("2011013")
    ('1', '1')
    """
    half = len(source) // 2
    return source[(source.index("2") + half) % (2 * half)] if half else source


def odds_first(source: str) -> str:
    """The bits at odd places counted from 0, and then the others.

    As in the code; the paper counts from 1, which exchanges the halves, as in the task `odds_first`
    of this package.

    >>> odds_first("00110101")
    '01110100'
    """
    return source[1::2] + source[0::2]


def read_number(bits: str) -> int:
    """Read a little-endian number (last bit first)."""
    return int(bits[::-1], 2)


def write_number(number: int) -> str:
    """Write a little-endian number, without zeros at its end."""
    return f"{number:b}"[::-1]


def draw_numbers(rng: random.Random, length: int) -> str:
    """Two numbers of at least 1, last bit first, filled up with zeros, and a 2 between them.

    Below 3 symbols there is one number, which is not all ones.
    """
    if length < 3:
        return write_number(rng.randrange(2**length - 1)).ljust(length, "0")
    first = rng.randint(1, length - 2)
    sizes = first, length - 1 - first
    return "2".join(write_number(rng.randint(1, 2**n - 1)).ljust(n, "0") for n in sizes)


def binary_addition(source: str) -> str:
    """The sum, last bit first; of one number itself.

    >>> binary_addition("001201101"), binary_addition("10")  # 4 + 22 = 26
    ('01011', '1')
    """
    return write_number(sum(map(read_number, source.split("2"))))


def binary_multiplication(source: str) -> str:
    """The product, last bit first; of one number as many zeros as it has bits, less one.

    >>> binary_multiplication("001201101"), binary_multiplication("10")  # 4 * 22 = 88
    ('0001101', '0')
    """
    if "2" not in source:
        return "0" * (len(source) - 1)
    return write_number(math.prod(map(read_number, source.split("2"))))


def draw_number(rng: random.Random, length: int) -> str:
    """A number of at least 1, first bit first."""
    return f"{rng.randint(1, 2**length - 1):0{length}b}"


def compute_sqrt(source: str) -> str:
    """The whole part of the square root, in half as many bits (rounded up), first bit first.

    As in the code; in the paper the last bit comes first.

    >>> compute_sqrt("100101"), compute_sqrt("00100")  # of 37 it is 6
    ('110', '010')
    """
    return f"{math.isqrt(int(source, 2)):0{(len(source) + 1) // 2}b}"


def bucket_sort(source: str) -> str:
    """The symbols in order, the least first.

    >>> bucket_sort("421302214")
    '011222344'
    """
    return "".join(sorted(source))


class Language(NamedTuple):
    """One of the tasks.

    Attributes:
        answer: the target of a source.
        draw: a random source of a length.
        symbols, outputs: the symbols of sources and of targets.
    """

    answer: Callable[[str], str]
    draw: Callable[[random.Random, int], str] = draw_bits
    symbols: str = "01"
    outputs: str = "01"


LANGUAGES = {
    language.answer.__name__: language
    for language in (
        # regular
        Language(even_pairs),
        Language(modular.modular_arithmetic, modular.draw_chain, "01234+-*", "01234"),
        Language(parity_check),
        Language(cycle_navigation, partial(draw_symbols, symbols="012"), "012", "01234"),
        # deterministic context-free
        Language(stack_manipulation, draw_stack, "01234"),
        Language(reverse_string),
        Language(
            modular.modular_arithmetic_brackets, modular.draw_expression, "01234+-*()", "01234"
        ),
        Language(modular.solve_equation, modular.draw_equation, "01234+-()x=", "01234"),
        # context-sensitive
        Language(duplicate_string),
        Language(missing_duplicate_string, draw_missing, "0123"),
        Language(odds_first),
        Language(binary_addition, draw_numbers, "012"),
        Language(binary_multiplication, draw_numbers, "012"),
        Language(compute_sqrt, draw_number),
        Language(bucket_sort, partial(draw_symbols, symbols="01234"), "01234", "01234"),
    )
}


@dataclass(kw_only=True, eq=False)
class Chomsky(LengthTask):
    """One of the 15 tasks by its name.

    Lengths are drawn evenly for each example (in the code for each update); `modular_arithmetic`
    makes even ones odd by one symbol less.

    Args:
        name: `even_pairs`, `modular_arithmetic`, `parity_check`, `cycle_navigation` (regular),
            `stack_manipulation`, `reverse_string`, `modular_arithmetic_brackets`, `solve_equation`
            (deterministic context-free), `duplicate_string`, `missing_duplicate_string`,
            `odds_first`, `binary_addition`, `binary_multiplication`, `compute_sqrt`, `bucket_sort`
            (context-sensitive).
        oracle_length: see `Task`; the authors give every model the length of the answer.
        min_length, max_length, validation_max_length, test_min_length, test_max_length: see
            `LengthTask`.
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    name: str = "parity_check"
    oracle_length: bool = False
    max_length: int = 40
    test_min_length: int = 41
    test_max_length: int = 500
    shortest = 1

    def __post_init__(self):
        super().__post_init__()
        self._language = LANGUAGES[check_choice("task.name", self.name, LANGUAGES)]
        check_flag("oracle_length", self.oracle_length)
        self.source = Vocabulary(self._language.symbols)
        self.target = Vocabulary(self._language.outputs)

    def answer(self, source: str) -> str:
        """The target of `source`.

        >>> Chomsky(name="bucket_sort").answer("4013")
        '0134'
        """
        return self._language.answer(source)

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """A random source with its target."""
        source = self._language.draw(rng, rng.randint(low, high))
        return source, self.answer(source)
