"""Inputs of the decoder in training: probabilities, and draws that can be computed again."""

import math

import numpy as np
import pytest

from seq2seq.training.teacher_forcing import (
    FreeRunning,
    PerSequence,
    ScheduledSampling,
    TeacherForcing,
)

SHAPE = (400, 20)
DRAWN = [
    ScheduledSampling(),
    ScheduledSampling("linear", minimum=0.2),
    ScheduledSampling("constant", minimum=0.3),
    ScheduledSampling("exponential", rate=2.0),
    PerSequence(0.7),
]


@pytest.mark.parametrize(
    "schedule, probabilities",
    [
        ("constant", (0, 0, 0)),
        ("linear", (1, 1 / 2, 0)),
        ("exponential", (1, math.exp(-2), math.exp(-4))),
        ("inverse_sigmoid", (math.e / (math.e + 1), 1 / 2, 1 / (1 + math.e))),
    ],
)
def test_schedules_at_the_start_halfway_and_at_the_end(schedule, probabilities):
    for minimum in (0, 0.1, 1):
        forcing = ScheduledSampling(schedule, minimum, rate=4)
        expected = [max(minimum, probability) for probability in probabilities]
        assert [forcing.probability(done) for done in (0, 0.5, 1)] == pytest.approx(expected)


@pytest.mark.parametrize("rate", [0.5, 16, 100])
@pytest.mark.parametrize("schedule", ["constant", "linear", "exponential", "inverse_sigmoid"])
def test_the_share_never_rises(schedule, rate):
    forcing = ScheduledSampling(schedule, rate=rate)
    probabilities = [forcing.probability(done) for done in np.linspace(0, 1, 50)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 <= probabilities[-1] <= probabilities[0] <= 1


@pytest.mark.parametrize("forcing", DRAWN)
def test_draws_are_a_pure_function_of_seed_and_step(forcing):
    draw = forcing.draw(SHAPE, 0, 5, 10)
    assert draw.shape == SHAPE and draw.dtype == bool
    forcing.draw(SHAPE, 0, 6, 10)
    assert (forcing.draw(SHAPE, 0, 5, 10) == draw).all()
    assert (forcing.draw(SHAPE, 1, 5, 10) != draw).any()
    later = forcing.draw(SHAPE, 0, 6, 12)  # as much of the training is done
    assert (later != draw).any()


@pytest.mark.parametrize("step", [0, 25, 50, 100])
@pytest.mark.parametrize("forcing", DRAWN[:-1])
def test_the_share_of_truth_follows_the_schedule(forcing, step):
    draws = forcing.draw((500, 40), 0, step, 100)
    assert draws.mean() == pytest.approx(forcing.probability(step / 100), abs=0.02)


def test_a_coin_is_flipped_for_each_token_or_for_each_target():
    tokens = ScheduledSampling("constant", 0.5).draw(SHAPE, 0, 0, 1).mean(1)
    assert 0 < tokens.min() and tokens.max() < 1
    targets = PerSequence(0.7).draw(SHAPE, 0, 0, 1)
    assert (targets == targets[:, :1]).all()
    assert targets.mean() == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize(
    "kind", [PerSequence, lambda probability: ScheduledSampling("constant", probability)]
)
@pytest.mark.parametrize("probability", [0, 1])
def test_certain_coins(kind, probability):
    assert (kind(probability).draw(SHAPE, 0, 3, 10) == bool(probability)).all()


def test_the_truth_alone_and_the_models_own_alone():
    assert TeacherForcing().draw(SHAPE, 0, 0, 1) is None
    free = FreeRunning().draw(SHAPE, 0, 0, 1)
    assert free.shape == SHAPE and free.dtype == bool and not free.any()


@pytest.mark.parametrize(
    "kind, arguments, message",
    [
        (ScheduledSampling, {"schedule": "lineal"}, "'lineal'; did you mean 'linear'"),
        (ScheduledSampling, {"minimum": 1.5}, r"forcing.minimum must be .* from 0 to 1, got 1\.5"),
        (ScheduledSampling, {"minimum": True}, "forcing.minimum .* got True"),
        (ScheduledSampling, {"rate": 0}, "forcing.rate must be above 0 .*, got 0"),
        (ScheduledSampling, {"rate": 101}, "at most 100, got 101"),
        (ScheduledSampling, {"rate": math.nan}, "forcing.rate .* got nan"),
        (ScheduledSampling, {"rate": "fast"}, "forcing.rate must be a number, got 'fast'"),
        (PerSequence, {"probability": -0.1}, r"forcing.probability must be .*, got -0\.1"),
        (PerSequence, {"probability": math.nan}, "forcing.probability .* got nan"),
        (PerSequence, {"probability": "half"}, "forcing.probability .* got 'half'"),
    ],
)
def test_bad_arguments_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)
