"""The published addition examples: their pairs, how they are written, and what is held out."""

import random

import pytest

from seq2seq.data import FlaxAddition, KerasAddition

SPLITS = ("train", "validation", "test")


def operands(example):
    return [int(part) for part in example.source[::-1].split("+")]


def drawn_slowly(digits, count):
    """The example's own way: digit by digit, skipping pairs that were there in any order."""
    rng, pairs = random.Random(1), {}
    while len(pairs) < count:
        pair = []
        for _ in range(2):
            number = ""
            for _ in range(rng.randrange(1, digits + 1)):
                number += rng.choice("0123456789")
            pair.append(int(number))
        pairs.setdefault(tuple(sorted(pair)), pair)
    return list(pairs.values())


def test_operands_are_drawn_as_in_the_example():
    task = KerasAddition(digits=3, training_examples=8000)
    ours = [number for split in SPLITS for e in task.examples(split) for number in operands(e)]
    theirs = [number for pair in drawn_slowly(3, 8000) for number in pair]
    for low, high in [(0, 9), (10, 99), (100, 999)]:
        fractions = [sum(low <= n <= high for n in numbers) / 16_000 for numbers in (ours, theirs)]
        assert fractions[0] == pytest.approx(fractions[1], abs=0.015)


def test_the_last_tenth_is_held_out_and_no_pair_stands_twice():
    task = KerasAddition(digits=2, training_examples=5000, validation_examples=100)
    parts = [task.examples(split) for split in SPLITS]
    assert [len(part) for part in parts] == [4500, 100, 400]
    assert len({tuple(sorted(operands(e))) for part in parts for e in part}) == 5000
    # What is found last has many digits; it must not be the held-out part.
    means = [sum(len(e.source.strip()) for e in part) / len(part) for part in parts]
    assert max(means) - min(means) < 0.15


@pytest.mark.parametrize("padded", [True, False])
def test_sums_are_written_as_in_the_example(padded):
    task = KerasAddition(digits=4, training_examples=1000, validation_examples=50, padded=padded)
    for split in SPLITS:
        for example in task.examples(split):
            assert len(example.source) == 9 and int(example.target) == sum(operands(example))
            assert len(example.target) == (5 if padded else len(str(int(example.target))))
            assert task.source.decode(task.source.encode(example.source)) == example.source


def test_pairs_are_a_pure_function_of_the_seed():
    small = {"training_examples": 200, "validation_examples": 10}
    task, same, reseeded, unpadded = (
        KerasAddition(**small, **more) for more in ({}, {}, {"seed": 1}, {"padded": False})
    )
    for split in SPLITS:
        assert task.examples(split) == same.examples(split) != reseeded.examples(split)
        stripped = [(source, target.rstrip()) for source, target, _ in task.examples(split)]
        assert stripped == [example[:2] for example in unpadded.examples(split)]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"digits": 0}, "digits must be a whole number of at least 1"),
        ({"padded": "no"}, "padded must be true or false"),
        ({"training_examples": 5000}, "validation_examples=500 must be less than a tenth of"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        KerasAddition(**arguments)


def test_more_pairs_than_there_are():
    task = KerasAddition(digits=1, training_examples=5_000, validation_examples=1)
    assert [len(task.examples(split)) for split in ("train", "validation", "test")] == [50, 1, 4]
    assert task.notes == (
        "there are 55 pairs of at most 1 digits, all were taken: task.training_examples=5000 is "
        "more",
    )
    assert KerasAddition(digits=1, training_examples=40, validation_examples=1).notes == ()
    task = KerasAddition(digits=1, training_examples=5_000, validation_examples=5)
    with pytest.raises(ValueError, match=r"there are 55 pairs .*validation_examples=5 leaves no"):
        task.examples("test")
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        task.examples("dev")


def test_sums_of_flax():
    task = FlaxAddition()
    addends = set()
    for source, target, _ in task.examples("test"):
        left, right = map(int, source.split("+"))
        assert left <= right <= 999 and left <= 99 and int(target) == left + right
        assert source == f"{left}+{right}"
        addends |= {left, right}
    assert min(addends) < 5 and max(addends) > 990
