"""Structures of tensors with absent parts, and masks over them."""

import numpy as np

from seq2seq.layers import LSTMState
from seq2seq.layers.structure import broadcast_mask, flatten_tensors, map_tensors, select

STRUCTURE = (LSTMState(np.ones((2, 3)), None), {"a": None, "b": np.zeros(2)})


def test_absent_parts_remain_absent():
    state, mapping = map_tensors(lambda tensor: tensor + 1, STRUCTURE)
    assert isinstance(state, LSTMState) and state.cell is None and mapping["a"] is None
    np.testing.assert_array_equal(state.hidden, np.full((2, 3), 2.0))


def test_a_flat_list_packs_into_the_same_structure():
    tensors, pack = flatten_tensors(STRUCTURE)
    assert [tensor.shape for tensor in tensors] == [(2, 3), (2,)]
    state, mapping = pack([tensor * 2 for tensor in tensors])
    assert isinstance(state, LSTMState) and state.cell is None and mapping["a"] is None
    np.testing.assert_array_equal(state.hidden, np.full((2, 3), 2.0))


def test_a_mask_broadcasts_over_the_axes_behind_its_own():
    assert broadcast_mask(np.ones((2, 3)), np.ones((2, 3, 4, 5))).shape == (2, 3, 1, 1)


def test_select_chooses_by_row_and_leaves_absent_parts():
    mask = np.array([True, False])
    state, mapping = select(mask, STRUCTURE, map_tensors(lambda tensor: tensor + 5, STRUCTURE))
    np.testing.assert_array_equal(state.hidden, [[1] * 3, [6] * 3])
    np.testing.assert_array_equal(mapping["b"], [0, 5])
    assert state.cell is None
