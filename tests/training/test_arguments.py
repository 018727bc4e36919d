"""Training arguments: number of updates, and values that are refused."""

import pytest

from seq2seq.training.arguments import Training


@pytest.mark.parametrize(
    "arguments, one_pass, plan",
    [
        ({"epochs": 3}, 50, (150, 50)),
        ({"epochs": 3}, None, (300, 100)),
        ({"epochs": 3, "steps_per_epoch": 20}, 50, (60, 20)),
        ({"epochs": 3, "steps": 1000}, None, (1000, 100)),
        ({"steps": 7}, 50, (7, 7)),
        ({"steps": 1000, "max_steps": 30}, 50, (30, 30)),
        ({"epochs": 3, "max_steps": 130}, 50, (130, 50)),
        ({"epochs": 3, "max_steps": 500}, 50, (150, 50)),
    ],
)
def test_plans(arguments, one_pass, plan):
    assert Training(**arguments).plan(one_pass) == plan


@pytest.mark.parametrize(
    "arguments",
    [
        *({"epochs": 0}, {"batch_size": -1}, {"steps": 1.5}, {"patience": "soon"}),
        *({"max_steps": 0}, {"max_eval_examples": True}),
    ],
)
def test_impossible_plans_are_refused(arguments):
    with pytest.raises(ValueError, match=f"training.{[*arguments][0]} must be a whole number"):
        Training(**arguments)
