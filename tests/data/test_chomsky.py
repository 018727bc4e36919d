"""The 15 tasks: every answer by another way of computing it, every source of the right form."""

import re
from random import Random

import pytest

from seq2seq.data import Chomsky
from seq2seq.data.chomsky import LANGUAGES

LENGTHS = [*range(1, 41), 99, 100, 500]
EXPRESSION = r"[-+*()0-4]+"
FORMS = {  # of sources
    "even_pairs": "[01]+",
    "modular_arithmetic": "[0-4]([-+*][0-4])*",
    "parity_check": "[01]+",
    "cycle_navigation": "[012]+",
    "stack_manipulation": "[01]+[234]*",
    "reverse_string": "[01]+",
    "modular_arithmetic_brackets": EXPRESSION,
    "solve_equation": "0{1,2}|[-+()x0-4]+=[0-4]",
    "duplicate_string": "[01]+",
    "missing_duplicate_string": "1|(?=[^2]*2[^2]*$)[012]+3?",
    "odds_first": "[01]+",
    "binary_addition": "[01]{1,2}|[01]+2[01]+",
    "binary_multiplication": "[01]{1,2}|[01]+2[01]+",
    "compute_sqrt": "[01]+",
    "bucket_sort": "[0-4]+",
}


def value(bits):
    """The value of a number whose last bit comes first."""
    return sum(2**position for position, bit in enumerate(bits) if bit == "1")


def walk(source):
    position = 0
    for step in source:
        position = {"0": (4, 0, 1, 2, 3), "1": range(5), "2": (1, 2, 3, 4, 0)}[step][position]
    return str(position)


def solve(source):
    if len(source) < 3:
        return "0"
    left, right = source.split("=")
    (digit,) = [d for d in "01234" if eval(left.replace("x", d)) % 5 == int(right)]
    return digit


def survivors(source):
    """Symbols that no pop takes, last first: a pop takes the nearest one left before it."""
    pops, stack = 0, ""
    for symbol in reversed(source):
        if symbol == "2":
            pops += 1
        elif pops:
            pops -= 1
        else:
            stack += {"3": "0", "4": "1"}.get(symbol, symbol)
    return stack


def fill_in(source):
    half = len(source) // 2
    if not half:
        return "1"
    filled = {bit: source.replace("2", bit)[: 2 * half] for bit in "01"}
    (bit,) = [bit for bit, text in filled.items() if text[:half] == text[half:]]
    return bit


def written(number):
    bits = str(number % 2)
    return bits + written(number // 2) if number > 1 else bits


def product(source):
    left, right = map(value, source.split("2"))
    return written(left * right)


def is_root(source, answer):
    number, root = value(source[::-1]), value(answer[::-1])
    return root**2 <= number < (root + 1) ** 2 and len(answer) == -(-len(source) // 2)


# Whether an answer is right.
RIGHT = {
    "even_pairs": lambda s, a: a == str(len(re.findall("(?=01|10)", s)) % 2),
    "modular_arithmetic": lambda s, a: a == str(eval(s) % 5),
    "parity_check": lambda s, a: a == str(sum(map(int, s)) % 2),
    "cycle_navigation": lambda s, a: a == walk(s),
    "stack_manipulation": lambda s, a: a == survivors(s),
    "reverse_string": lambda s, a: a == "".join(reversed(s)),
    "modular_arithmetic_brackets": lambda s, a: a == str(eval(s) % 5),
    "solve_equation": lambda s, a: a == solve(s),
    "duplicate_string": lambda s, a: a == s * 2,
    "missing_duplicate_string": lambda s, a: a == fill_in(s),
    "odds_first": lambda s, a: a == "".join(s[i] for p in (1, 0) for i in range(p, len(s), 2)),
    "binary_addition": lambda s, a: a == written(sum(map(value, s.split("2")))),
    "binary_multiplication": lambda s, a: a == (product(s) if "2" in s else "0" * (len(s) - 1)),
    "compute_sqrt": is_root,
    "bucket_sort": lambda s, a: a == "".join(symbol * s.count(symbol) for symbol in "01234"),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_sources_have_their_form_and_answers_are_right(name):
    rng = Random(0)
    for length in LENGTHS:
        for _ in range(10 if length < 50 else 3):
            source = LANGUAGES[name].draw(rng, length)
            less = name == "modular_arithmetic" and length % 2 == 0
            assert len(source) == length - less and re.fullmatch(FORMS[name], source)
            assert RIGHT[name](source, LANGUAGES[name].answer(source)), source


@pytest.mark.parametrize("name", LANGUAGES)
def test_all_symbols_occur_and_can_be_read(name):
    task = Chomsky(name=name, validation_examples=50, test_examples=50)
    stream = task.examples("train")
    examples = [*(stream[number] for number in range(500)), *task.examples("test")]
    for side, index in [(task.source, 0), (task.target, 1)]:
        assert {symbol for e in examples for symbol in e[index]} == set(side.symbols[4:])


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_test_is_longer_and_lengths_are_even(name):
    task = Chomsky(name=name, test_examples=300)
    stream = task.examples("train")
    short = {len(stream[number].source) for number in range(1000)}
    long = [len(example.source) for example in task.examples("test")]
    assert max(short) <= 40 and len(short) == (20 if name == "modular_arithmetic" else 40)
    assert 41 <= min(long) < 60 and 480 < max(long) <= 500
    assert sum(long) / len(long) == pytest.approx(270, abs=30)


def test_unknown_names_and_bad_values_are_refused():
    with pytest.raises(ValueError, match="unknown task.name 'parity'; did you mean 'parity_check'"):
        Chomsky(name="parity")
    with pytest.raises(ValueError, match="min_length must be a whole number of at least 1, got 0"):
        Chomsky(min_length=0)
    with pytest.raises(ValueError, match="oracle_length must be true or false"):
        Chomsky(oracle_length="yes")
