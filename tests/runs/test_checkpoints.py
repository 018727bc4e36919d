"""Checkpoints: whole or not at all, verified, the last two."""

import resource

import numpy as np
import pytest

from seq2seq.inference.artifact import write_arrays
from seq2seq.runs.checkpoints import Checkpoints, read_checkpoint

ARRAYS = {"model/0": np.arange(6.0, dtype="float32").reshape(2, 3), "seed": np.array([7], "uint32")}
RECORD = {"rows": [{"loss": 0.1}], "calls": {"(2, 3)": 4}}


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def names(checkpoints):
    return sorted(path.name for path in checkpoints.path.iterdir())


def test_a_written_checkpoint_is_read_back(checkpoints):
    assert checkpoints.newest() is None
    checkpoints.write(12, RECORD, ARRAYS)
    checkpoint = checkpoints.newest()
    assert (checkpoint.step, checkpoint.states) == (12, RECORD)
    assert checkpoint.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert checkpoint.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(checkpoint.arrays[name], array)
    with np.load(checkpoint.path, allow_pickle=False) as file:  # plain arrays, and JSON as bytes
        assert {array.dtype.kind for array in map(file.get, file.files)} <= {"f", "u", "i"}


def test_the_last_two_are_kept(checkpoints):
    for step in (5, 10, 900, 1000):
        checkpoints.write(step, RECORD, ARRAYS)
    (checkpoints.path / ".step-000001001.npz.x1").write_bytes(b"cut off")
    assert checkpoints.newest().step == 1000
    checkpoints.write(1001, RECORD, ARRAYS)
    assert names(checkpoints) == ["step-000001000.npz", "step-000001001.npz"]


def test_after_a_step_back_what_was_beyond_is_gone(checkpoints):
    for step in (5, 10):
        checkpoints.write(step, RECORD, ARRAYS)
    checkpoints.write(7, RECORD, ARRAYS)
    assert names(checkpoints) == ["step-000000005.npz", "step-000000007.npz"]


@pytest.mark.parametrize("damage", ["bit", "short", "empty", "none", "format", "header"])
def test_damage_is_named_and_the_one_before_is_used(checkpoints, caplog, damage):
    for step in (5, 10):
        checkpoints.write(step, RECORD, ARRAYS)
    path = checkpoints.files()[0]
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[content.index(ARRAYS["model/0"].tobytes())] ^= 4
    content = content[: {"short": len(content) // 2, "empty": 0}.get(damage)]
    path.write_bytes(content)
    if damage == "none":
        path.write_bytes(b"not a checkpoint")
    if damage in ("format", "header"):
        header = {"format": {"format": 99, "header": 2}[damage], "step": "10", "states": {}}
        write_arrays(path, header, ARRAYS)
    for _ in range(2):  # reported once, and used at every call
        assert checkpoints.newest().step == 5
    assert caplog.text.count("step-000000010.npz") == 1
    assert "using the previous checkpoint step-000000005.npz" in caplog.text
    checkpoints.write(11, RECORD, ARRAYS)
    assert names(checkpoints) == ["step-000000005.npz", "step-000000011.npz"]


def test_every_bit_counts(checkpoints):
    checkpoints.write(5, RECORD, ARRAYS)
    path = checkpoints.files()[0]
    original, rng = path.read_bytes(), np.random.default_rng(0)
    intact, refused = read_checkpoint(path), 0
    for position in rng.choice(len(original), 300, replace=False):
        content = bytearray(original)
        content[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            checkpoint = read_checkpoint(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
        else:  # of the zip file's own marks some mean nothing
            assert checkpoint.states == intact.states and checkpoint.step == 5
            assert all(np.array_equal(checkpoint.arrays[name], ARRAYS[name]) for name in ARRAYS)
    assert refused == 228


def test_a_run_without_an_intact_checkpoint_is_refused(checkpoints):
    for step in (5, 10):
        checkpoints.write(step, RECORD, ARRAYS)
    for path in checkpoints.files():
        path.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(ValueError, match="all checkpoints of .* are damaged: .*overwrite=true"):
            checkpoints.newest()


def test_a_full_disk_leaves_the_last_one_whole(checkpoints):
    checkpoints.write(5, RECORD, ARRAYS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="could not be written .*File too large.*step-000000010"):
            checkpoints.write(10, RECORD, {**ARRAYS, "large": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(checkpoints) == ["step-000000005.npz"]
    assert checkpoints.newest().step == 5
