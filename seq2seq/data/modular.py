"""Arithmetic modulo 5 of Deletang et al. 2023 (arXiv 2207.02098): three of their tasks.

Sources hold digits 0 to 4 and operators; answers are one digit. See `seq2seq.data.chomsky`.
"""

import operator
import random
from collections.abc import Iterator

DIGITS = "01234"
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def draw_chain(rng: random.Random, length: int) -> str:
    """Digits with operators between them; of even lengths one symbol less."""
    count = (length + 1) // 2
    chain = rng.choices("+*-", k=2 * count - 1)
    chain[::2] = rng.choices(DIGITS, k=count)
    return "".join(chain)


def modular_arithmetic(source: str) -> str:
    """The value of a chain, products first: 1 + 2 * 3 is 7, which is 2.

    >>> modular_arithmetic("1+2*3"), modular_arithmetic("1-1-1")
    ('2', '4')
    """
    total, term = 0, int(source[0])
    for symbol, digit in zip(source[1::2], source[2::2], strict=True):
        if symbol == "*":
            term = term * int(digit) % 5
        else:
            total, term = total + term, OPERATORS[symbol](0, int(digit))
    return str((total + term) % 5)


def draw_expression(rng: random.Random, length: int, operators: str = "+-*") -> str:
    """An expression with brackets around every operation."""
    if length < 5:
        return ("{}", "-{}", "({})", "(-{})")[length - 1].format(rng.choice(DIGITS))
    left = rng.randint(1, length - 4)
    first = draw_expression(rng, left, operators)
    second = draw_expression(rng, length - 3 - left, operators)
    return f"({first}{rng.choice(operators)}{second})"


def modular_arithmetic_brackets(source: str) -> str:
    """The value of an expression with brackets: -(1 - 4) is 3, times 4 is 12, which is 2.

    >>> modular_arithmetic_brackets("((0-(1-4))*4)"), modular_arithmetic_brackets("-1")
    ('2', '4')
    """
    return str(_read_value(iter(source)) % 5)


def _read_value(symbols: Iterator[str]) -> int:
    """The value of one expression, which is taken from the front of `symbols`."""
    first = next(symbols)
    if first == "-":
        return -int(next(symbols))
    if first != "(":
        return int(first)
    value, symbol = _read_value(symbols), next(symbols)
    if symbol in OPERATORS:
        value = OPERATORS[symbol](value, _read_value(symbols)) % 5
        next(symbols)  # the closing bracket
    return value


def draw_equation(rng: random.Random, length: int) -> str:
    """An expression without products, a digit replaced by x, and its value; below 3 symbols: zeros.

    The digit is the next one at or after a random place, and behind the last the first.
    """
    if length < 3:
        return "0" * length
    expression = draw_expression(rng, length - 2, "+-")
    index = rng.randrange(len(expression))
    while expression[index] not in DIGITS:
        index = (index + 1) % len(expression)
    value = modular_arithmetic_brackets(expression)
    return f"{expression[:index]}x{expression[index + 1 :]}={value}"


def solve_equation(source: str) -> str:
    """The digit that x stands for; of zeros 0.

    >>> solve_equation("((1-x)+3)=0"), solve_equation("00")
    ('4', '0')
    """
    expression, _, value = source.partition("=")
    for digit in DIGITS[1:]:
        if modular_arithmetic_brackets(expression.replace("x", digit)) == value:
            return digit
    return "0"
