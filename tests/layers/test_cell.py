"""Cells: initial weights, arguments, and conversion."""

import numpy as np
import pytest

from seq2seq.layers import Cell


def test_initialization_is_orthogonal_with_the_given_forget_bias():
    for kind in ("lstm", "gru", "rnn"):
        kernel = Cell(kind).build_layer(4, 3, "layer", None).get_weights()[1]
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-5)
    bias = Cell().build_layer(4, 3, "layer", None).get_weights()[2]
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 4))
    bias = Cell(forget_bias=2.5).build_layer(4, 3, "layer", None).get_weights()[2]
    np.testing.assert_array_equal(bias, np.repeat([0, 2.5, 0, 0], 4))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kind": "lstn"}, "unknown cell.kind 'lstn'"),
        ({"dropout": 1.5}, "cell.dropout must be at least 0 and less than 1, got 1.5"),
        ({"dropout": -0.1}, "got -0.1"),
        ({"recurrent_dropout": 1}, "cell.recurrent_dropout must be"),
        ({"residual": 1}, "cell.residual must be true or false, got 1"),
        ({"layer_norm": None}, "cell.layer_norm must be true or false"),
        ({"forget_bias": "big"}, "cell.forget_bias must be a finite number, got 'big'"),
        ({"forget_bias": float("inf")}, "finite number, got inf"),
        ({"kind": "gru", "forget_bias": 1.0}, "applies to cell.kind=lstm only, got kind=gru"),
    ],
)
def test_impossible_cells_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Cell(**arguments)


def test_a_cell_is_made_of_many_things():
    cell = Cell("gru", dropout=0.1)
    assert Cell.of(cell) is cell and Cell.of(cell.to_config()) == cell
    assert Cell.of("gru") == Cell("gru") and Cell.of(None) == Cell("lstm")
