"""The style that figure and page share."""

import unicodedata
from dataclasses import replace

import numpy as np
import pytest

from seq2seq.analysis.style import (
    BRIDGES,
    COLOURS,
    find_limits,
    find_scales,
    join_symbols,
    label_output,
    label_source,
    pool,
    title_of,
    visible,
)
from seq2seq.layers import bridges
from tests.analysis.fake_trace import make_trace


def test_every_character_is_visible_and_stays_in_its_place():
    for code in [*range(0x3000), 0xD800, 0xE000, 0xFEFF, 0x1F600, 0xE0001, 0x10FFFF]:
        shown = visible(chr(code))
        assert shown and unicodedata.category(shown[0])[0] not in "CZM", hex(code)
        assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in shown)
        shown.encode()  # a lone half of a pair is no text


def test_visible_text_is_unchanged():
    for text in ("a", "é", "e\u0301", "漢", "ש", "I_TURN_LEFT", "</script>", "<end>"):
        assert visible(text) == text


def test_only_the_last_end_is_an_end():
    trace = make_trace([["<end>", "a"]], [["<end>"]], cut_off=False)
    assert label_source(trace, 0) == [("<end>", False), ("a", False), ("end", True)]
    assert label_output(trace, 0) == [("<end>", False), ("end", True)]
    assert label_output(make_trace(["a"], ["b"], cut_off=True), 0) == [("b", False)]


@pytest.mark.parametrize(
    "symbols, line",
    [
        ("abc", "abc"),
        (["ab", "c"], "ab c"),
        ("", "(nothing)"),
        ("a" * 81, "a" * 79 + "…"),
        ("नमस्ते", "नमस्ते"),  # marks stay with their letters
        ("a b", "a␣b"),
        (["<end>", "a"], "<end> a"),
    ],
)
def test_a_line_of_symbols(symbols, line):
    assert join_symbols([*symbols, "<end>"]) == line


def test_a_title_has_the_tags():
    trace = replace(make_trace(["kitap"], ["kitabı"]), tags=[["N", "ACC\u202e", "SG"]])
    assert title_of(trace, 0) == ("kitap (N, ACCU+202E, SG)", "kitabı")
    assert title_of(make_trace(["kitap"], ["kitabı"]), 0) == ("kitap", "kitabı")


def test_limits_are_of_what_is_there():
    trace = make_trace(units=64, gates=True)
    limits = find_limits(trace)
    one_side = {"hidden": 1.0, "cell": 3.0, **dict.fromkeys("ifog", 1.0)}
    assert limits == {"encoder": one_side, "decoder": one_side}
    assert find_scales(limits) == [("hidden", 1.0), ("cell", 3.0), ("gates", 1.0)]
    small = [layer.map(lambda array: array * 0.1) for layer in trace.encoder]
    tiny = replace(trace, encoder=small, received=small, decoder=small)
    assert find_limits(tiny)["decoder"]["hidden"] == pytest.approx(0.1)


def test_a_large_cell_of_the_decoder_does_not_pale_the_encoders():
    trace = make_trace(units=64)
    large = [replace(layer, cell=layer.cell * 20) for layer in trace.decoder]
    limits = find_limits(replace(trace, decoder=large))
    assert (limits["encoder"]["cell"], limits["decoder"]["cell"]) == (3.0, 70.0)
    assert find_scales(limits) == [("hidden", 1.0), ("encoder cell", 3.0), ("decoder cell", 70.0)]
    assert find_scales(find_limits(make_trace(kind="gru"))) == [("hidden", 1.0)]


def test_cells_far_from_the_rest_do_not_pale_the_others():
    trace = make_trace(units=512)
    trace.encoder[0].cell[0, 0, 0] = 1000.0
    trace.encoder[0].cell[0, 0, 1] = np.inf
    trace.encoder[0].hidden[0, 0, 0] = np.nan
    limits = find_limits(trace)
    assert limits["encoder"]["cell"] == 3.0 and limits["encoder"]["hidden"] == 1.0


def test_pooled_rows_show_the_farthest_and_lose_no_extreme():
    values = np.random.default_rng(0).normal(size=(5, 77))
    rows, size = pool(values, 20)
    assert (rows.shape, size) == ((5, 20), 4)
    for row in range(20):
        group = values[:, row * size : (row + 1) * size]
        np.testing.assert_array_equal(np.abs(rows[:, row]), np.abs(group).max(-1))
        assert all(
            shown in candidates for shown, candidates in zip(rows[:, row], group, strict=True)
        )
    unpooled, size = pool(values, 77)
    assert size == 1 and np.array_equal(unpooled, values)


def test_a_pooled_row_shows_that_a_value_is_not_finite():
    rows, _ = pool(np.array([[5.0, np.nan, 1.0, 2.0]]), 2)
    assert np.isnan(rows[0, 0]) and rows[0, 1] == 2.0


def test_every_bridge_is_described():
    classes = {name for name, value in vars(bridges).items() if isinstance(value, type)}
    ours = {name for name in classes if issubclass(getattr(bridges, name), bridges.Bridge)}
    assert set(BRIDGES) == ours - {"Bridge", "Projection"}


def test_colours_darken_evenly_on_both_sides():
    parts = [[int(code[start : start + 2], 16) for start in (1, 3, 5)] for code in COLOURS]
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in parts]
    middle = len(light) // 2
    assert light[: middle + 1] == sorted(light[: middle + 1])
    assert light[middle:] == sorted(light[middle:], reverse=True)
    assert all(b > r for r, _, b in parts[:middle]) and all(
        r > b for r, _, b in parts[middle + 1 :]
    )


# What a colour-blind person sees of linear red, green and blue (Machado et al. 2009, severity 1).
COLOUR_BLINDNESS = {
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("kind", COLOUR_BLINDNESS)
def test_colour_blind_readers_distinguish_below_from_above_zero(kind):
    codes = [[int(code[start : start + 2], 16) / 255 for start in (1, 3, 5)] for code in COLOURS]
    linear = np.array(codes) ** 2.2
    perceived = np.clip(linear @ np.array(COLOUR_BLINDNESS[kind]).T, 0, 1) ** (1 / 2.2)
    middle = len(COLOURS) // 2
    warmth = perceived[:, 0] - perceived[:, 2]  # red without blue
    assert (warmth[:middle] < -0.02).all() and (warmth[middle + 1 :] > 0.02).all()
    for step in range(2, middle + 1):  # from a quarter of the scale on, plainly
        assert np.linalg.norm(perceived[middle - step] - perceived[middle + step]) > 0.2
