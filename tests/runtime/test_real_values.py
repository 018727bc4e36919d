"""Real values: round trips, statistics of each feature, digits, and errors by position."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.real_values import Numbers


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_numbers_survive_a_round_trip_to_six_digits(values):
    side = Numbers.build([" ".join(map(str, values))])
    text = side.decode(side.encode(" ".join(map(str, values))))
    got = [value for (value,) in side.tokens(text)]
    np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-4 * max(map(abs, values)) + 1e-9)


def test_numbers_are_standardised():
    side = Numbers.build(["10 20", "30 40"])
    values = np.concatenate([side.encode("10 20"), side.encode("30 40")])
    np.testing.assert_allclose([values.mean(), values.std()], [0, 1], atol=1e-6)
    assert side.decode(side.encode("30 40")) == "30 40"


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 two 3", "'two' at position 2 is not a number"),
        ("1 2,3", "'2,3' at position 2 must hold 1 finite value"),
        ("1 nan", "'nan' at position 2 must hold 1 finite"),
        ("inf", "'inf' at position 1"),
        ("1_000", "'1_000' at position 1 is not a number"),
        ("1 1e39", "'1e39' at position 2 must hold 1 finite value.s. of at most 1e.30"),
    ],
)
def test_bad_numbers_name_their_place(text, message):
    with pytest.raises(ValueError, match=message):
        Numbers().encode(text)


def test_each_feature_has_statistics_of_its_own():
    rows = [f"{1000 + n},{n / 100} {1000 - n},{-n / 100}" for n in range(100)]
    numbers = Numbers.build(rows)
    encoded = np.concatenate([numbers.encode(row) for row in rows])
    np.testing.assert_allclose(encoded.mean(0), [0, 0], atol=1e-6)
    np.testing.assert_allclose(encoded.std(0), [1, 1], atol=1e-6)
    again = make_codec(json.loads(json.dumps(numbers.to_config())))
    np.testing.assert_array_equal(again.encode(rows[7]), numbers.encode(rows[7]))


@pytest.mark.parametrize("offset", [0, 1e6, 1e9, 1e12])
def test_statistics_survive_an_offset(offset):
    values = np.random.default_rng(0).normal(size=2000)
    numbers = Numbers.build([f"{value + offset!r}" for value in values.tolist()])
    assert numbers.mean[0] - offset == pytest.approx(values.mean(), abs=1e-3)
    assert numbers.scale[0] == pytest.approx(values.std(), rel=1e-3)


@pytest.mark.parametrize("text", ["14.62 14.62", "0.1", "1013.25 1013.25", "0 0"])
def test_a_constant_has_scale_1(text):
    numbers = Numbers.build([text] * 37)
    assert numbers.scale.tolist() == [1.0] and numbers.encode(text)[0, 0] == pytest.approx(0)


def test_large_values_have_a_scale():
    assert Numbers.build(["1e20 -1e20"]).scale.tolist() == [1e20]


@pytest.mark.parametrize(
    "mean, scale, value, text",
    [
        (1234658.04, 51.97, 1234595.62599, "1234595.626"),
        (1.76e9, 28.9, 1760000012.34567, "1760000012.346"),
        (0.0, 1.0, 0.123456789, "0.123457"),
        (0.0, 1.0, -12.5, "-12.5"),
        (0.0, 1e-7, 1.2345e-7, "1.2345e-07"),
        (0.0, 1e20, 1.25e20, "1.25e+20"),
        (0.0, 1.0, 0.0, "0"),
    ],
)
def test_numbers_are_written_with_the_digits_of_their_spread(mean, scale, value, text):
    assert Numbers(1, mean, scale).join([(value,)]) == text


def test_what_is_written_reads_as_what_was_meant():
    numbers = Numbers(2, [1.76e9, 0.5], [28.9, 0.001])
    values = np.random.default_rng(0).normal(size=(50, 2))
    restored = numbers.encode(numbers.decode(values))
    np.testing.assert_allclose(restored, values, atol=1e-3)
