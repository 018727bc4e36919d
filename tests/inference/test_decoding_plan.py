"""Plans of decoding: limits, constraints, and options that do not fit the model."""

from types import SimpleNamespace

import numpy as np
import pytest

from seq2seq.decoding.constraints import CopyRange, Length, Prefix, SuppressTokens
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.decoding_plan import DecodingPlan
from seq2seq.runtime.real_values import Numbers
from tests.inference.small_predictor import LETTERS, SETTINGS


def make_plan(source=LETTERS, target=LETTERS, settings=SETTINGS, pointer=False, **options):
    model = SimpleNamespace(
        copies_symbols=pointer, has_weights=pointer, check_strategy=lambda strategy: None
    )
    return DecodingPlan(Decoding(**options), model, source, target, settings)


@pytest.mark.parametrize(
    "options, limit",
    [
        ({}, 2 * (5 + 4)),  # the longest target of training, and the source with its end
        ({"max_length": 7}, 7),
        ({"max_length": "2x+1"}, 7),
        ({"max_length": "0.1x"}, 1),
    ],
)
def test_a_limit_depends_on_the_length_of_the_source(options, limit):
    assert make_plan(**options).max_length(4) == limit


@pytest.mark.parametrize("target_length, limit", [(None, 4), (2, 2)])
def test_real_values_have_the_length_of_the_source_or_of_the_task(target_length, limit):
    settings = {**SETTINGS, "target_length": target_length}
    plan = make_plan(Numbers(), Numbers(), settings)
    assert plan.max_length(4) == limit
    assert plan.constraints(np.array([4])) == []


def test_each_source_has_its_limit_and_the_loop_the_greatest():
    limits = make_plan(max_length="1x").limits(np.array([3, 6]))
    assert limits["limits"].tolist() == [2, 5] and limits["max_length"] >= 5


def test_padding_start_and_what_is_banned_are_suppressed():
    (suppressed,) = make_plan(banned=["b"]).constraints(np.array([3]))
    assert isinstance(suppressed, SuppressTokens) and suppressed.ids.tolist() == [0, 1, 5]


def test_a_pointer_copies_symbols_of_the_source_without_its_end():
    kinds = [type(rule) for rule in make_plan(pointer=True).constraints(np.array([3, 2]))]
    assert kinds == [SuppressTokens, CopyRange]


def test_minimum_length_and_prefix_are_constraints_of_a_batch():
    rules = make_plan(min_length="2x").constraints(np.array([3, 2]), [[4], []])
    assert [type(rule) for rule in rules] == [SuppressTokens, Length, Prefix]
    assert rules[1].minimum.tolist() == [4, 2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"unknown": "copy"}, "unknown=copy needs attention"),
        ({"banned": ["z"]}, "decoding.banned names 'z', which the model cannot generate"),
        ({"allowed": ["z"]}, "decoding.allowed names 'z'"),
        ({"target": Numbers(), "min_length": 1}, "decoding.min_length is for tokens"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_plan(**arguments)
