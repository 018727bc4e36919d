"""States as values: what each function changes, and that nothing else changes.

Damaged files are refused, and their headers are not trusted.
"""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from keras import tree

from seq2seq import LSTMState, RNNState, states
from seq2seq.inference.states import StateSlice, load_state, save_state
from seq2seq.layers.structure import flatten_tensors
from seq2seq.models.decoder import DecoderState
from tests.corruption import DAMAGES
from tests.models.test_decoding_mixin import KINDS, make

RNG = np.random.default_rng(0)


def draw(layers=2, units=3, batch=4, kind=LSTMState):
    """A state of random numbers."""
    return DecoderState(
        tuple(
            kind(*(RNG.normal(size=(batch, units)).astype("float32") for _ in kind._fields))
            for _ in range(layers)
        )
    )


def numbers(state):
    """All numbers of a state of two LSTM layers: (layer, field, batch, units)."""
    return np.array([[np.array(part) for part in layer] for layer in state.layers])


PARTS = {  # what of (layer, field, unit) is meant
    StateSlice(): np.ones((2, 2, 3), "bool"),
    StateSlice("hidden"): np.array([[[1] * 3, [0] * 3]] * 2, "bool"),
    StateSlice("cell", layer=1): np.array([[[0] * 3, [0] * 3], [[0] * 3, [1] * 3]], "bool"),
    StateSlice(layer=0): np.array([[[1] * 3] * 2, [[0] * 3] * 2], "bool"),
    StateSlice(units=[2, 0]): np.array([[[1, 0, 1]] * 2] * 2, "bool"),
    StateSlice("cell", 0, [1]): np.array([[[0] * 3, [0, 1, 0]], [[0] * 3] * 2], "bool"),
}


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_part_is_changed_and_nothing_else(part):
    state, replacement, meant = draw(), draw(), PARTS[part][:, :, None]
    original = numbers(state)
    changed = {
        "zero": (states.zero(state, part), 0),
        "clamp": (states.clamp(state, 0.5, part), 0.5),
        "replace_part": (states.replace_part(state, replacement, part), numbers(replacement)),
        "swap": (states.swap(state, 3, 1, part), original[:, :, [0, 3, 2, 1]]),
    }
    for name, (result, expected) in changed.items():
        np.testing.assert_array_equal(numbers(result), np.where(meant, expected, original), name)
    np.testing.assert_array_equal(numbers(states.only(state, part)), np.where(meant, original, 0))
    noisy = numbers(states.add_noise(state, 0.1, part=part))
    assert ((noisy != original) == meant).all()
    np.testing.assert_array_equal(numbers(state), original)  # the state itself stays as it was


def test_units_are_held_at_values_of_their_own():
    held = states.clamp(draw(), [7.0, -1.0], StateSlice("cell", units=[2, 0]))
    for layer in held.layers:
        np.testing.assert_array_equal(np.array(layer.cell)[:, [2, 0]], [[7.0, -1.0]] * 4)
    with pytest.raises(ValueError, match="3 values were given for 2 units"):
        states.clamp(draw(), [1, 2, 3], StateSlice(units=[0, 1]))


@pytest.mark.parametrize("batch", [2, 3, 50])
def test_a_shuffle_leaves_no_source_its_own_state(batch):
    state = DecoderState((RNNState(np.arange(batch)[:, None] * np.ones((1, 3))),))
    owners = np.array(states.shuffle(state, seed=batch).layers[0].hidden)[:, 0]
    assert sorted(owners) == list(range(batch)) and (owners != np.arange(batch)).all()
    with pytest.raises(ValueError, match="one source only"):
        states.shuffle(states.take(state, [0]))


def test_noise_has_its_size_and_does_not_depend_on_the_batch():
    state = draw(batch=500, units=40)
    noisy = states.add_noise(state, 0.3, seed=5)
    added = numbers(noisy) - numbers(state)
    np.testing.assert_allclose(added.std(axis=(2, 3)), 0.3, rtol=0.05)
    assert len({float(part[0, 0]) for layer in added for part in layer}) == 4  # no two alike
    first = states.add_noise(states.take(state, range(3)), 0.3, seed=5)
    np.testing.assert_array_equal(numbers(first), numbers(noisy)[:, :, :3])
    np.testing.assert_array_equal(numbers(states.add_noise(state, 0.0)), numbers(state))


@pytest.mark.parametrize(
    "part, message",
    [
        (StateSlice(layer=2), "no layer 2: the state has 2"),
        (StateSlice(units=[3]), "no unit 3: a layer has 3"),
        (StateSlice("cell"), "a RNNState has no cell"),
    ],
)
def test_parts_that_are_not_there_are_named(part, message):
    with pytest.raises(ValueError, match=message):
        states.zero(draw(kind=RNNState), part)


def test_bad_requests_are_refused():
    for make_part, message in (
        (lambda: StateSlice("memory"), "unknown field 'memory'"),
        (lambda: StateSlice(layer=-1), "layer must be"),
        (lambda: StateSlice(units=[-1]), "units must be"),
    ):
        with pytest.raises(ValueError, match=message):
            make_part()
    with pytest.raises(ValueError, match="no source 4 in a batch of 4"):
        states.swap(draw(), 0, 4)
    with pytest.raises(ValueError, match="the states differ: 2 and 1 layers"):
        states.interpolate(draw(2), draw(1), 0.5)
    with pytest.raises(ValueError, match="the states differ in size"):
        states.replace_part(draw(), draw(units=4), StateSlice("hidden"))
    with pytest.raises(ValueError, match="expected, got a tuple.*ensemble"):
        states.zero((draw(), draw()))


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_kept_mixed_and_exchanged(tmp_path, kind):
    model, inputs = make(kind)
    state, memory = model.start(inputs)
    tokens = np.full(4, model.start_id, "int32")
    state = model.step(tokens, state, memory).state  # with all that it may hold
    save_state(tmp_path / "state.npz", state)
    loaded = load_state(tmp_path / "state.npz")
    tree.assert_same_structure(loaded, state)
    for actual, reference in zip(
        flatten_tensors(loaded)[0], flatten_tensors(state)[0], strict=True
    ):
        np.testing.assert_array_equal(actual, reference)
    rows = [1, 0, 2, 3]
    expected = model.step(tokens, state, memory).logits
    swapped = model.step(tokens, states.swap(state, 0, 1), states.take(memory, rows)).logits
    np.testing.assert_allclose(np.array(swapped)[rows], expected, atol=1e-5)
    for fraction, target in ((0.0, state), (1.0, states.take(state, rows))):
        mixed = states.interpolate(state, states.take(state, rows), fraction)
        for actual, reference in zip(
            flatten_tensors(mixed)[0], flatten_tensors(target)[0], strict=True
        ):
            np.testing.assert_allclose(actual, reference, atol=1e-6)


@pytest.mark.parametrize("kind", ["attention", "pointer"])
def test_predictions_without_memory_values_ignore_the_source(kind):
    """Equal states give equal outputs, whichever source the memory is of."""
    model, inputs = make(kind)
    state, memory = model.start(inputs)
    alike = states.take(state, [0] * 4)
    tokens = np.full(4, model.start_id, "int32")
    with_values = np.array(model.step(tokens, alike, memory).logits)
    without_values = np.array(model.step(tokens, alike, states.without_values(memory)).logits)
    assert np.ptp(with_values, axis=0).max() > 1e-3
    np.testing.assert_allclose(np.ptp(without_values[:, :9], axis=0), 0, atol=1e-5)


def test_what_is_no_state_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a DecoderState was expected, got a tuple"):
        save_state(tmp_path / "state.npz", ())


@pytest.fixture
def saved_state(tmp_path):
    """The path of a state, and its arrays."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 4)).astype("float32") for _ in range(4)]
    layers = (LSTMState(*arrays[:2]), LSTMState(*arrays[2:]))
    save_state(tmp_path / "state.npz", DecoderState(layers, arrays[0], ()))
    return tmp_path / "state.npz", arrays


def flatten(state):
    return [np.asarray(part) for layer in state.layers for part in layer]


def test_damaged_states_are_refused_or_harmless(saved_state):
    path, arrays = saved_state
    content, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for turn in range(1800):
        path.unlink()
        path.write_bytes(DAMAGES[turn % len(DAMAGES)](content, rng))
        try:
            state = load_state(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
            continue
        for loaded, original in zip(flatten(state), arrays, strict=True):
            np.testing.assert_array_equal(loaded, original)
        np.testing.assert_array_equal(state.attentional, arrays[0])
    assert refused == 1469


@pytest.mark.parametrize(
    "arrays, write, message",
    [
        ({"layers.0.hidden": np.zeros(10**7)}, np.savez_compressed, "is compressed"),
        ({"layers.0.hidden": np.array([{}], dtype=object)}, np.savez, "no array of plain numbers"),
        ({"layers.0.hidden": np.zeros((2, 2), order="F")}, np.savez, "no array of plain numbers"),
        ({"layers.0.hidden": np.array(["a"])}, np.savez, "no array of plain numbers"),
        ({"layers.1.hidden": np.zeros(2)}, np.savez, "holds no state: layers.1.hidden"),
        ({"layers.0.hidden": np.zeros(2), "more": np.zeros(2)}, np.savez, "holds no state: more"),
        ({}, np.savez, "holds no state"),
    ],
)
def test_other_files_are_refused(tmp_path, arrays, write, message):
    write(tmp_path / "state.npz", **arrays)
    with pytest.raises(ValueError, match=f"state.npz.* {message}"):
        load_state(tmp_path / "state.npz")


def test_a_shape_is_not_believed(tmp_path):
    array = io.BytesIO()
    np.save(array, np.zeros(3, "float32"))
    large = array.getvalue().replace(b"(3,), }           ", b"(99999999999,), } ")
    with zipfile.ZipFile(tmp_path / "state.npz", "w") as archive:
        archive.writestr("layers.0.hidden.npy", large)
    tracemalloc.start()
    with pytest.raises(ValueError, match="has another size than its shape .99999999999"):
        load_state(tmp_path / "state.npz")
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_a_missing_state_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such state: .*nothing.npz"):
        load_state(tmp_path / "nothing.npz")


def test_members_that_were_exchanged_are_noticed(tmp_path):
    """Each is whole by the checksum of the zip file."""
    path = tmp_path / "state.npz"
    save_state(path, draw())
    with np.load(path) as file:
        arrays = dict(file)
    exchanged = {**arrays, "layers.0.hidden": arrays["layers.1.hidden"]}
    np.savez(path, **{**exchanged, "layers.1.hidden": arrays["layers.0.hidden"]})
    with pytest.raises(ValueError, match=r"state\.npz is damaged: layers\.0\.hidden is not what"):
        load_state(path)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "layers.1.cell"})
    with pytest.raises(ValueError, match=r"layers\.1\.cell is not what was saved"):
        load_state(path)
    np.savez(path, **{**arrays, "checksums": np.zeros(3, "uint8")})
    with pytest.raises(ValueError, match="its checksums can't be read"):
        load_state(path)
    del arrays["checksums"]  # as in files of version 0.1
    np.savez(path, **arrays)
    np.testing.assert_array_equal(load_state(path).layers[0].hidden, arrays["layers.0.hidden"])
