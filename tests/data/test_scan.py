"""SCAN: the grammar gives all 20,910 commands, the rules give the published splits."""

from collections import Counter

import pytest

from seq2seq.data import Scan
from seq2seq.data.scan import commands, contains
from tests.conftest import slow_except

# Sizes of the published files: training lines, of them distinct, test lines.
PUBLISHED = {
    "simple": (16_728, 16_728, 4_182),
    "length": (16_990, 16_990, 3_920),
    "jump": (14_670, 13_204, 7_706),
    "turn_left": (21_890, 19_702, 1_208),
    "jump_around_right": (18_528, 18_528, 1_173),
    "around_right": (15_225, 15_225, 4_476),
    "opposite_right": (15_225, 15_225, 4_476),
    "right": (15_225, 15_225, 4_476),
    "filler_num0": (15_225, 15_225, 1_173),
    "filler_num1": (16_290, 16_290, 1_173),
    "filler_num2": (17_391, 17_391, 1_173),
    "filler_num3": (18_528, 18_528, 1_173),
}


def test_the_grammar():
    everything = commands()
    assert len(everything) == 20_910
    assert sum(map(len, everything.values())) == 299_388
    assert len(set(everything.values())) == 9_228
    assert max(len(c.split()) for c in everything) == 9
    assert max(map(len, everything.values())) == 48


@pytest.mark.parametrize(
    "command, actions",
    [
        ("jump", "I_JUMP"),
        ("jump left", "I_TURN_LEFT I_JUMP"),
        ("jump around right", "I_TURN_RIGHT I_JUMP " * 4),
        ("turn left twice", "I_TURN_LEFT I_TURN_LEFT"),
        ("jump thrice", "I_JUMP I_JUMP I_JUMP"),
        ("jump opposite left and walk thrice", "I_TURN_LEFT I_TURN_LEFT I_JUMP " + "I_WALK " * 3),
        (
            "jump opposite left after walk around left",
            "I_TURN_LEFT I_WALK " * 4 + "I_TURN_LEFT I_TURN_LEFT I_JUMP",
        ),
    ],
)
def test_the_papers_examples(command, actions):
    assert list(commands()[command]) == actions.split()


@pytest.mark.parametrize("split", slow_except(["simple", "length", "jump"], PUBLISHED))
def test_published_sizes(split):
    task = Scan(split, validation_examples=0)
    train, test = task.examples("train"), task.examples("test")
    assert (len(train), len(set(train)), len(test)) == PUBLISHED[split]
    assert not set(train) & set(test)


def test_the_length_split_is_by_actions():
    task = Scan("length", validation_examples=0)
    assert max(len(e.target.split()) for e in task.examples("train")) == 22
    assert min(len(e.target.split()) for e in task.examples("test")) == 24


@pytest.mark.parametrize("split, primitive", [("jump", "jump"), ("turn_left", "turn left")])
def test_validation_comes_from_training_and_leaves_the_primitive(split, primitive):
    full, task = Scan(split, validation_examples=0), Scan(split, validation_examples=100)
    train, validation = task.examples("train"), task.examples("validation")
    assert len(validation) == 100 and not set(train) & set(validation)
    assert sorted(train + validation) == sorted(full.examples("train"))
    copies = [e for e in train if e.source == primitive]
    assert len(copies) == [e.source for e in full.examples("train")].count(primitive) > 1000


# Lines of the published files complex_jump_numN; their repetitions are 10 % of the lines.
@pytest.mark.slow
@pytest.mark.parametrize(
    "added, lines",
    slow_except(
        [(1, 14_671)],
        [(1, 14_671), (2, 14_670), (4, 14_668), (8, 14_670), (16, 14_665), (32, 14_655)],
    ),
)
def test_added_commands_go_from_the_test_to_training(added, lines):
    task, plain = (Scan("jump", 100, added=number) for number in (added, 0))
    train, test = task.examples("train"), task.examples("test")
    assert len(train) + 100 == lines and len(test) == 7_706 - added
    counts = Counter(example for example in train if contains(example.source, "jump"))
    assert len(counts) == added + 1 and len(set(counts.values())) == 1
    assert counts.total() / lines == pytest.approx(0.1, abs=0.001)
    new = {example for example in counts if example.source != "jump"}
    assert set(test) | new == set(plain.examples("test")) and not set(test) & new
    assert task.examples("validation") == plain.examples("validation")
    drawn = [set(Scan("jump", added=added, seed=seed).examples("test")) for seed in (0, 1)]
    assert drawn[0] == set(test) != drawn[1]


@pytest.mark.parametrize("split, added", [("jump", 3), ("turn_left", 8), ("simple", 1)])
def test_other_numbers_of_added_commands_are_refused(split, added):
    with pytest.raises(ValueError, match=f"added must be 0, .*got {added} with split={split}"):
        Scan(split, added=added)


def test_the_simple_split_is_drawn_by_the_seed():
    first, second = Scan(seed=0).examples("test"), Scan(seed=1).examples("test")
    assert first == Scan(seed=0).examples("test")
    assert set(first) != set(second)


def test_unknown_splits_are_refused():
    with pytest.raises(ValueError, match="unknown SCAN split 'lenght'.*length"):
        Scan("lenght")
