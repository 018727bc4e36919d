"""States in files: damaged ones are refused, and nothing in them is believed."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from seq2seq.layers.lstm import LSTMState
from seq2seq.models.decoder import DecoderState
from seq2seq.models.states import load_state, save_state
from tests.mutations import DAMAGES


@pytest.fixture
def kept(tmp_path):
    """The path of a state, and its arrays."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 4)).astype("float32") for _ in range(4)]
    layers = (LSTMState(*arrays[:2]), LSTMState(*arrays[2:]))
    save_state(tmp_path / "state.npz", DecoderState(layers, arrays[0], ()))
    return tmp_path / "state.npz", arrays


def flatten(state):
    return [np.asarray(part) for layer in state.layers for part in layer]


def test_damaged_states_are_refused_or_harmless(kept):
    path, arrays = kept
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
        for found, wanted in zip(flatten(state), arrays, strict=True):
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(state.fed, arrays[0])
    assert 1000 < refused < 1800


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
