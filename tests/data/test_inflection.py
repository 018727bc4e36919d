"""Inflection: the rules by worked examples, and lemmas that are on one side only."""

import pytest

from seq2seq.data import Inflection, inflection
from seq2seq.data.inflection import TAGS, attach, inflect, is_strong

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def task():
    return Inflection(training_examples=3000, validation_examples=300, test_examples=600)


@pytest.mark.parametrize(
    "lemma, ending, form",
    [
        ("walk", "ed", "walked"),
        ("hope", "ed", "hoped"),  # silent e
        ("hope", "ing", "hoping"),
        ("hope", "s", "hopes"),
        ("try", "ed", "tried"),  # y to i
        ("try", "s", "tries"),
        ("try", "ing", "trying"),
        ("happy", "est", "happiest"),
        ("stop", "ing", "stopping"),  # doubling
        ("big", "er", "bigger"),
        ("stop", "s", "stops"),
        ("mint", "ed", "minted"),
        ("visit", "ed", "visited"),  # more than one vowel
        ("box", "s", "boxes"),  # es
        ("wish", "s", "wishes"),
        ("kiss", "s", "kisses"),
        ("box", "ed", "boxed"),  # x is not doubled
    ],
)
def test_endings_are_spelled_as_english_does(lemma, ending, form):
    assert attach(lemma, ending) == form


@pytest.mark.parametrize(
    "lemma, forms",
    [
        ("stop", "stop stops stopped stopping stopped stop stops stop's stops' stopper stoppest"),
        ("sink", "sink sinks sank sinking sanken sink sinks sink's sinks' sinker sinkest"),
        ("leng", "leng lengs long lenging longen leng lengs leng's lengs' lenger lengest"),
        ("fly", "fly flies flied flying flied fly flies fly's flies' flier fliest"),
    ],
)
def test_the_whole_table_of_a_lemma(lemma, forms):
    assert [inflect(lemma, tags) for tags in TAGS] == forms.split()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_lemma_is_in_one_split_with_all_its_forms(seed):
    task = Inflection(training_examples=3000, max_syllables=1, validation_examples=200, seed=seed)
    lemmas = ({e.source.split("\t")[0] for e in task.examples(s)} for s in SPLITS)
    train, validation, test = lemmas
    assert not train & test and not train & validation and not validation & test


@pytest.mark.parametrize("split, count", [("train", 3000), ("validation", 300), ("test", 600)])
def test_splits_are_finite_distinct_and_right(task, split, count):
    examples = task.examples(split)
    assert len({example.source for example in examples}) == len(examples) == count
    assert all(inflect(*e.source.split("\t")) == e.target and not e.others for e in examples)
    assert {e.source.split("\t")[1] for e in examples} == set(TAGS)


@pytest.mark.parametrize("split", SPLITS)
def test_irregular_forms_occur_in_every_split(task, split):
    rows = [(*e.source.split("\t"), e.target) for e in task.examples(split)]
    past = [row for row in rows if is_strong(row[0]) and row[1] in ("V;PST", "V;PTCP;PST")]
    assert past and not any(form.startswith(lemma[:-2]) for lemma, _, form in past)


@pytest.mark.parametrize("split", SPLITS)
def test_every_example_can_be_encoded(task, split):
    for source, target, _ in task.examples(split):
        lemma, tags = source.split("\t")
        assert task.source.symbols.decode(task.source.encode(source)) == lemma
        assert task.source.encode_tags(source).sum() == len(tags.split(";"))
        assert task.target.decode(task.target.encode(target)) == target


@pytest.mark.parametrize("split", SPLITS)
def test_examples_are_a_pure_function_of_the_seed(task, split):
    small = {"training_examples": 50, "validation_examples": 50, "test_examples": 50}
    first, same, reseeded = Inflection(**small), Inflection(**small), Inflection(**small, seed=1)
    same.examples("test")  # the order of calls changes nothing
    assert first.examples(split) == same.examples(split) != reseeded.examples(split)
    assert first.examples(split) is first.examples(split)
    assert first.examples(split) == task.examples(split)[:50]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_space_that_is_too_small_is_used_up(monkeypatch, split):
    monkeypatch.setattr(inflection, "ONSETS", "b c d f")
    monkeypatch.setattr(inflection, "CODAS", "ng")
    wish = {"max_syllables": 1, "training_examples": 1000, "test_examples": 1000}
    task = Inflection(**wish)
    count = len(set(task.examples(split)))
    assert 0 < count == len(task.examples(split)) < 1000
    where = "there" if split == "train" else "held out of training"
    name = {"train": "training"}.get(split, split)
    assert (
        f"task inflection has too few examples of sizes 1 to 1 for task.{name}_examples=1000: "
        f"all {count} distinct ones that are {where} were taken"
    ) in task.notes


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"training_examples": 0}, "training_examples must be a whole number .*, got 0"),
        ({"min_syllables": 0}, "min_syllables must be a whole number of at least 1, got 0"),
        ({"min_syllables": 4}, "max_syllables=3 is less than min_syllables=4"),
        ({"max_syllables": 1.5}, "max_syllables must be a whole number .*, got 1.5"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Inflection(**arguments)


def test_unknown_splits_are_refused(task):
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        task.examples("dev")
