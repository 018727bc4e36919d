"""Probes: they recover symbols where states hold them, and are at chance where not."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="probes need keras-seq2seq[analysis]")

from seq2seq import ensemble
from seq2seq.analysis import probing
from seq2seq.analysis.probing import probe, probe_states, read_states
from tests.inference.test_tracing import make

RNG = np.random.default_rng(0)
COUNTS = (600, 300)  # of training and test


def draw(lengths=(2, 3), letters="abcd"):
    """Sources of training and test."""
    return [
        [[*RNG.choice([*letters], RNG.choice(lengths))] for _ in range(count)] for count in COUNTS
    ]


def one_hot(source, letters="abcd", positions=3):
    """A vector with a one for the letter at each position."""
    vector = np.zeros((positions, len(letters)))
    vector[np.arange(len(source)), [letters.index(letter) for letter in source]] = 1
    return vector.reshape(-1)


def find(probing, **fields):
    return [
        reading
        for reading in probing.readings
        if all(getattr(reading, k) == v for k, v in fields.items())
    ]


def test_a_linear_function_of_the_symbols_is_read_and_shuffled_states_are_not():
    sources = draw()
    mix = RNG.normal(size=(12, 20))
    states = [{"hidden": np.array([one_hot(s) for s in side]) @ mix} for side in sources]
    result = probe_states(states, sources)
    assert [(reading.length, reading.position) for reading in result.readings] == [
        *[(0, 0), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)],
    ]
    assert all(reading.accuracy.value == 1 for reading in result.readings)
    for reading in result.readings:
        chance, deviation = (
            (0.5 if reading.length == 0 else 0.25),
            np.sqrt(0.25 / reading.accuracy.total),
        )
        assert abs(reading.control.value - chance) < 4 * deviation
        assert reading.accuracy.total == reading.control.total
    assert find(result, length=0)[0].accuracy.total == COUNTS[1] and not result.notes


def test_what_is_in_one_part_is_read_from_that_part_alone():
    """The first letter is in hidden, the second in cell; both have both."""
    sources = draw(lengths=[2])
    states = []
    for side in sources:
        letters = np.array([one_hot(s, positions=2).reshape(2, 4) for s in side])
        distractors = RNG.normal(size=(2, len(side), 4))
        hidden, cell = (
            np.concatenate([letters[:, index], distractors[index]], axis=1) for index in range(2)
        )
        states.append({"hidden": hidden, "cell": cell, "both": np.hstack([hidden, cell])})
    result = probe_states(states, sources)
    read = {
        (reading.part, reading.position): reading.accuracy.value
        for reading in result.readings
        if reading.position
    }
    for part, position in (("hidden", 1), ("cell", 2), ("both", 1), ("both", 2)):
        assert read[part, position] == 1
    assert read["hidden", 2] < 0.4 and read["cell", 1] < 0.4


def test_noise_is_probed_at_chance_level():
    sources = draw()
    states = [{"hidden": RNG.normal(size=(count, 10))} for count in COUNTS]
    for reading in probe_states(states, sources).readings[1:]:
        assert abs(reading.accuracy.value - 0.25) < 4 * np.sqrt(0.25 / reading.accuracy.total)


def test_omissions_are_noted(monkeypatch):
    monkeypatch.setattr(probing, "MAX_LENGTHS", 2)
    monkeypatch.setattr(probing, "MAX_POSITIONS", 2)
    monkeypatch.setattr(probing, "MIN_TRAINING", 50)
    sources = draw(lengths=(1, 2, 3))
    sources[0].append([*"abcda"])
    states = [{"hidden": RNG.normal(size=(len(side), 3))} for side in sources]
    result = probe_states(states, sources)
    assert {(reading.length, reading.position) for reading in result.readings} == {
        (0, 0),
        (1, 1),
        (3, 1),
        (3, -1),
    }
    assert result.notes == [
        "left out, with fewer than 50 training and 20 held-out sources: length 5",
        "2 lengths are probed; left out: 2",
        "of length 3 the first 1 and the last 1 positions are probed",
    ]
    few = [side[:30] for side in sources]
    with pytest.raises(
        ValueError, match="no length has 50 training and 20 held-out sources, of 30"
    ):
        probe_states([{"hidden": np.zeros((30, 3))}] * 2, few)


def test_a_position_with_one_symbol_has_accuracy_1_and_too_many_symbols_are_refused():
    sources = [[["a"]] * count for count in COUNTS]
    states = [{"hidden": RNG.normal(size=(count, 3))} for count in COUNTS]
    assert probe_states(states, sources).readings[-1].accuracy.value == 1
    sources = [[[str(number)] for number in range(count)] for count in COUNTS]
    with pytest.raises(ValueError, match="600 sources have 600 different symbols at one position"):
        probe_states(states, sources)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_the_states_read_are_those_handed_over(kind):
    run = make({"layers": 2, "cell": kind}, {"layers": 2, "cell": kind})
    sources = ["abc", "b", "zb"]
    arrays, (state, _) = read_states(run, sources), run.encode(sources, "token")
    assert [*arrays] == (["hidden", "cell", "both"] if kind == "lstm" else ["hidden"])
    for field in state.layers[0]._fields:
        concatenated = np.concatenate([getattr(layer, field) for layer in state.layers], axis=1)
        np.testing.assert_allclose(arrays[field], concatenated, atol=1e-6)


def test_impossible_probes_are_refused():
    values = make({"vocabulary_size": None, "features": 1}, {})
    with pytest.raises(ValueError, match="sources of this run are real values"):
        probe(values, ["1"], ["2"])
    with pytest.raises(ValueError, match="probe its runs one by one"):
        probe(ensemble([make(), make()]), ["a"], ["b"])
