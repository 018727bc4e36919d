"""Arithmetic modulo 5: Python evaluates the same expressions."""

import random
import re

import pytest

from seq2seq.data.modular import (
    draw_chain,
    draw_equation,
    draw_expression,
    modular_arithmetic,
    modular_arithmetic_brackets,
    solve_equation,
)

LENGTHS = [*range(1, 30), 100]


@pytest.mark.parametrize(
    "draw, answer",
    [(draw_chain, modular_arithmetic), (draw_expression, modular_arithmetic_brackets)],
)
def test_answers_equal_pythons(draw, answer):
    rng = random.Random(0)
    for length in LENGTHS:
        source = draw(rng, length)
        assert answer(source) == str(eval(source) % 5)
        assert length - 1 <= len(source) <= length


def test_the_solution_of_an_equation_fulfils_it():
    rng = random.Random(0)
    for length in LENGTHS[2:]:
        source = draw_equation(rng, length)
        expression, value = source.split("=")
        assert len(source) == length and re.fullmatch("[-+()x0-4]+", expression)
        assert eval(expression.replace("x", solve_equation(source))) % 5 == int(value)
