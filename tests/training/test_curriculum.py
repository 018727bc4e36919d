"""The curriculum: fractions over the training, and bad fractions."""

import pytest

from seq2seq.training.curriculum import LengthCurriculum


@pytest.mark.parametrize("initial_fraction, ramp_fraction", [(0.1, 0.5), (0.5, 0.25), (0.01, 0.99)])
def test_a_curriculum_adds_evenly_until_all_take_part(initial_fraction, ramp_fraction):
    curriculum = LengthCurriculum(initial_fraction, ramp_fraction)
    fractions = [
        curriculum.fraction(done)
        for done in (0, ramp_fraction / 2, ramp_fraction, (ramp_fraction + 1) / 2, 1)
    ]
    assert fractions == pytest.approx([initial_fraction, (1 + initial_fraction) / 2, 1, 1, 1])
    assert max(fractions) <= 1


@pytest.mark.parametrize("name", ["initial_fraction", "ramp_fraction"])
@pytest.mark.parametrize("value, message", [(0, "more than 0, got 0"), (2, "got 2"), (None, "got")])
def test_fractions_are_above_0_and_at_most_1(name, value, message):
    with pytest.raises(ValueError, match=f"curriculum.{name} must be .*{message}"):
        LengthCurriculum(**{name: value})
