"""Rows in memory: the same records as those of a file, and errors that name the row."""

from pathlib import Path

import numpy as np
import pytest

from seq2seq.data import Pairs
from seq2seq.data.memory import Columns, is_in_memory, write_steps
from seq2seq.data.rows import BadRow
from seq2seq.data.task import SPLITS

WORDS = [f"s{n}" for n in range(40)]
ANSWERS = [f"t{n}" for n in range(40)]
NUMBERS = {"source_tokens": "numbers", "target_tokens": "numbers"}


def same(first, second):
    return all(first.examples(split) == second.examples(split) for split in SPLITS) and (
        first.source.to_config() == second.source.to_config()
    )


def write(path, *columns):
    path.write_text("".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)), "utf-8")
    return str(path)


def test_any_iterable_gives_the_examples_of_a_file(tmp_path):
    expected = Pairs(write(tmp_path / "a.tsv", WORDS, ANSWERS))
    for sources in (WORDS, tuple(WORDS), np.array(WORDS), (word for word in WORDS)):
        task = Pairs(sources=sources, targets=ANSWERS)
        assert same(task, expected) and task.files == {}
        assert type(task.examples("train")[0].source) is str


def test_columns_of_a_data_frame(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"word": WORDS, "answer": ANSWERS}, index=range(40, 0, -1))
    expected = Pairs(write(tmp_path / "a.tsv", WORDS, ANSWERS))
    assert same(Pairs(sources=frame["word"], targets=frame["answer"]), expected)


def test_splits_may_be_of_either_kind(tmp_path):
    test = write(tmp_path / "test.tsv", ["a"], ["b"])
    task = Pairs(sources=WORDS, targets=ANSWERS, validation=(["c"], ["d"]), test=test)
    assert task.examples("validation")[0][:2] == ("c", "d")
    assert task.examples("test")[0][:2] == ("a", "b")
    assert task.files == {"test": [Path(test)]}


def test_tags_are_a_third_column(tmp_path):
    tags = ["V;PST", "N"] * 20
    path = write(tmp_path / "a.tsv", WORDS, ANSWERS, tags)
    task = Pairs(sources=WORDS, targets=ANSWERS, tags=tags)
    assert same(task, Pairs(path, columns=[1, 2, 3])) and task.columns == (1, 2, 3)
    with pytest.raises(ValueError, match="either all rows have tags or none"):
        Pairs(sources=WORDS, targets=ANSWERS, tags=tags, test=(["a"], ["b"]))


def test_arrays_are_real_values(tmp_path):
    values = np.random.RandomState(0).normal(size=(20, 3)).astype("float32")
    sums = values.sum(1)
    path = write(
        tmp_path / "a.tsv",
        [" ".join(map(str, row)) for row in values],
        [str(value) for value in sums],
    )
    assert same(Pairs(sources=values, targets=sums, **NUMBERS), Pairs(path, **NUMBERS))
    steps = [[[1, 2], [3, 4]]] * 2 + [[[n, 2]] for n in range(9)]
    task = Pairs(sources=steps, targets=range(11), **NUMBERS)
    assert len(task.source) == 2 and task.examples("train")[0].source in ("1,2 3,4", "0,2")


@pytest.mark.parametrize(
    "values, text",
    [
        (np.float32([0.1, 2]), "0.1 2"),
        (np.float64(1 / 3), "0.3333333333333333"),
        (np.array([[1, -2]], "int64"), "1,-2"),
        ([1e-7, 1e20], "0.0000001 100000000000000000000"),
    ],
)
def test_values_keep_all_their_digits(values, text):
    assert write_steps(values) == text


@pytest.mark.parametrize("wrong", [[[1], [2, 3]], [True], ["1"], [[[1]]], None, {1}])
def test_what_is_no_array_of_numbers_is_a_bad_row(wrong):
    with pytest.raises(BadRow, match=r"the target must be numbers \(time,\) or \(time, features\)"):
        write_steps(wrong, "target")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sources": "abc", "targets": ["a"]}, "sources must be several texts .* got 'abc'"),
        ({"sources": ["a"]}, "targets must be several texts .* got None"),
        ({"train": "a.tsv", "sources": ["a"]}, "training rows are given twice"),
        ({"sources": WORDS, "targets": ["a"]}, "the targets end before row 2 of the sources"),
        ({"sources": ["a"], "targets": WORDS}, "the sources end before row 2 of the targets"),
        ({"sources": ["a", float("nan")], "targets": ANSWERS}, "row 2: the source is no text: nan"),
        ({"sources": ["\ud800"], "targets": ["a"]}, "row 1: the source has .* no character"),
        ({"sources": [[np.nan]], "targets": [1], **NUMBERS}, "row 1: 'nan' at position 1"),
        ({"sources": WORDS, "targets": ANSWERS, "columns": [1, 2]}, "memory have no columns"),
        ({"sources": WORDS, "targets": ANSWERS, "keep_data": True}, "the train rows are in memory"),
        ({"sources": WORDS, "targets": ANSWERS, "test": ([], [])}, "test rows in memory holds no"),
    ],
)
def test_errors_are_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        Pairs(**arguments)
    assert "\n" not in str(caught.value)


def test_bad_rows_may_be_skipped_and_an_empty_text_is_none():
    task = Pairs(sources=[*WORDS, None, ""], targets=[*ANSWERS, "a", "b"], on_bad_row="skip")
    assert task.notes[0].startswith(
        "1 bad row was skipped; the first: train rows in memory, row 41"
    )
    assert "" in {example.source for split in SPLITS for example in task.examples(split)}


def test_its_configuration_makes_it_again_only_from_files(tmp_path):
    path = write(tmp_path / "a.tsv", WORDS, ANSWERS)
    config = Pairs(Path(path), columns=(2, 1), seed=3).to_config()
    assert config.pop("_target_") == "seq2seq.data.Pairs" and "in_memory" not in config
    assert same(Pairs(**config), Pairs(path, columns=[2, 1], seed=3))
    path = write(tmp_path / "test.tsv", ["a"], ["b"])
    config = Pairs(sources=WORDS, targets=ANSWERS, test=path).to_config()
    assert config["in_memory"] and config["train"] is None and config["test"] == path


def test_paths_are_not_columns():
    assert is_in_memory((["a"], ["b"])) and is_in_memory([WORDS, ANSWERS, ANSWERS])
    assert not any(map(is_in_memory, ["a.tsv", ["a", "b"], (Path("a"), Path("b")), [1, 2], None]))
    assert str(Columns("test", ([], []))) == "test rows in memory"
