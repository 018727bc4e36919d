"""Numbers of strategies, apart from the structure that is compiled."""

import pytest

from seq2seq import (
    Beam,
    Greedy,
    Sample,
)
from seq2seq.decoding.dynamic_fields import split_strategy, with_numbers


@pytest.mark.parametrize(
    "strategies, programs",
    [
        ([Sample(), Sample(top_k=3), Sample(top_p=0.5), Sample(num_samples=2)], 4),
        ([Beam(), Beam(length_penalty="average"), Beam(coverage_penalty=0.1), Beam(3)], 4),
        (
            [
                Beam(),
                Beam(length_penalty=1.0),
                Beam(coverage_penalty=0.0),
                Beam(diversity_penalty=0.1),
            ],
            1,
        ),
        ([Greedy(), Greedy()], 1),
    ],
    ids=["sample", "beam", "numbers", "greedy"],
)
def test_another_computation_is_another_program(strategies, programs):
    assert len({split_strategy(strategy)[0] for strategy in strategies}) == programs


def test_numbers_make_the_same_strategy_again_and_change_no_other():
    strategy = Sample(temperature=0.5, top_p=0.25, seed=2**32 + 3)
    fixed, numbers = split_strategy(strategy)
    assert {name: array.item() for name, array in numbers.items()} == {
        "temperature": 0.5, "top_p": 0.25, "seed": 3,
    }  # fmt: skip
    assert with_numbers(fixed, {"temperature": 0.5, "top_p": 0.25, "seed": 2**32 + 3}) == strategy
    assert strategy == Sample(temperature=0.5, top_p=0.25, seed=2**32 + 3)
