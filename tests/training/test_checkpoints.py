"""The artefact: whole or not at all, plain, and refused when it is damaged."""

import io
import json
import zipfile

import numpy as np
import pytest

from seq2seq import Decoder, Encoder, Seq2Seq, Vocabulary
from seq2seq.training.checkpoints import HEADER, load_model, save_model, write_whole

LETTERS = Vocabulary("ab")


@pytest.fixture
def artefact(tmp_path):
    model = Seq2Seq(Encoder(4, vocabulary_size=6), Decoder(4, vocabulary_size=6))
    save_model(tmp_path / "model.npz", model, LETTERS, LETTERS, {"unknown": "error"})
    return tmp_path / "model.npz", model


def edit(path, change):
    """Write the artefact again after `change(header, arrays)`."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop(HEADER).tobytes())
    change(header, arrays)
    buffer = io.BytesIO()
    encoded = np.frombuffer(json.dumps(header).encode(), "uint8")
    np.savez(buffer, **{HEADER: encoded, **arrays})
    path.write_bytes(buffer.getvalue())


def test_holds_plain_arrays_and_json(artefact):
    path, model = artefact
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {HEADER, *(weight.path for weight in model.weights)}
        header = json.loads(file[HEADER].tobytes())
    assert header["source"]["symbols"] == ["a", "b"]
    loaded, source, _, settings = load_model(path)
    assert settings == {"unknown": "error"} and source.symbols == LETTERS.symbols
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_file_cut_short_is_refused(artefact, keep):
    path, _ = artefact
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(ValueError, match="damaged or no model file"):
        load_model(path)


def test_a_changed_bit_is_refused(artefact):
    path, _ = artefact
    with zipfile.ZipFile(path) as file:
        entry = max(file.infolist(), key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[entry.header_offset + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


def test_a_missing_or_reshaped_array_is_refused(artefact):
    path, model = artefact
    name = model.weights[0].path
    edit(path, lambda header, arrays: arrays.pop(name))
    with pytest.raises(ValueError, match=f"arrays differ from its header.*{name}"):
        load_model(path)
    edit(path, lambda header, arrays: header["arrays"].pop(name))
    with pytest.raises(ValueError, match=f"weights and structure differ.*{name}"):
        load_model(path)


@pytest.mark.parametrize("key", ["model", "source", "target", "settings", "arrays"])
def test_a_header_that_lacks_a_part_is_refused(artefact, key):
    path, _ = artefact
    edit(path, lambda header, arrays: header.pop(key))
    with pytest.raises(ValueError, match=f"is damaged: its header lacks {key}"):
        load_model(path)


def test_a_foreign_header_is_refused(artefact):
    path, _ = artefact
    edit(path, lambda header, arrays: header["source"].update(more=1))
    with pytest.raises(ValueError, match="is damaged: its header can't be read"):
        load_model(path)


def test_another_format_is_refused(artefact):
    path, _ = artefact
    edit(path, lambda header, arrays: header.update(format=99))
    with pytest.raises(ValueError, match="has format 99"):
        load_model(path)


def test_a_strangers_classes_are_refused(artefact):
    path, _ = artefact
    edit(path, lambda header, arrays: header["model"]["config"]["bridge"].update(module="os"))
    with pytest.raises(ValueError, match="names the module 'os'"):
        load_model(path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, **{HEADER: np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match="damaged or no model file"):
        load_model(path)


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_whole(path, "first")

    def full(descriptor):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, "second")
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]
