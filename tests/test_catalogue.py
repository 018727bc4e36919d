"""Every model of the catalogue builds, learns, and is the same in a fresh process."""

import keras
import numpy as np
import pytest

from seq2seq.config import CONFIGS, build_model, build_task, compose, instantiate
from seq2seq.data import make_batch
from seq2seq.inference.artifact import save_model
from seq2seq.training.losses import cross_entropy
from seq2seq.training.trainer import make_loss
from seq2seq.training_from_config import train_from_config

MODELS = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
SMALL = ["model.encoder.units=12", "model.encoder.embedding_size=12"]


@pytest.fixture(autouse=True)
def seeded():
    """The same weights and dropout each time."""
    keras.utils.set_random_seed(0)


def build(name):
    small = [*SMALL, *(["model.decoder.units=12"] if name == "bahdanau" else [])]
    config = compose([f"model={name}", "task=inflection", "task.training_examples=32", *small])
    task = build_task(config)
    model = build_model(config, task)
    copying = model.decoder.readout_type == "pointer"
    batch = make_batch(task.examples("train"), task.source, task.target, copying=copying)
    return config, task, model, batch


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_model_lowers_its_loss(name):
    config, _, model, batch = build(name)
    forcing = instantiate("forcing", config["forcing"])
    inputs = batch.inputs
    forced = forcing.draw(batch.target_mask.shape, seed=0, step=0, steps=5)
    if forced is not None:
        inputs["teacher_forcing_mask"] = forced
    model.compile(keras.optimizers.Adam(0.02), cross_entropy(), run_eagerly=True)
    losses = [model.train_on_batch(inputs, batch.target_out, batch.weights) for _ in range(4)]
    assert losses[-1] < losses[0] - 0.1


FILES = {
    "characters": ("abc\tbca", []),
    "symbols": ("abc\tx y", ["task.target_tokens=symbols"]),
    "numbers": ("0.1 0.2\t0.3", ["task.source_tokens=numbers", "task.target_tokens=numbers"]),
    "numbers to text": ("0.1 0.2\tup", ["task.source_tokens=numbers"]),
    "tags": ("abc\tabcs\tN;PL", ["task.columns=[1,2,3]"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_the_default_model_of_pairs_trains_on_every_kind_of_file(kind, tmp_path):
    row, overrides = FILES[kind]
    rows = [row.replace("a", "a" * n).replace("0.1", f"{n}.5") for n in range(1, 31)]
    (tmp_path / "my.tsv").write_text("\n".join(rows) + "\n")
    config = compose(["task=pairs", f"task.train={tmp_path}/my.tsv", *overrides, *SMALL])
    task = build_task(config)
    model = build_model(config, task)
    batch = make_batch(task.examples("train"), task.source, task.target)
    loss = make_loss(model, instantiate("training", config["training"]))
    model.compile(keras.optimizers.Adam(0.02), loss, run_eagerly=True)
    losses = [model.train_on_batch(batch.inputs, batch.target_out, batch.weights) for _ in "12"]
    assert np.isfinite(losses).all()


LOAD = """
import sys
import numpy as np
from pathlib import Path
from seq2seq.inference.artifact import load_model
for path in map(Path, sys.argv[1:]):
    model, *_ = load_model(path)
    with np.load(path.with_suffix(".inputs.npz")) as inputs:
        logits = model({key: inputs[key] for key in inputs.files})
    np.save(path.with_suffix(".npy"), logits)
"""


@pytest.mark.slow
def test_every_model_is_the_same_in_a_fresh_process(tmp_path, python):
    expected = {}
    for name in MODELS:
        _, task, model, batch = build(name)
        path = tmp_path / f"{name}.npz"
        save_model(path, model, task.source, task.target, {})
        np.savez(path.with_suffix(".inputs.npz"), **batch.inputs)
        expected[name] = np.array(model(batch.inputs))
    done = python("-c", LOAD, *(tmp_path / f"{name}.npz" for name in MODELS))
    assert done.returncode == 0, done.stderr
    for name in MODELS:
        loaded = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(loaded, expected[name], atol=1e-5, err_msg=name)


def learn(tmp_path, monkeypatch, *overrides):
    monkeypatch.chdir(tmp_path)
    keras.backend.clear_session()
    config = compose(list(overrides))
    outcome, _ = train_from_config(config, build_task(config))
    return outcome.summary["test"]["exact_match"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bahdanau", "cho", "luong", "pointer", "sutskever"])
def test_a_model_of_each_mechanism_learns_to_reverse(name, tmp_path, monkeypatch):
    """From free-running decoding of held-out strings; the others share their mechanisms."""
    task = ["task=reverse", "task.symbols=8", "task.max_length=5", "training.steps=500"]
    assert learn(tmp_path, monkeypatch, f"model={name}", *task) >= 0.95


@pytest.mark.slow
def test_the_pointer_learns_inflection(tmp_path, monkeypatch):
    assert learn(tmp_path, monkeypatch, "task=inflection", "model=pointer") >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "signals",
    [["forcing=scheduled", "curriculum=length"], ["forcing=per_sequence"], ["forcing=free"]],
    ids=str,
)
def test_every_training_signal_learns(signals, tmp_path, monkeypatch):
    task = ["task=reverse", "task.symbols=8", "task.max_length=5", "training.steps=800"]
    assert learn(tmp_path, monkeypatch, *signals, *task) >= 0.9
