"""Stacks: each layer's final state, step = sequence, both directions, dropout, sizes checked."""

import keras
import numpy as np
import pytest
from keras import tree

import seq2seq
from seq2seq.layers import Cell, Stack
from seq2seq.layers.stack import reverse
from seq2seq.layers.structure import map_tensors
from tests.conftest import slow_except

INPUTS = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
CELLS = [
    "lstm",
    "gru",
    "rnn",
    Cell("lstm", residual=True, layer_norm=True),
    Cell("gru", layer_norm=True),
]


def zeros(stack, batch=2):
    return tree.map_structure(lambda size: np.zeros((batch, size), "float32"), stack.state_sizes)


def assert_same(actual, expected, **tolerance):
    actual, expected = tree.flatten(actual), tree.flatten(expected)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **(tolerance or {"atol": 1e-6}))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_final_state_of_every_layer_equals_the_steps(cell):
    stack = Stack(3, 4, layers=3, cell=cell)
    sequence, state = stack(INPUTS)
    # Normalising divides by the deviation of four units, three times: float32's rounding grows.
    tolerance = 1e-5 if Cell.of(cell).layer_norm else 1e-6
    assert sequence.shape == (2, 5, 4) and len(state) == 3
    step_state = zeros(stack)
    for time in range(5):
        output, step_state = stack.step(INPUTS[:, time], step_state)
        np.testing.assert_allclose(output, sequence[:, time], atol=tolerance)
    assert_same(state, step_state, atol=tolerance)
    assert [type(layer) for layer in state] == [type(layer) for layer in stack.state_sizes]


@pytest.mark.parametrize("bidirectional", slow_except([True], [False, True]))
@pytest.mark.parametrize("cell", slow_except(["lstm", "gru"], CELLS), ids=str)
def test_every_layer_gets_the_mask(cell, bidirectional):
    stack = Stack(3, 4, layers=2, cell=cell, bidirectional=bidirectional)
    padded = np.concatenate([INPUTS, np.full((2, 3, 3), 9.0, "float32")], axis=1)
    mask = np.arange(8) < np.full((2, 1), 5)
    sequence, masked = stack(padded, mask=mask)
    alone, plain = stack(INPUTS)
    assert_same(masked, plain)
    np.testing.assert_allclose(sequence[:, :5], alone, atol=1e-6)


@pytest.mark.parametrize("bidirectional", slow_except([True], [False, True]))
@pytest.mark.parametrize("cell", slow_except(["lstm", "gru", "rnn"], CELLS), ids=str)
def test_a_traced_sequence_equals_the_whole_sequence(cell, bidirectional):
    """Outputs of the top layer, final states of each layer, and gates that give the cell states."""
    stack = Stack(3, 4, layers=2, cell=cell, bidirectional=bidirectional)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], "bool")
    sequence, final = stack(INPUTS, mask=mask)
    traces = stack.trace(INPUTS, mask=mask)
    assert len(traces) == (4 if bidirectional else 2)
    layers = [traces[start : start + len(traces) // 2] for start in (0, len(traces) // 2)]
    tolerance = 1e-5 if Cell.of(cell).layer_norm else 1e-6
    for state, layer in zip(final, layers, strict=True):
        for field in state._fields:
            parts = [np.array(getattr(trace.states, field)) for trace in layer]
            ends = [parts[0][[0, 1], [4, 2]], *(part[:, 0] for part in parts[1:])]
            joined = np.concatenate(ends, axis=-1)
            np.testing.assert_allclose(getattr(state, field), joined, atol=tolerance)
    top = np.concatenate([trace.states.hidden for trace in layers[1]], axis=-1)
    if stack.cell.residual:
        top = top + np.concatenate([trace.states.hidden for trace in layers[0]], axis=-1)
    np.testing.assert_allclose(top[mask], np.array(sequence)[mask], atol=tolerance)
    for number, trace in enumerate(traces):
        assert bool(trace.gates) == (stack.cell.kind != "rnn")
        if stack.cell.kind != "lstm":
            continue
        order = slice(None, None, -1 if bidirectional and number % 2 else 1)  # as it was read
        cell, i, f, g = (np.array(a)[0, order] for a in (trace.states.cell, *trace.gates[:3]))
        np.testing.assert_allclose(cell[1:], (f * np.roll(cell, 1, 0) + i * g)[1:], atol=1e-6)
        np.testing.assert_allclose(cell[0], (i * g)[0], atol=1e-6)


def test_a_stack_is_traced_from_any_state():
    stack = Stack(3, 4, layers=2, cell="gru")
    _, middle = stack(INPUTS[:, :2])
    full, suffix = stack.trace(INPUTS), stack.trace(INPUTS[:, 2:], middle)
    for expected, actual in zip(full, suffix, strict=True):
        assert_same([array[:, 2:] for array in expected.states], list(actual.states))
        assert_same([array[:, 2:] for array in expected.gates], list(actual.gates))


@pytest.mark.parametrize("kind, layer", [("lstm", keras.layers.LSTM), ("gru", keras.layers.GRU)])
def test_both_directions_equal_keras(kind, layer):
    stack = Stack(3, 4, layers=2, cell=kind, bidirectional=True)
    sequence, state = stack(INPUTS)
    expected = INPUTS
    for number in range(2):
        wrapped = keras.layers.Bidirectional(layer(4, return_sequences=True, return_state=True))
        wrapped.build(expected.shape)
        ours = stack.recurrent[number].get_weights() + stack.backward[number].get_weights()
        wrapped.set_weights(ours)
        expected, *parts = wrapped(expected)
        half = len(parts) // 2
        joined = [np.concatenate(pair, -1) for pair in zip(parts[:half], parts[half:], strict=True)]
        assert_same(state[number], joined)
    np.testing.assert_allclose(sequence, expected, atol=1e-6)


def test_a_bidirectional_batch_is_its_rows():
    stack = Stack(3, 4, layers=2, bidirectional=True)
    sequence, state = stack(INPUTS, mask=np.arange(5) < np.array([[5], [2]]))
    alone, alone_state = stack(INPUTS[1:, :2])
    np.testing.assert_allclose(sequence[1, :2], alone[0], atol=1e-6)
    assert_same(tree.map_structure(lambda part: part[1:], state), alone_state)


def test_residual_connections_add_what_a_layer_reads():
    plain, residual = Stack(3, 4, 2), Stack(3, 4, 2, cell=Cell(residual=True))
    plain.build()
    residual.build()
    residual.set_weights(plain.get_weights())
    lower = np.array(Stack.call(plain, INPUTS)[0])  # the top layer's own output
    below = plain.recurrent[0](INPUTS)[0]
    np.testing.assert_allclose(residual(INPUTS)[0], lower + below, atol=1e-6)


NOISY = Cell(dropout=0.5, recurrent_dropout=0.5)


def test_dropout_acts_in_training_only():
    stack = Stack(3, 4, layers=2, cell=NOISY)
    once, _ = stack(INPUTS)
    again, _ = stack(INPUTS)
    trained, _ = stack(INPUTS, dropout_masks=stack.draw_dropout_masks(2, 5, training=True))
    np.testing.assert_array_equal(once, again)
    assert not np.allclose(once, trained)


def at(masks, time):
    return masks.select(map_tensors(lambda mask: mask[:, time], masks.per_step()))


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("kind", slow_except(["lstm", "gru"], ["lstm", "gru", "rnn"]))
@pytest.mark.parametrize(
    "rates",
    slow_except(
        [{"recurrent_dropout": 0.5}],
        [{"dropout": 0.5}, {"recurrent_dropout": 0.5}, {"output_dropout": 0.5}],
    ),
)
def test_steps_and_sequence_agree_under_dropout(kind, rates, variational):
    stack = Stack(3, 4, layers=2, cell=Cell(kind, variational=variational, **rates))
    stack.build()
    plain = stack(INPUTS)[0]
    masks = stack.draw_dropout_masks(2, 5, training=True)
    sequence, state = stack(INPUTS, dropout_masks=masks)
    step_state = zeros(stack)
    for time in range(5):
        output, step_state = stack.step(INPUTS[:, time], step_state, at(masks, time))
        np.testing.assert_allclose(output, sequence[:, time], atol=1e-6)
    assert_same(state, step_state)
    assert not np.allclose(sequence, plain)


def test_one_mask_serves_a_whole_sequence_or_each_step_has_its_own():
    for variational, axes in ((True, (3,)), (False, (3, 60))):
        stack = Stack(8, 4, layers=2, cell=Cell(dropout=0.5, variational=variational))
        masks = stack.draw_dropout_masks(3, 60, training=True)
        assert [mask.shape for mask in (*masks.inputs, masks.outputs)] == [
            (*axes, n) for n in (8, 4, 4)
        ]
    assert np.std(masks.inputs[0], axis=1).min() > 0  # no unit of no row is the same at all steps


@pytest.mark.parametrize(
    "cell, inputs, outputs",
    [
        (Cell(dropout=0.5), 2, 1),
        (Cell(dropout=0.5, output_dropout=0.0), 2, 0),  # as PyTorch's layers
        (Cell(output_dropout=0.5), 0, 1),
    ],
)
def test_the_dropout_of_the_output_is_a_choice_of_its_own(cell, inputs, outputs):
    masks = Stack(3, 4, layers=2, cell=cell).draw_dropout_masks(2, 5, training=True)
    counts = [0 if part is None else len(keras.tree.flatten(part)) for part in masks]
    assert counts == [inputs, outputs, 0]


@pytest.mark.parametrize("rates, dropped", [((0.5, 0.0), [1, 0, 1]), ((0.0, 0.5), [0, 1, 0])])
def test_the_attention_context_has_the_dropout_of_the_output(rates, dropped):
    cell = Cell(dropout=rates[0], output_dropout=rates[1])
    masks = Stack(30, 40, layers=2, cell=cell).draw_dropout_masks(
        20, 5, training=True, attention_size=10
    )
    lowest, second = masks.inputs
    parts = lowest[:, :20], lowest[:, 20:], second
    assert [int(np.min(part) == 0) for part in parts] == dropped
    assert all(np.unique(part).size == 1 + drop for part, drop in zip(parts, dropped, strict=True))


def test_dropout_keeps_the_mean():
    masks = Stack(50, 40, cell=NOISY)
    masks.build()
    masks = masks.draw_dropout_masks(200, 5, training=True)
    for mask, size in ((masks.inputs[0], 50), (masks.outputs, 40), (masks.recurrent[0], 40)):
        assert mask.shape == (200, size)
        assert set(np.unique(mask)) == {0.0, 2.0} and abs(np.mean(mask) - 1) < 0.05


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"units": 0}, "units must be a whole number of at least 1, got 0"),
        ({"units": -3}, "got -3"),
        ({"units": "abc"}, "got 'abc'"),
        ({"units": 4, "layers": 0}, "layers must be"),
        ({"units": 4, "bidirectional": "yes"}, "bidirectional must be true or false, got 'yes'"),
        ({"units": 4, "cell": "lstn"}, "unknown cell.kind 'lstn'; did you mean 'lstm'"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stack(3, **arguments)


def test_survives_serialisation():
    stack = Stack(3, 4, 2, cell=NOISY, bidirectional=True)
    again = keras.layers.deserialize(keras.layers.serialize(stack))
    assert again.get_config() == stack.get_config()


def test_reversing_leaves_the_padding_behind():
    sequence = np.arange(8.0).reshape(2, 4, 1)
    mask = np.array([[True, True, True, False], [True, False, False, False]])
    result = np.array(reverse(sequence, mask))[..., 0]
    np.testing.assert_array_equal(result, [[2, 1, 0, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(reverse(sequence, None)[0, :, 0], [3, 2, 1, 0])


def test_a_stack_has_a_bounded_number_of_layers():
    with pytest.raises(ValueError, match="layers must be at most 100, got 1000"):
        Stack(3, 4, layers=1000)
    with pytest.raises(ValueError, match="layers must be at most 100, got 1000"):
        seq2seq.Decoder(units=4, vocabulary_size=5, layers=1000)
