"""Rows that are too long are left out, and what widens a batch is named."""

import pytest

from seq2seq.data.filters import bound_lengths, note_features, note_longest

ROWS = {"train": [("ab", "x"), ("abc\tV;PST", "y"), ("abcd", "z")], "test": [("a", "xyz")]}


def test_rows_within_the_limit_remain_and_tags_have_no_length():
    short, notes = bound_lengths(ROWS, 0, "characters", 3)
    assert short == {"train": ROWS["train"][:2], "test": ROWS["test"]}
    assert notes == ("1 rows were left out: their source is longer than task.max_source_length=3",)


def test_without_a_limit_every_row_remains():
    assert bound_lengths(ROWS, 0, "characters", None) == (ROWS, ())


def test_a_split_without_rows_is_an_error():
    with pytest.raises(ValueError, match="task.max_target_length=2 leaves no test row"):
        bound_lengths(ROWS, 1, "characters", 2)


@pytest.mark.parametrize("longest, noted", [(200, False), (201, True)])
def test_a_row_far_longer_than_the_median_is_named(longest, noted):
    notes = note_longest("source", [3, 4, longest])
    assert bool(notes) == noted
    assert not noted or "has 201 symbols, half of all have 4 at most" in notes[0]


@pytest.mark.parametrize(
    "source, has_hint", [("0,5 0,7", True), ("1021.12,-0.06", False), ("1,-2", False)]
)
def test_features_that_look_like_decimal_commas_are_named(source, has_hint):
    (note,) = note_features(0, 2, [(source, "1")])
    assert note.startswith("a source has 2 features a step")
    assert ("decimal comma" in note) == has_hint
    assert note_features(0, 1, [(source, "1")]) == ()
