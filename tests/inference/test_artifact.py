"""The artefact: whole or not at all, plain, and refused when it is damaged."""

import io
import json
import struct
import zipfile

import keras
import numpy as np
import pytest

from seq2seq import Decoder, Dot, Encoder, Ensemble, Seq2Seq, Vocabulary
from seq2seq.inference.artifact import load_model, save_model, shrink, write_arrays
from seq2seq.runtime.file_format import DIGEST, FIELDS, HEADER, SCALE
from seq2seq.runtime.manifest import checksum
from seq2seq.training.arguments import Training
from seq2seq.training.trainer import check_start

LETTERS = Vocabulary("ab")


@pytest.fixture
def artefact(tmp_path):
    model = Seq2Seq(Encoder(4, vocabulary_size=6), Decoder(4, vocabulary_size=6))
    save_model(tmp_path / "model.npz", model, LETTERS, LETTERS, {"unknown": "error"})
    return tmp_path / "model.npz", model


def edit(path, change, write=np.savez):
    """Write the artefact again after `change(header, arrays)`, with a right checksum for both."""
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop(HEADER).tobytes())
    digests = dict(header["checksums"])
    change(header, arrays)
    if header.get("checksums") == digests:
        header["checksums"].update(
            {name: checksum(array.tobytes()) for name, array in arrays.items() if name in digests}
        )
    encoded = json.dumps(header).encode()
    texts = {HEADER: encoded, DIGEST: checksum(encoded).encode()}
    arrays = {**arrays, **{name: np.frombuffer(text, "uint8") for name, text in texts.items()}}
    buffer = io.BytesIO()
    write(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


def test_holds_plain_arrays_and_json(artefact):
    path, model = artefact
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {HEADER, DIGEST, *(weight.path for weight in model.weights)}
        header = json.loads(file[HEADER].tobytes())
    assert header["source"]["symbols"] == ["a", "b"]
    loaded, source, _, settings = load_model(path)
    assert settings == {"unknown": "error"} and source.symbols == LETTERS.symbols
    for saved, restored in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(saved, restored)


@pytest.mark.parametrize("size", [0, 100, 0.5, 0.99])
def test_a_file_cut_short_is_refused(artefact, size):
    path, _ = artefact
    content = path.read_bytes()
    path.write_bytes(content[: size if isinstance(size, int) else int(size * len(content))])
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


def find(content, name):
    """Where the numbers of the array `name` begin in the bytes of an artefact."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        start = file.getinfo(f"{name}.npy").header_offset
    sizes = struct.unpack_from("<HH", content, start + 26)  # of the entry's name and extra field
    return content.index(b"\n", start + 30 + sum(sizes)) + 1


def test_every_checksum_is_looked_at(artefact):
    path, model = artefact
    original, name = path.read_bytes(), model.weights[0].path
    errors = {
        HEADER: "its header has another checksum",
        DIGEST: "its header has another checksum",
        name: f"arrays have other checksums than in its header: {name}$",
    }
    for changed, message in errors.items():
        content = bytearray(original)
        content[find(original, changed)] ^= 1
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"model.npz is damaged: {message}"):
            load_model(path)


def test_a_bomb_is_refused_before_anything_is_unpacked(artefact):
    path, model = artefact
    edit(path, lambda header, arrays: None, write=np.savez_compressed)
    with pytest.raises(ValueError, match="is compressed, or occurs twice"):
        load_model(path)


def test_a_shape_that_the_file_has_no_room_for_is_refused(artefact):
    path, _ = artefact
    content = path.read_bytes()
    path.write_bytes(content.replace(b"'shape': (4, 16)", b"'shape': (4, -6)", 1))
    with pytest.raises(ValueError, match="is no array of plain numbers"):
        load_model(path)
    path.write_bytes(content.replace(b"'shape': (4, 16), }   ", b"'shape': (40, 1600), }", 1))
    with pytest.raises(ValueError, match=r"has another size than its shape \(40, 1600\)"):
        load_model(path)


def test_an_older_file_is_refused(artefact):
    path, _ = artefact
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != DIGEST}
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="damaged, or of a format before 2"):
        load_model(path)


def test_weights_take_less_room_if_wished(tmp_path):
    model = Seq2Seq(Encoder(64, vocabulary_size=6), Decoder(64, vocabulary_size=6))
    sizes = []
    for weights in ("float32", "float16", "int8"):
        path = tmp_path / f"{weights}.npz"
        save_model(path, model, LETTERS, LETTERS, {}, weights=weights)
        sizes.append(path.stat().st_size)
        loaded, *_ = load_model(path)
        assert {str(weight.dtype) for weight in loaded.weights} == {"float32"}
    assert sizes[1] < 0.6 * sizes[0] and sizes[2] < 0.4 * sizes[0]
    with pytest.raises(ValueError, match="unknown weights 'float8'"):
        save_model(path, model, LETTERS, LETTERS, {}, weights="float8")
    with pytest.raises(ValueError, match="kernel is too large for float16"):
        shrink({"kernel": np.array([1e6], "float32")}, "float16")


def test_a_lost_scale_is_refused(artefact):
    path, model = artefact
    name = model.weights[0].path
    save_model(path, model, LETTERS, LETTERS, {}, weights="int8")

    def lose(header, arrays):
        for part in (arrays, header["arrays"], header["checksums"]):
            del part[name + SCALE]

    edit(path, lose)
    with pytest.raises(ValueError, match=f"{name} has no scale for each column"):
        load_model(path)


def test_a_missing_or_reshaped_array_is_refused(artefact):
    path, model = artefact
    name = model.weights[0].path
    edit(path, lambda header, arrays: arrays.pop(name))
    with pytest.raises(ValueError, match=f"arrays differ from its header.*{name}"):
        load_model(path)

    def forget(header, arrays):
        del header["arrays"][name], header["checksums"][name]

    edit(path, forget)
    with pytest.raises(ValueError, match=f"weights and structure differ.*{name}"):
        load_model(path)


@pytest.mark.parametrize("key", [*FIELDS])
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
    with pytest.raises(ValueError, match="'Copy' of the module 'os' is not a part of this package"):
        load_model(path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, **{HEADER: np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match="damaged: 'header.json' is no array of plain numbers"):
        load_model(path)


class Quadratic(Dot):
    """An attention of somebody else."""


@pytest.fixture
def foreign(artefact, tmp_path):
    """A model with a part that this package lacks, and what an older version wrote of it."""
    decoder = Decoder(4, vocabulary_size=6, attention=Quadratic())
    model = Seq2Seq(Encoder(4, vocabulary_size=6), decoder)
    structure = keras.saving.serialize_keras_object(model)
    path = tmp_path / "older.npz"
    arrays = {weight.path: np.array(weight) for weight in model.weights}
    header = {**json.loads(np.load(artefact[0])[HEADER].tobytes()), "model": structure}
    write_arrays(path, header, arrays)
    return model, path


def test_a_model_that_could_not_be_loaded_is_not_written(foreign, tmp_path):
    model, _ = foreign
    path = tmp_path / "own.npz"
    with pytest.raises(ValueError, match=r"'Quadratic' of the module .* is not a part of this pa"):
        save_model(path, model, LETTERS, LETTERS, {})
    assert not path.exists()
    with pytest.raises(ValueError, match=r"model\.save\('model\.keras'\) keeps the Keras"):
        check_start(model, Training())  # before the first update
    together = Ensemble([model, model])
    with pytest.raises(ValueError, match="holds one Seq2Seq, got Ensemble; save each model by its"):
        save_model(path, together, LETTERS, LETTERS, {})


def test_a_weight_without_a_name_is_refused_before_training():
    model = Seq2Seq(Encoder(4, vocabulary_size=6), Decoder(4, vocabulary_size=6))
    model.bridge.add_weight((1,), "ones")
    with pytest.raises(ValueError, match=r"the weight .*variable.* has no name .*add_weight\(name"):
        check_start(model, Training())


def test_a_file_with_a_part_of_somebody_else_is_not_called_damaged(foreign):
    with pytest.raises(ValueError, match=r"older\.npz can't be loaded: 'Quadratic'") as caught:
        load_model(foreign[1])
    assert "damaged" not in str(caught.value)
