"""The artefact damaged and edited: refused by name, or read unchanged; never trusted."""

import copy
import io
import json
import struct
import tracemalloc
import zipfile
from collections import Counter

import numpy as np
import pytest

from seq2seq import Beam, Decoder, Encoder, Seq2Seq, Vocabulary
from seq2seq.data import Numbers, Tagged
from seq2seq.inference import artifact as checkpoints
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.loading import load
from seq2seq.inference.predictor import Predictor
from seq2seq.layers import Additive, Cell, LayerwiseDense, Local
from seq2seq.runtime import file_format, manifest
from seq2seq.runtime import predictor as numpy_runtime
from seq2seq.runtime.file_format import HEADER, read_artifact
from seq2seq.runtime.predictor import NumpyPredictor
from tests.corruption import DAMAGES, alter_values

LETTERS = Vocabulary("ab")
SETTINGS = {"longest_source": 12, "longest_target": 3, "target_length": None, "metrics": "tokens"}
SOURCES = {"plain": ["ab", "", "b"], "rich": ["ab\tN", "b\tPL", "abq"], "series": ["1 2", "3"]}


def make(name):
    """A model of few weights, all of its parts between the three, and how it decodes."""
    sizes = {"units": 2, "vocabulary_size": 6, "embedding_size": 2}
    if name == "plain":
        return Seq2Seq(Encoder(**sizes), Decoder(**sizes)), LETTERS, LETTERS, Decoding()
    if name == "rich":
        attention = Additive(units=2, coverage=True, before=False, input_feeding=True)
        decoder = Decoder(**sizes, tags=2, attention=attention, readout="pointer")
        model = Seq2Seq(Encoder(**sizes, bidirectional=True), decoder, LayerwiseDense())
        decoding = Decoding(Beam(2, n_best=2), max_length="2x+1", unknown="token")
        return model, Tagged(LETTERS, ["N", "PL"]), LETTERS, decoding
    reads = {"units": 2, "features": 1, "cell": Cell("lstm", layer_norm=True)}
    model = Seq2Seq(Encoder(**reads), Decoder(**reads, attention=Local(width=1)))
    return model, Numbers(), Numbers(), Decoding()


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """The three models in files."""
    directory, rng = tmp_path_factory.mktemp("whole"), np.random.default_rng(0)
    for name in SOURCES:
        model, source, target, decoding = make(name)
        for weight in model.weights:
            weight.assign(rng.normal(0.0, 1.0, weight.shape))
        settings = {**SETTINGS, "target_length": 3} if name == "series" else SETTINGS
        Predictor(model, source, target, decoding, settings).save(directory / f"{name}.npz")
    return {name: directory / f"{name}.npz" for name in SOURCES}


def is_the_same(actual, expected):
    """Whether two artefacts were read alike."""
    (header, arrays), (expected_header, expected_arrays) = actual, expected
    same = [
        arrays[n].dtype == a.dtype and (arrays[n] == a).all() for n, a in expected_arrays.items()
    ]
    return header == expected_header and arrays.keys() == expected_arrays.keys() and all(same)


def test_two_thousand_damaged_files_are_refused_or_harmless(paths, tmp_path):
    path, rng, counts = tmp_path / "model.npz", np.random.default_rng(0), Counter()
    for name, original in paths.items():
        content, artifact = original.read_bytes(), read_artifact(original)
        for turn in range(700):
            damage = DAMAGES[turn % len(DAMAGES)]
            path.unlink(missing_ok=True)  # to write over a file takes some file systems long
            path.write_bytes(damage(content, rng))
            try:
                assert is_the_same(read_artifact(path), artifact), (name, damage)
                counts[damage.__name__, "harmless"] += 1
            except ValueError as error:
                assert str(path) in str(error)
                counts[damage.__name__, "refused"] += 1
    refused = {damage.__name__: counts[damage.__name__, "refused"] for damage in DAMAGES}
    expected = {"cut": 234, "flip": 218, "overwrite_end": 212, "leave_out": 234, "insert": 233}
    expected |= {"repeat": 223, "edit_zip": 85, "edit_arrays": 231, "append": 0}
    assert refused == pytest.approx(expected, abs=12)  # the header names Keras's own parts
    assert sum(counts.values()) == 2100


def answer(runtime, name):
    """The predictions of a runtime, as text that can be printed."""
    predictions = runtime.predict(SOURCES[name], unknown="token", max_length=6)
    assert len(predictions) == len(SOURCES[name])
    return [text.encode() for text in predictions]


def test_edited_headers_are_refused_or_make_sense(paths):
    rng, counts = np.random.default_rng(0), Counter()
    for name, path in paths.items():
        header, arrays = read_artifact(path)
        expected = answer(NumpyPredictor(header, arrays), name)
        for _ in range(300):
            edited = alter_values(header, rng, ("model", "source", "target", "settings"))
            try:
                if not isinstance(edited["settings"], dict):  # `read_artifact` looks at that
                    raise ValueError("its header lacks settings")
                actual = answer(NumpyPredictor(edited, arrays), name)
                counts["alike" if actual == expected else "other"] += 1
            except ValueError:
                counts["refused"] += 1
            except KeyError as error:
                assert error.args == ("settings",)
                counts["refused"] += 1
    # The header names parts of Keras, whose versions differ.
    assert counts == pytest.approx({"refused": 598, "alike": 292, "other": 10}, abs=25)
    assert counts["other"] > 0


@pytest.fixture
def read_as(monkeypatch):
    """Let both readers read this header and these arrays, whatever the file holds."""

    def replace(header, arrays):
        for module in (checkpoints, numpy_runtime):
            monkeypatch.setattr(module, "read_artifact", lambda _: (copy.deepcopy(header), arrays))

    return replace


@pytest.mark.parametrize("count", [30, pytest.param(700, marks=pytest.mark.slow)])
def test_edited_headers_are_refused_by_keras_too(paths, count, read_as):
    rng, counts = np.random.default_rng(1), Counter()
    for path in paths.values():
        header, arrays = read_artifact(path)
        for _ in range(count):
            edited = alter_values(header, rng, ("model", "source", "target", "settings"))
            if isinstance(edited.get("settings"), dict):
                read_as(edited, arrays)
                try:
                    counts[type(load(path)).__name__] += 1
                except ValueError as error:
                    assert str(path) in str(error)
                    counts["refused"] += 1
    assert counts["refused"] / sum(counts.values()) == pytest.approx(0.9, abs=0.06)


def rewrite(path, change):
    """Write a zip file again with `change(members)`, a list of [name, content, attributes]."""
    with zipfile.ZipFile(path) as archive:
        members = [[member.filename, archive.read(member), {}] for member in archive.infolist()]
    members = change(members) or members
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, attributes in members:
            info = zipfile.ZipInfo(name)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)


def compress(members):
    for member in members:
        member[2]["compress_type"] = zipfile.ZIP_DEFLATED


def pack_a_bomb(members):
    zeros = bytes(200_000_000)
    members.append(["bomb.npy", zeros, {"compress_type": zipfile.ZIP_DEFLATED}])


def rename(members):
    members[3][0] = "other.npy"


def swap(members):
    members[2][0], members[3][0] = members[3][0], members[2][0]


def lose(members):
    del members[3]


def say_twice(members):
    members.append([members[3][0].removesuffix(".npy"), members[3][1], {}])


def put_in_text(members):
    members.append(["readme.txt", b"hello", {}])


def put_in_arrays(members):
    array = io.BytesIO()
    np.save(array, np.zeros(1))
    members.extend([f"more{number}.npy", array.getvalue(), {}] for number in range(3000))


def put_in_pickle(members):
    array = io.BytesIO()
    np.save(array, np.array([{"a": 1}], dtype=object))
    members.append(["object.npy", array.getvalue(), {}])


@pytest.mark.parametrize(
    "change, message",
    [
        (compress, "'header.json' is compressed, or occurs twice"),
        (pack_a_bomb, "'bomb' is compressed"),
        (rename, "arrays differ from its header: .*, other"),
        (swap, "arrays (differ from|have other checksums than in) its header"),
        (lose, "arrays differ from its header"),
        (say_twice, ".* is compressed, or occurs twice"),
        (put_in_text, "'readme.txt' is no array of plain numbers"),
        (put_in_arrays, "arrays differ from its header: more0, more1, more10"),
        (put_in_pickle, "'object' is no array of plain numbers"),
    ],
)
def test_a_file_packed_anew_is_refused(paths, tmp_path, change, message):
    path = tmp_path / "model.npz"
    path.write_bytes(paths["plain"].read_bytes())
    rewrite(path, lambda members: None)
    read_artifact(path)  # packing it anew does no harm
    rewrite(path, change)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"model.npz is damaged: {message}"):
        read_artifact(path)
    assert tracemalloc.get_traced_memory()[1] < 20 * path.stat().st_size + 5e6
    tracemalloc.stop()


def test_sizes_are_not_believed(paths, tmp_path):
    path, content = tmp_path / "model.npz", paths["plain"].read_bytes()
    entry = content.index(b"PK\1\2")
    for field in (20, 24, 42):  # of the directory: packed size, size, place
        for size in (2**31, 2**32 - 2):
            changed = bytearray(content)
            struct.pack_into("<I", changed, entry + field, size)
            path.write_bytes(changed)
            tracemalloc.start()
            with pytest.raises(ValueError, match="model.npz is damaged"):
                read_artifact(path)
            assert tracemalloc.get_traced_memory()[1] < 1e6
            tracemalloc.stop()


def edit(path, keys, value):
    """The header and the arrays of `path` with another value at `keys`."""
    header, arrays = read_artifact(path)
    part = header
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    return header, arrays


ENCODER, DECODER = (("model", "config", name, "config") for name in ("encoder", "decoder"))
STRATEGY = ("settings", "decoding", "strategy")


@pytest.mark.parametrize(
    "name, keys, value",
    [
        ("plain", (*ENCODER, "units"), 10**6),
        ("plain", (*ENCODER, "vocabulary_size"), 10**9),
        ("plain", (*DECODER, "embedding_size"), 10**8),
        ("plain", (*DECODER, "layers"), 10**7),
        ("rich", (*DECODER, "attention", "config", "units"), 10**8),
        ("rich", (*DECODER, "tags"), 10**9),
        ("series", (*DECODER, "features"), 10**9),
        ("series", ("settings", "target_length"), 10**9),
        ("series", ("target", "features"), 10**9),
        ("rich", (*STRATEGY, "width"), 10**9),
    ],
)
def test_nothing_larger_than_the_file_is_allocated(paths, name, keys, value, read_as):
    header, arrays = edit(paths[name], keys, value)
    read_as(header, arrays)
    tracemalloc.start()
    with pytest.raises(ValueError):
        load(paths[name])
    with pytest.raises(ValueError):
        NumpyPredictor(header, arrays).predict(SOURCES[name], unknown="token")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "keys, value, message",
    [
        (("source", "symbols", 0), 5, "symbols .*must be"),
        (("source", "symbols"), ["a", "a"], "twice"),
        (("source", "symbols"), ["a", "\ud800"], "surrogate|no character"),
        (("target", "symbols"), ["a", "b", "c"], "its codecs have|needs sides of"),
        (("target", "kind"), "tagged", "header can't be read"),
        (("settings", "longest_target"), "3", "longest_target must be a whole number"),
        (("settings", "longest_source"), -1, "longest_source must be a whole number"),
        (("settings", "decoding"), [], "header can't be read|settings can't be read"),
        (("settings", "decoding", "strategy"), "greedy", "strategy must be|can't be read"),
        (("model", "config", "end_id"), 3, "end_id=3|starts and ends with 1 and 3"),
        (("model", "config", "tied_embeddings"), "no", "tied_embeddings must be true or false"),
        ((*ENCODER, "backwards"), None, "backwards must be true or false"),
        ((*ENCODER, "layers"), 0, "layers must be a whole number of at least 1"),
        ((*ENCODER, "cell", "kind"), "sru", "unknown (kind of cell|cell.kind) 'sru'"),
        ((*DECODER, "name"), 5, "is missing|structure differ|can't be"),
    ],
)
def test_what_is_wrong_in_a_header_is_named_by_both_readers(paths, keys, value, message, read_as):
    header, arrays = edit(paths["plain"], keys, value)
    read_as(header, arrays)
    for read in (load, numpy_runtime.load):
        with pytest.raises(ValueError, match=f"plain.npz.*({message})"):
            read(paths["plain"])


def test_weights_that_are_not_finite_are_named_by_both_readers(paths, read_as):
    header, arrays = read_artifact(paths["plain"])
    arrays["decoder/readout/logits/bias"][0] = np.nan
    read_as(header, arrays)
    for read in (load, numpy_runtime.load):
        with pytest.raises(
            ValueError, match="plain.npz.*logits/bias holds values that are not fin"
        ):
            read(paths["plain"])


@pytest.mark.parametrize("deep", ["[" * 900 + "]" * 900, "[" + "[],{}," * 200_000 + "0]"])
def test_a_header_of_lists_in_lists_is_refused(paths, tmp_path, deep):
    header, arrays = read_artifact(paths["plain"])
    path = tmp_path / "model.npz"
    texts = json.dumps({**header, "model": {"deep": 0}}).replace('"deep": 0', f'"deep": {deep}')
    checksum = manifest.checksum(texts.encode())
    members = {HEADER: texts, file_format.DIGEST: checksum}
    members = {name: np.frombuffer(text.encode(), "uint8") for name, text in members.items()}
    np.savez(path, **members, **arrays)
    for read in (load, numpy_runtime.load):
        with pytest.raises(ValueError, match="model.npz"):
            read(path)
