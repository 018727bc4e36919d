"""Tasks from files: splits by seed, grouped by source, without overlap."""

import unicodedata

import pytest

from seq2seq.data import Pairs, Tagged
from seq2seq.data.pairs import group_by_source
from seq2seq.data.task import SPLITS


def write(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")
    return str(path)


def numbered(count, prefix="s"):
    return [(f"{prefix}{n}", f"t{n}") for n in range(count)]


def sources(task, split):
    return {example.source for example in task.examples(split)}


def test_held_out_splits_are_grouped_by_source_and_drawn_by_seed(tmp_path):
    rows = numbered(200) + [(source, "another") for source, _ in numbered(200)]
    path = write(tmp_path / "a.tsv", rows)
    task, same, reseeded = Pairs(path), Pairs(path), Pairs(path, seed=1)
    assert [len(sources(task, s)) for s in ("train", "validation", "test")] == [170, 10, 20]
    assert not sources(task, "train") & (sources(task, "test") | sources(task, "validation"))
    assert not sources(task, "test") & sources(task, "validation")
    assert task.examples("test") == same.examples("test") != reseeded.examples("test")
    assert len(task.examples("train")) == 340  # every row
    assert all(len(e.references) == 2 for e in task.examples("test"))


def test_given_splits_are_used_and_overlap_leaves_training(tmp_path):
    train = write(tmp_path / "train.tsv", numbered(50))
    test = write(tmp_path / "test.tsv", numbered(5))
    validation = write(tmp_path / "validation.tsv", numbered(5, "v"))
    task = Pairs(train, validation, test)
    assert sources(task, "test") == {f"s{n}" for n in range(5)}
    assert sources(task, "validation") == {f"v{n}" for n in range(5)}
    assert len(task.examples("train")) == 45
    assert "5 train rows were left out" in task.notes[0]


def test_validation_never_holds_what_the_test_holds(tmp_path):
    train = write(tmp_path / "train.tsv", numbered(60))
    test = write(tmp_path / "test.tsv", numbered(30))
    task = Pairs(train, test=test)
    assert not sources(task, "validation") & sources(task, "test")
    validation = write(tmp_path / "validation.tsv", numbered(35))
    task = Pairs(train, validation, test)
    assert sources(task, "validation") == {f"s{n}" for n in range(30, 35)}
    assert not sources(task, "train") & (sources(task, "validation") | sources(task, "test"))
    assert "30 validation rows were left out: their source is in test" in task.notes


def test_vocabularies_come_from_training_alone(tmp_path):
    train = write(tmp_path / "train.tsv", [("ab", "A B"), ("ba", "B A"), ("aa", "A A")] * 2)
    test = write(tmp_path / "test.tsv", [("xyz", "X Y Z")])
    validation = write(tmp_path / "validation.tsv", [("bb", "B B")])
    task = Pairs(train, validation, test, target_tokens="symbols")
    assert task.source.symbols[4:] == ("a", "b")
    assert task.target.symbols[4:] == ("A", "B")


def test_skipped_rows_are_counted(tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"s{n}\tt\n" for n in range(30)) + "bad\nworse\n")
    with pytest.raises(ValueError, match="line 31: .*on_bad_row=skip"):
        Pairs(str(tmp_path / "a.tsv"))
    task = Pairs(str(tmp_path / "a.tsv"), on_bad_row="skip")
    (note,) = task.notes
    assert note.startswith("2 bad rows were skipped; the first: ")
    assert "a.tsv, line 31: expected source<TAB>target, found 1 column" in note


def test_layout_comments_and_duplicates_are_noted(tmp_path):
    lines = [f"s{n}\tt\n" for n in range(30)]
    path = tmp_path / "a.tsv"
    path.write_text("# by hand\n" + "".join(lines) + "\n\n" + "".join(lines[:3]))
    task = Pairs(str(path), comment="#")
    assert task.comment == "#" and task.notes == (
        "2 blank lines were skipped",
        "1 comment line was skipped",
        "3 of 33 train rows repeat an earlier one, and are trained on as often as they occur",
    )
    with pytest.raises(ValueError, match="a.tsv, line 1: expected source<TAB>target, found 1"):
        Pairs(str(path))


def test_missing_readings_are_refused_by_line_and_place(tmp_path):
    rows = [(f"{n}.0 {n + 1}.0 {n + 2}.0", f"{n + 3}.0") for n in range(30)]
    numbers = {"source_tokens": "numbers", "target_tokens": "numbers"}
    for gap, position in (("nan", 3), ("NA", 2), ("inf", 1)):
        values = ["1.0", "2.0", "3.0"]
        values[position - 1] = gap
        path = write(tmp_path / "a.tsv", [*rows[:4], (" ".join(values), "4.0"), *rows[4:]])
        with pytest.raises(ValueError, match=f"a.tsv, line 5: '{gap}' at position {position} "):
            Pairs(path, **numbers)


def test_a_skipped_row_does_not_determine_the_number_of_features(tmp_path):
    rows = [("1,2 ,3", "4"), ("1.0", "2,x"), *((f"{n}.0 {n + 1}.0", f"{n}") for n in range(30))]
    numbers = {"source_tokens": "numbers", "target_tokens": "numbers", "on_bad_row": "skip"}
    task = Pairs(write(tmp_path / "a.tsv", rows), **numbers)
    assert (task.source.features, task.target.features) == (1, 1)
    assert task.notes[0].startswith("2 bad rows were skipped; the first: ")


def test_real_values(tmp_path):
    rows = [(f"{n} {n + 1}", f"{n}.5,1 {n}.25,2") for n in range(40)]
    task = Pairs(write(tmp_path / "a.tsv", rows), source_tokens="numbers", target_tokens="numbers")
    assert (task.source.features, task.target.features, task.target_length) == (1, 2, 2)
    assert task.metrics == "values"
    rows[7] = ("1 2", "oops 3")
    with pytest.raises(ValueError, match="line 8: 'oops' at position 1 is not a number"):
        path = write(tmp_path / "b.tsv", rows)
        Pairs(path, source_tokens="numbers", target_tokens="numbers")


def test_held_out_real_values_must_have_the_length_of_training(tmp_path):
    train = write(tmp_path / "a.tsv", [(f"{n}", f"{n} {n}") for n in range(40)])
    test = write(tmp_path / "b.tsv", [("50", "1 2 3")])
    with pytest.raises(ValueError, match="test: the target of '50' has 3 values.*have 2"):
        Pairs(train, test=test, source_tokens="numbers", target_tokens="numbers")
    test = write(tmp_path / "c.tsv", [("50", "1,1 2,2")])
    with pytest.raises(ValueError, match="c.tsv, line 1: '1,1' at position 1 must hold 1 finite"):
        Pairs(train, test=test, source_tokens="numbers", target_tokens="numbers")


def test_real_values_without_a_common_length_are_refused(tmp_path):
    rows = [("a", "1 " * (1 + n % 3)) for n in range(40)]
    rows = [(f"{source}{n}", target.strip()) for n, (source, target) in enumerate(rows)]
    with pytest.raises(ValueError, match=r"one length.*found lengths \[1, 2, 3\]"):
        Pairs(write(tmp_path / "a.tsv", rows), target_tokens="numbers")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"train": None}, "task.train=my.tsv"),
        (
            {"source_tokens": "letters"},
            "unknown task.source_tokens 'letters'; did you mean 'characters'",
        ),
        ({"train": 5}, "expected one file or two parallel files, got 5"),
        ({"columns": 5}, "columns must be the numbers .* got 5"),
        ({"on_bad_row": "ignore"}, "unknown task.on_bad_row 'ignore'"),
    ],
)
def test_impossible_arguments_are_refused(tmp_path, arguments, message):
    path = write(tmp_path / "a.tsv", numbered(30))
    with pytest.raises(ValueError, match=message):
        Pairs(**{"train": path, **arguments})


def tagged(path, separator=";", count=100):
    """Two sets of tags a lemma, and a header."""
    rows = [
        f"w{n}\tV{separator}{time}\tw{n}{end}\n"
        for n in range(count)
        for time, end in (("PRS", "s"), ("PST", "ed"))
    ]
    path.write_text("lemma\ttags\tform\n" + "".join(rows))
    return str(path)


@pytest.mark.parametrize("separator", [";", "+"])
def test_tags_stand_beside_the_source_and_are_divided_with_it(tmp_path, separator):
    path = tagged(tmp_path / "a.tsv", separator)
    task = Pairs(path, columns=["lemma", "form", "tags"], tag_separator=separator)
    assert isinstance(task.source, Tagged)
    assert task.source.tags == ("PRS", "PST", "V")
    assert "P" not in task.source.symbols.symbols  # tags are no text
    splits = [sources(task, split) for split in ("train", "validation", "test")]
    assert list(map(len, splits)) == [170, 10, 20]  # a source with its tags is one
    assert len(set.union(*splits)) == 200
    for example in task.examples("test"):
        lemma, tags = task.source.split(example.source)
        assert example.target == lemma + ("s" if "PRS" in tags else "ed")
        assert len(tags) == 2 and not example.others


def test_given_splits_overlap_only_where_source_and_tags_are_the_same(tmp_path):
    (tmp_path / "test.tsv").write_text("lemma\ttags\tform\nw0\tV;PST\tw0ed\nw1\t\tw1\n")
    path = tagged(tmp_path / "a.tsv")
    task = Pairs(path, test=str(tmp_path / "test.tsv"), columns=["lemma", "form", "tags"])
    known = sources(task, "train") | sources(task, "validation")
    assert "w0\tV;PRS" in known and "w0\tV;PST" not in known
    assert task.notes == ("1 train rows were left out: their source is in test",)


def test_a_shared_vocabulary_has_the_symbols_of_both(tmp_path):
    path = tagged(tmp_path / "a.tsv")
    alone = Pairs(path, columns=[1, 3])
    assert alone.source.symbols != alone.target.symbols
    plain = Pairs(path, columns=[1, 3], shared_vocabulary=True)
    assert plain.source.symbols == plain.target.symbols
    assert set(plain.target.symbols) == {*alone.source.symbols, *alone.target.symbols}
    task = Pairs(path, columns=["lemma", "form", "tags"], shared_vocabulary=True)
    assert task.source.symbols.symbols == task.target.symbols
    assert task.source.tags == ("PRS", "PST", "V")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"source_tokens": "numbers"}, "real values have no vocabulary to share"),
        ({"target_tokens": "numbers"}, "real values have no vocabulary to share"),
        ({"target_tokens": "words"}, "both sides split alike, got characters and words"),
        ({"shared_vocabulary": "no"}, "shared_vocabulary must be true or false, got 'no'"),
        ({"columns": [1, 2, 3], "source_tokens": "numbers"}, "can't have tags"),
    ],
)
def test_what_can_not_be_shared_or_tagged_is_refused(tmp_path, arguments, message):
    (tmp_path / "a.tsv").write_text("".join(f"{n}\t{n}\tV\n" for n in range(40)))
    arguments = {"columns": [1, 2], "shared_vocabulary": True, **arguments}
    with pytest.raises(ValueError, match=message):
        Pairs(str(tmp_path / "a.tsv"), **arguments)


def test_too_few_rows_to_hold_out(tmp_path):
    with pytest.raises(ValueError, match="2 different source.*too few"):
        Pairs(write(tmp_path / "a.tsv", numbered(2)))


def test_one_set_of_tags_is_one_source_however_it_is_written(tmp_path):
    rows = [f"w{n}\tf{n}\t{tags}\n" for n in range(60) for tags in ("V;PST", "PST; V")]
    (tmp_path / "a.tsv").write_text("".join(rows))
    task = Pairs(str(tmp_path / "a.tsv"), columns=[1, 2, 3])
    words = {split: {s.split("\t")[0] for s in sources(task, split)} for split in SPLITS}
    assert not words["test"] & (words["train"] | words["validation"])
    assert all(source.endswith("V;PST") for source in sources(task, "train"))


def test_spellings_of_one_source_are_never_divided(tmp_path):
    words = [f"caf\u00e9{letter}{ending}" for letter in "abcdefgh" for ending in "abcd"]
    rows = [(form, word) for word in words for form in (word, unicodedata.normalize("NFD", word))]
    task = Pairs(write(tmp_path / "a.tsv", rows))
    assert task.notes[-1].startswith("32 rows were brought to Unicode's normal form NFC")
    train = {example.source for example in task.examples("train")}
    for split in ("validation", "test"):
        held_out = [example.source for example in task.examples(split)]
        assert held_out and not train & set(held_out)
        assert all(unicodedata.is_normalized("NFC", source) for source in held_out)
    nfd = unicodedata.normalize("NFD", words[0])
    assert task.source.encode(nfd) == task.source.encode(words[0])
    unnormalized = Pairs(write(tmp_path / "b.tsv", rows), normalization="none")
    assert len(unnormalized.examples("test")) > len(task.examples("test"))


def test_a_tag_that_stands_twice_makes_another_source(tmp_path):
    rows = [
        row
        for number in range(40)
        for row in (
            (f"lemma{number}", f"one{number}", "V;PL;PRF"),
            (f"lemma{number}", f"two{number}", "PRF;PL;V;PRF"),
        )
    ]
    task = Pairs(write(tmp_path / "a.tsv", rows), columns=[1, 2, 3])
    examples = [e for split in ("train", "validation", "test") for e in task.examples(split)]
    assert len(examples) == 80 and all(len(example.references) == 1 for example in examples)
    assert task.source.tags == ("PL", "PRF", "PRF\t2", "V")


def test_every_reader_of_pairs_agrees_on_what_one_source_is(tmp_path):
    rows = [(f"lemma{n % 20}", f"form{n}", "PST;V" if n < 20 else "V;PST") for n in range(40)]
    task = Pairs(write(tmp_path / "a.tsv", rows), columns=[1, 2, 3])
    pairs = [(f"{lemma}\t{tags}", form) for lemma, form, tags in rows]
    grouped = group_by_source(pairs, task.source.canonical)
    assert len(grouped) == 20 and all(len(example.references) == 2 for example in grouped)
    assert len(group_by_source(pairs)) == 40


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path):
    rows = [(f"{'ab' * 5}{chr(97 + n % 26)}{n}", "x") for n in range(50)]
    path = write(tmp_path / "a.tsv", [*rows, ("a" * 3000, "y")])
    note = "the longest source has 3,000 symbols, half of all have 13 at most"
    assert any(note in text for text in Pairs(path).notes)
    task = Pairs(path, max_source_length=100)
    assert "1 rows were left out: their source is longer than task.max_source_length=100" in (
        task.notes
    )
    assert not any("longest" in text for text in task.notes)
    with pytest.raises(ValueError, match="task.max_target_length must be a whole number of at lea"):
        Pairs(path, max_target_length=0)
    with pytest.raises(ValueError, match="task.max_source_length=3 leaves no train row"):
        Pairs(path, max_source_length=3)


@pytest.mark.parametrize(
    "source, hint",
    [("0,5 0,7", True), ("1021.12,-0.06 1023.5,-0.03", False), ("1,2,3 4,5,6", False)],
)
def test_several_features_are_named(tmp_path, source, hint):
    path = write(tmp_path / "a.tsv", [(source.replace("5", str(n % 9)), "1") for n in range(40)])
    task = Pairs(path, source_tokens="numbers", target_tokens="numbers")
    [note] = [text for text in task.notes if "features a step" in text]
    assert ("decimal comma" in note) == hint
