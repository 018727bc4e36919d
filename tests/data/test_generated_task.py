"""Generated examples: a pure function of the seed, and no test example in training."""

import itertools

import pytest

from seq2seq.data import (
    Addition,
    Chomsky,
    Copy,
    Dates,
    Duplicate,
    FlaxAddition,
    OddsFirst,
    Reverse,
    RunningMean,
    Sinusoids,
    Sort,
    Subtraction,
)
from tests.conftest import slow_except

TASKS = [
    Copy,
    Reverse,
    Sort,
    Duplicate,
    OddsFirst,
    Addition,
    Subtraction,
    Dates,
    FlaxAddition,
    Chomsky,
    Sinusoids,
    RunningMean,
]


def first(task, count=3000):
    stream = task.examples("train")
    return [stream[number] for number in range(count)]


@pytest.mark.parametrize("kind", TASKS)
def test_no_held_out_example_occurs_in_training(kind):
    task = kind(validation_examples=100, test_examples=300)
    train = {task.key(*example[:2]) for example in first(task)}
    test = {task.key(*example[:2]) for example in task.examples("test")}
    validation = {task.key(*example[:2]) for example in task.examples("validation")}
    assert not train & test and not train & validation and not validation & test


@pytest.mark.parametrize("kind", TASKS)
def test_examples_are_a_pure_function_of_the_seed(kind):
    small = {"validation_examples": 20, "test_examples": 20}
    task, same, reseeded = kind(**small), kind(**small), kind(**small, seed=1)
    assert first(task, 50) == first(same, 50) != first(reseeded, 50)
    assert task.examples("test") == same.examples("test") != reseeded.examples("test")


@pytest.mark.parametrize("kind", TASKS)
def test_held_out_examples_are_distinct_and_of_the_requested_number(kind):
    examples = kind(test_examples=300).examples("test")
    assert len({example.source for example in examples}) == 300


@pytest.mark.parametrize("kind", TASKS)
def test_every_example_can_be_encoded(kind):
    task = kind(test_examples=200)
    for source, target, _ in itertools.chain(first(task, 500), task.examples("test")):
        for side, text in ((task.source, source), (task.target, target)):
            assert side.tokens(side.decode(side.encode(text))) == side.tokens(text)


def test_lengths_of_training_and_test_are_chosen_separately():
    task = Reverse(min_length=3, max_length=5, test_min_length=8, test_max_length=9)
    assert {len(e.source) for e in first(task)} == {3, 4, 5}
    assert {len(e.source) for e in task.examples("validation")} == {3, 4, 5}
    assert {len(e.source) for e in task.examples("test")} == {8, 9}


def test_validation_may_be_longer_than_training():
    task = Reverse(min_length=3, max_length=5, validation_max_length=7)
    assert {len(e.source) for e in first(task)} == {3, 4, 5}
    assert {len(e.source) for e in task.examples("validation")} == {3, 4, 5, 6, 7}
    assert task.sizes("test") == (3, 5)


@pytest.mark.parametrize("kind", TASKS)
def test_finite_training_is_the_beginning_of_the_stream(kind):
    task = kind(training_examples=1500, test_examples=100)
    train = task.examples("train")
    assert train == first(kind(), 1500) and task.examples("train") is train
    assert task.examples("test") == kind(test_examples=100).examples("test")


def test_finite_training_may_hold_an_example_twice_and_none_that_is_held_out():
    sizes = {"training_examples": 1000, "validation_examples": 3, "test_examples": 5}
    task = Copy(symbols=3, max_length=4, **sizes)
    train = task.examples("train")
    assert len(train) == 1000 > len(set(train))
    assert not set(train) & {*task.examples("test"), *task.examples("validation")}


def test_a_space_that_is_too_small_is_used_up_with_a_note():
    task = Reverse(symbols=2, max_length=7, validation_examples=5)
    count = len(task.examples("test"))
    assert 0 < count == len(set(task.examples("test"))) < 100
    assert task.notes == (
        "task reverse has too few examples of sizes 1 to 7 for task.test_examples=2000: all "
        f"{count} distinct ones that are held out of training were taken",
    )
    assert Reverse(symbols=2, max_length=7, validation_examples=5, test_examples=count).notes == ()
    with pytest.raises(ValueError, match="sizes 1 to 1: no test example is held out of training"):
        Reverse(symbols=1, max_length=1, validation_examples=0, seed=1).examples("test")


@pytest.mark.parametrize("seed", slow_except([0], range(5)))
def test_the_smallest_addition_trains_with_any_seed(seed):
    task = Addition(digits=2, seed=seed)
    assert 400 < len(task.examples("validation")) <= 500 < len(task.examples("test")) < 2000
    assert any("task.test_examples=2000" in note for note in task.notes)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"min_length": -1}, "min_length must be a whole number of at least 0, got -1"),
        ({"min_length": 5, "max_length": 4}, "max_length=4 is less than min_length=5"),
        ({"max_length": "ten"}, "max_length must be a whole number"),
        ({"test_min_length": 11}, "test_max_length=10 is less than test_min_length=11"),
        ({"test_examples": 0}, "test_examples must be a whole number of at least 1"),
        ({"validation_max_length": 0}, "validation_max_length=0 is less than min_length=1"),
        ({"training_examples": 0}, "training_examples must be a whole number of at least 1, got 0"),
        ({"symbols": 0}, "symbols must be"),
        ({"symbols": 63}, "symbols must be at most 62, got 63; with numbers=true there may"),
        ({"numbers": "yes"}, "numbers must be true or false, got 'yes'"),
        ({"bleu": 1}, "bleu must be true or false, got 1"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Reverse(**arguments)


def test_unknown_splits_are_refused():
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        Reverse().examples("dev")


def test_each_seed_draws_examples_of_its_own():
    tasks = [Copy(min_length=6, seed=seed) for seed in (0, 1)]
    assert not set.intersection(*[{e.source for e in first(task, 200)} for task in tasks])
