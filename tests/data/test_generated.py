"""Each rule by another way of computing it."""

import pytest

from seq2seq.data import Addition, Copy, Duplicate, OddsFirst, Reverse, Sort, Subtraction


@pytest.mark.parametrize(
    "kind, expected",
    [(Copy, "dcabe"), (Reverse, "ebacd"), (Sort, "abcde"), (Duplicate, "dcabedcabe")]
    + [(OddsFirst, "daecb")],
)
def test_rules(kind, expected):
    assert kind().rewrite("dcabe") == expected


@pytest.mark.parametrize("kind", [Copy, Reverse, Sort, Duplicate, OddsFirst])
def test_numbers_are_symbols_like_letters(kind):
    letters, numbers = kind(symbols=20), kind(symbols=20, numbers=True)
    spelled = dict(zip(letters.alphabet, numbers.alphabet, strict=True))
    for example in letters.examples("test")[:200]:
        source, target = (" ".join(map(spelled.get, text)) for text in example[:2])
        assert numbers.rewrite(source) == target
    examples = kind(symbols=100, numbers=True).examples("test")
    assert {part for e in examples for part in e.source.split()} == set(map(str, range(100)))


def test_bleu_is_a_metric_where_it_is_wanted():
    plain, task = Reverse(), Reverse(bleu=True)
    assert (plain.metrics, plain.monitor) == ("tokens", ("exact_match", "max"))
    assert (task.metrics, task.monitor) == ("translation", ("bleu", "max"))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind, sign", [(Addition, 1), (Subtraction, -1)])
def test_arithmetic_is_right(kind, sign, reverse):
    task = kind(digits=4, reverse=reverse, test_examples=500)
    for source, target, _ in task.examples("test"):
        text = source[::-1] if reverse else source
        left, right = text.split(task.operator)
        assert int(target) == int(left) + sign * int(right)
        assert str(int(left)) == left and len(left) <= 4


def test_digits_of_training_and_test():
    task = Addition(digits=2, test_min_digits=3, test_digits=5)
    stream = task.examples("train")
    assert {len(n) for i in range(500) for n in stream[i].source.split("+")} == {1, 2}
    sizes = {len(n) for e in task.examples("test") for n in e.source.split("+")}
    assert sizes == {3, 4, 5}


def test_a_sum_and_its_mirror_image_are_on_the_same_side():
    task = Addition()
    assert task.key("12+7", "") == task.key("7+12", "")
    assert Addition(reverse=True).key("21+7", "") == task.key("12+7", "")


@pytest.mark.parametrize("arguments", [{"digits": 0}, {"min_digits": 4}, {"test_digits": 0}])
def test_impossible_digits_are_refused(arguments):
    with pytest.raises(ValueError, match="digits"):
        Addition(**arguments)
