"""Checks of arguments."""

import pytest

from seq2seq.runtime.validation import check_choice, check_count, check_range, check_rate


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3", None])
def test_counts(value):
    assert check_count("n", 1) == 1 and check_count("n", 0, 0) == 0
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got"):
        check_count("n", value)


@pytest.mark.parametrize("value", [1, 1.5, -0.1, float("nan"), "0.5", False])
def test_rates(value):
    assert check_rate("p", 0) == 0 and check_rate("p", 0.99) == 0.99
    with pytest.raises(ValueError, match="p must be at least 0 and less than 1, got"):
        check_rate("p", value)


def test_ranges():
    check_range("a", 2, "b", 2)
    with pytest.raises(ValueError, match="b=1 is less than a=2"):
        check_range("a", 2, "b", 1)


def test_choices_name_the_nearest():
    assert check_choice("colour", "red", ["red"]) == "red"
    with pytest.raises(ValueError, match="unknown colour 'rde'; did you mean 'red'.*red, blue"):
        check_choice("colour", "rde", ["red", "blue"])
    with pytest.raises(ValueError, match="unknown colour 7; there are: red"):
        check_choice("colour", 7, ["red"])
