"""Fine-tuning: weights are kept by symbol, and frozen ones stay bit for bit equal."""

import contextlib
import hashlib
import itertools
import json
import shutil
import signal
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
import pytest

import seq2seq
from seq2seq import Additive, Decoder, Encoder, Numbers, Seq2Seq, Vocabulary
from seq2seq.data import Pairs
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from seq2seq.runs.overrides import follow_latest
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.runtime.tagged import Tagged
from seq2seq.training.fine_tuning import (
    check_structure,
    copy_weights,
    extend_vocabularies,
    freeze,
)
from tests.conftest import without_compiling

TINY = ["model=lstm", "model.encoder.units=4", "model.encoder.embedding_size=3"]
TINY += ["training.batch_size=8", "training.steps_per_epoch=1", "training.steps=2"]
TINY += ["decoding.max_length=3"]


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch, eagerly):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The directory of an earlier run."""
    path = tmp_path_factory.mktemp("earlier") / "first"
    with without_compiling():
        train(f"run_dir={path}", task=pairs("abc"))
    return path


def pairs(symbols, length=2):
    words = ["".join(word) for word in itertools.product(symbols, repeat=length)]
    return Pairs(sources=words, targets=[word[::-1] for word in words])


def train(*overrides, task, **options):
    return seq2seq.train(*TINY, *overrides, task=task, progress=False, **options)


def make(source, target, encoder=MappingProxyType({}), **decoder):
    defaults = {"units": 4, "embedding_size": 3}
    attention = {"attention": Additive(), "readout": "tied"}
    return Seq2Seq(
        Encoder(**{**defaults, "vocabulary_size": len(source), **encoder}),
        Decoder(**{**defaults, "vocabulary_size": len(target), **attention, **decoder}),
    )


class Sides:
    """A task without examples."""

    def __init__(self, source, target):
        self.source, self.target = source, target


def predictor(source, target, **options):
    return Predictor(make(source, target, **options), source, target, Decoding(), {})


def embeddings(part):
    return np.array(part.input_embedding.embedding.embeddings)


@pytest.mark.parametrize("readout", ["dense", "tied", "pointer"])
def test_rows_are_kept_by_symbol_and_those_of_new_symbols_are_fresh(readout):
    earlier = predictor(Vocabulary("bca"), Vocabulary("xy"), readout=readout)
    task = extend_vocabularies(Sides(Vocabulary("abd"), Vocabulary("yxz")), earlier)
    assert task.source.symbols[4:] == ("a", "b", "d", "c")  # "c" of the earlier model stays
    assert task.target.symbols[4:] == ("y", "x", "z")
    model = make(task.source, task.target, readout=readout)
    untrained = make(task.source, task.target, readout=readout)
    untrained.set_weights(model.get_weights())
    notes = copy_weights(model, task, earlier)
    assert notes == [
        "source symbols: 3 kept, 1 fresh ('d')",
        "target symbols: 2 kept, 1 fresh ('z')",
    ]
    for side, new, old in (
        ("encoder", [0, 1, 2, 3, 4, 5, 7], [0, 1, 2, 3, 6, 4, 5]),
        ("decoder", [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 5, 4]),
    ):
        rows, stored, fresh = (
            embeddings(getattr(m, side)) for m in (model, earlier.model, untrained)
        )
        np.testing.assert_array_equal(rows[new], stored[old])
        np.testing.assert_array_equal(rows[6], fresh[6])
    for weight, stored, fresh in zip(
        *(m.decoder.readout.symbol_weights for m in (model, earlier.model, untrained)), strict=True
    ):
        np.testing.assert_array_equal(np.array(weight)[..., new], np.array(stored)[..., old])
        np.testing.assert_array_equal(np.array(weight)[..., 6], np.array(fresh)[..., 6])


def test_log_probabilities_of_an_extended_model_are_those_of_the_earlier_but_for_new_symbols():
    earlier = predictor(Vocabulary("bca"), Vocabulary("xy"), readout="dense")
    task = extend_vocabularies(Sides(Vocabulary("abd"), Vocabulary("yxz")), earlier)
    model = make(task.source, task.target, readout="dense")
    copy_weights(model, task, earlier)
    logits = []
    for side, m in ((task, model), (earlier, earlier.model)):
        source, target = (
            np.array([side.source.encode("cab")]),
            np.array([side.target.encode("xyx")]),
        )
        logits.append(np.array(m({"source": source, "target": target})))
    np.testing.assert_allclose(logits[0][..., [0, 1, 2, 3, 5, 4]], logits[1], atol=1e-6)


def test_tags_are_kept_by_name():
    earlier = predictor(Tagged(Vocabulary("ab"), ["V", "N"]), Vocabulary("ab"), tags=2)
    task = extend_vocabularies(
        Sides(Tagged(Vocabulary("ab"), ["ADJ", "N"]), Vocabulary("ab")), earlier
    )
    assert task.source.tags == ("ADJ", "N", "V")
    model = make(task.source, task.target, tags=3)
    assert copy_weights(model, task, earlier)[0] == "tags: 2 kept, 1 fresh ('ADJ')"
    rows, stored = (np.array(m.decoder.tag_embedding.kernel) for m in (model, earlier.model))
    np.testing.assert_array_equal(rows[1:], stored[::-1])


def test_real_values_are_scaled_as_before():
    earlier = Sides(Numbers(1, 5.0, 2.0), Vocabulary("ab"))
    assert extend_vocabularies(Sides(Numbers(), Vocabulary("a")), earlier).source is earlier.source


def test_sides_of_another_kind_are_refused():
    characters, words = Vocabulary("ab"), Vocabulary("ab", "words")
    for source, message in (
        (words, "the source of the earlier model is made of words, that of this task made of char"),
        (Numbers(2), "the source of the earlier model is real values, 2 a step"),
        (Tagged(characters, ["V"]), "the source of the earlier model is text with tags"),
    ):
        with pytest.raises(ValueError, match=message):
            extend_vocabularies(Sides(characters, characters), Sides(source, characters))


@pytest.mark.parametrize(
    "encoder, decoder, message",
    [
        (
            {"units": 8},
            {"units": 8},
            "has encoder.units=4, this one encoder.units=8; ch",
        ),
        ({"layers": 2}, {"layers": 2}, "has encoder.layers=1, this one encoder.layers=2"),
        (
            {"cell": "gru"},
            {"cell": "gru"},
            "has encoder.cell.kind=lstm, this one encoder.cell",
        ),
        (
            {},
            {"attention": None, "readout": "dense"},
            "has decoder.attention=Additive, this one",
        ),
        ({}, {"attention": Additive(coverage=True)}, "has decoder.attention.coverage=False, this"),
        ({}, {"readout": "dense"}, "has decoder.readout=tied, this one decoder.readout=dense"),
        ({"cell": {"dropout": 0.5}}, {}, None),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_its_first_difference(encoder, decoder, message):
    vocabulary = Vocabulary("abc")
    models = (make(vocabulary, vocabulary), make(vocabulary, vocabulary, encoder, **decoder))
    with contextlib.nullcontext() if message is None else pytest.raises(ValueError, match=message):
        check_structure(models[1], models[0])


def test_a_file_that_is_no_model_is_refused():
    Path("model.npz").write_bytes(b"no model")
    for path, message in (
        ("missing", "init_from=missing: no such run: missing"),
        ("model.npz", "init_from=model.npz: model.npz "),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            train(f"init_from={path}", "run_dir=run", task=pairs("abc"))
        assert "\n" not in str(caught.value) and not Path("run").exists()


def weights(run):
    return {weight.path: np.array(weight) for weight in run.model.weights}


def test_training_starts_from_an_earlier_run_and_leaves_frozen_parts(first, capfd):
    task = pairs("abd")
    settings = [f"init_from={first}", "freeze=[encoder,decoder.readout]", "run_dir=run"]
    run = seq2seq.train(*TINY, *settings, task=task)
    note = f"note: starts from {first}/model.npz; source symbols: 3 kept, 1 fresh ('d'); target"
    assert note in capfd.readouterr().err
    assert len(run.source) == 8 and run.predict(["abcd"])  # the earlier symbols can be read
    assert len(task.source) == 7
    initial = weights(seq2seq.load(first))
    for path, values in weights(run).items():
        if path.startswith("encoder/stack"):
            np.testing.assert_array_equal(values, initial[path])
        elif path.startswith("decoder/stack"):
            assert not np.array_equal(values, initial[path])
    digest = hashlib.sha256((first / "model.npz").read_bytes()).hexdigest()
    environment = json.loads(Path("run/environment.json").read_text())
    assert environment["init_from"] == {"path": f"{first}/model.npz", "sha256": digest}
    config = read_config(Path("run/config.yaml"))
    assert config["init_from"] == str(first)
    assert config["freeze"] == ["encoder", "decoder.readout"]


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_a_resumed_fine_tuning_equals_an_uninterrupted_one(first):
    settings = [f"init_from={first}", "freeze=[encoder]", "training.initialization=pytorch"]
    uninterrupted = train(*settings, "run_dir=one", task=pairs("abd"))
    train(*settings, "run_dir=two", task=pairs("abd"), callbacks=[Interrupt()])
    resumed = seq2seq.train("run_dir=two", "resume=true", task=pairs("abd"), progress=False)
    initial, expected = weights(seq2seq.load(first)), weights(uninterrupted)
    for path, values in weights(resumed).items():
        np.testing.assert_array_equal(values, expected[path])
        assert "stack" not in path or np.array_equal(values, initial[path]) == ("encoder" in path)


@pytest.mark.slow
def test_a_run_is_not_resumed_from_another_earlier_model(first):
    shutil.copytree(first, "first")
    train("init_from=first", "run_dir=run", task=pairs("abc"), callbacks=[Interrupt()])
    run = seq2seq.load("first")
    run.model.weights[0].assign(run.model.weights[0] + 1)
    run.save(Path("first/model.npz"))
    with pytest.raises(ValueError, match="init_from is not the model that the run in run began"):
        seq2seq.train("run_dir=run", "resume=true", task=pairs("abc"))


def test_the_newest_run_is_meant_by_its_own_name():
    Path("runs/first").mkdir(parents=True)
    Path("runs/latest").symlink_to("first")
    for value, meant in (
        ("runs/latest", "runs/first"),
        ("runs/latest/model.npz", "runs/first/model.npz"),
        ("runs/other", "runs/other"),
    ):
        assert follow_latest([f"init_from={value}", "seed=1"]) == [f"init_from={meant}", "seed=1"]


def paths(model):
    return [weight.path for weight in model.trainable_variables]


@pytest.mark.parametrize(
    "names, prefixes",
    [
        (["encoder"], ["encoder/"]),
        (["encoder", "bridge"], ["encoder/"]),  # a copy has no weights
        (["encoder.embedding"], ["encoder/input_embedding/"]),
        (["decoder.layer_0", "decoder.readout"], ["decoder/stack/", "decoder/readout/"]),
        ([], []),
    ],
)
def test_parts_are_frozen_by_name(names, prefixes):
    vocabulary = Vocabulary("abc")
    model = make(vocabulary, vocabulary, readout="dense")
    every = paths(model)
    freeze(model, names)
    assert paths(model) == [path for path in every if not path.startswith(tuple(prefixes or "-"))]


def test_a_tied_readout_is_frozen_with_its_table():
    vocabulary = Vocabulary("abc")
    model = make(vocabulary, vocabulary)
    freeze(model, ["decoder.readout"])
    assert not [path for path in paths(model) if path.startswith("decoder/input_embedding")]


def test_unknown_parts_are_refused_with_the_nearest():
    vocabulary = Vocabulary("abc")
    for names, message in (
        (
            ["encoder.embeding"],
            "unknown part in freeze 'encoder.embeding'; did you mean 'encoder.e",
        ),
        ("encoder", r"freeze must be a list of parts, as freeze=\[encoder\], got 'encoder'"),
        (["encoder", "decoder"], r"freeze=\[encoder,decoder\] leaves no weights to train"),
    ):
        with pytest.raises(ValueError, match=message):
            freeze(make(vocabulary, vocabulary), names)
