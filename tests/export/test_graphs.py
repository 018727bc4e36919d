"""Exported graphs: other runtimes say what the model says, by the loops of docs/export.md."""

import dataclasses
import functools
import json
import logging
import os
import re
import sys

import keras
import numpy as np
import pytest

from seq2seq.config import CONFIGS, build_model, build_task, compose
from seq2seq.data import make_batch
from seq2seq.decoding.constraints import SuppressTokens
from seq2seq.export import formats, graphs
from seq2seq.export.graphs import export_graphs
from seq2seq.export.signatures import run_without_lists, trace
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.loading import load
from seq2seq.inference.predictor import Predictor
from seq2seq.layers.attention import (
    Additive,
    Concat,
    Dot,
    General,
    Scaled,
)
from seq2seq.layers.bridges import (
    Dense,
    HiddenOnly,
    LayerwiseDense,
    LearnedInitialState,
    TopLayer,
    Zero,
)
from seq2seq.layers.cell import Cell
from seq2seq.layers.fixed_context import FixedContext, RepeatVector
from seq2seq.layers.local_attention import Local
from seq2seq.layers.recurrent import unroll
from seq2seq.models import Decoder, Encoder, Seq2Seq
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import PAD, START, Vocabulary
from tests.conftest import ROOT

LETTERS = "abcdefgh"
SIZE = 4 + len(LETTERS)
TAGS = 3
STEPS = 9  # of the longest answer
BATCHES = [(3, 7), (1, 1), (5, 4)]  # sources, and steps of the longest
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/export.md").read_text(), re.M | re.S)
NAMES = {}  # what the page's blocks define; what they do at the end is another test
for block in BLOCKS[1:]:
    exec(compile(block.split("\n\n\nheader = ")[0], "docs/export.md", "exec"), NAMES)


def reads(size=8, **options):
    return Encoder(size, **{"vocabulary_size": SIZE, "embedding_size": 8, **options})


def says(size=8, **options):
    return Decoder(size, **{"vocabulary_size": SIZE, "embedding_size": 8, **options})


def pointer(attention, **options):
    return Seq2Seq(reads(), says(attention=attention, readout="pointer", **options))


REAL = {"vocabulary_size": None, "features": 2}
MODELS = {
    "plain": lambda: Seq2Seq(reads(), says()),
    "both ways": lambda: Seq2Seq(
        reads(layers=2, bidirectional=True), says(layers=2), LayerwiseDense()
    ),
    "luong": lambda: Seq2Seq(reads(backwards=True), says(attention=General(input_feeding=True))),
    "bahdanau": lambda: Seq2Seq(
        reads(bidirectional=True, cell="gru"),
        says(cell="gru", attention=Additive()),
        LayerwiseDense(),
    ),
    "pointer": lambda: pointer(Additive(before=False), tags=TAGS),
    "gru": lambda: Seq2Seq(reads(cell="gru"), says(cell="gru")),
    "real": lambda: Seq2Seq(reads(**REAL), says(**REAL, attention=General(input_feeding=True))),
}
QUICK = ("pointer",)  # conversion takes seconds; the others are for the slow run
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]

NORMED = Cell(layer_norm=True, residual=True, dropout=0.3, recurrent_dropout=0.3)
# The other parts, several in a model: a conversion takes seconds.
OTHERS = {
    "simple, dot": lambda: Seq2Seq(reads(cell="rnn"), says(cell="rnn", attention=Dot())),
    "normed, scaled, tied": lambda: Seq2Seq(
        reads(layers=2, cell=NORMED),
        says(layers=2, cell=NORMED, attention=Scaled(), readout="tied"),
        tied_embeddings=True,
    ),
    "normed gru, coverage": lambda: Seq2Seq(
        reads(cell=Cell("gru", layer_norm=True)),
        says(cell=Cell("gru", layer_norm=True), attention=Additive(coverage=True)),
    ),
    "concat, hidden only": lambda: Seq2Seq(reads(), says(attention=Concat()), HiddenOnly()),
    "local pointer": lambda: pointer(Local(width=2)),
    "fixed context, top layer": lambda: Seq2Seq(
        reads(), says(layers=2, attention=FixedContext()), TopLayer()
    ),
    "repeat, dense": lambda: Seq2Seq(
        reads(), says(16, layers=2, attention=RepeatVector()), Dense()
    ),
    "values to tokens, zero": lambda: Seq2Seq(reads(**REAL), says(attention=Dot()), Zero()),
    "uninformed": lambda: Seq2Seq(reads(), says(), LearnedInitialState(), allow_uninformed=True),
}


def predictor(model, source=None, target=None, **decoding):
    letters = Vocabulary(LETTERS)
    settings = {"longest_source": 7, "longest_target": 7, "target_length": None}
    return Predictor(model, source or letters, target or letters, Decoding(**decoding), settings)


@functools.cache
def make(name):
    """A predictor whose model has never learned, and says much."""
    keras.utils.set_random_seed(2)
    model = {**MODELS, **OTHERS}[name]()
    loud = 2 if model.decoder.features else 6  # real values that grow and grow compare badly
    for weight in model.trainable_variables:
        if len(weight.shape) == 2:
            weight.assign(weight * (20 if "embedding" in weight.path else loud))
    letters = Vocabulary(LETTERS)
    source = Tagged(letters, "XYZ"[:TAGS]) if model.decoder.tags else letters
    source = Numbers(2) if model.encoder.features else source
    return predictor(model, source, Numbers(2) if model.decoder.features else letters)


def draw(model, batch, time, padding=0):
    """A batch of sources of which the first has `time` steps, as the encoder reads it."""
    rng = np.random.default_rng([batch, time])
    if model.encoder.features:
        source = rng.normal(size=(batch, time, model.encoder.features)).astype("float32")
    else:
        source = rng.integers(4, SIZE, (batch, time)).astype("int32")
    lengths = rng.integers(1, time, batch, endpoint=True)
    lengths[0] = time
    mask = np.arange(time) < lengths[:, None]
    inputs = {"source": source, "source_mask": mask}
    if model.decoder.tags:
        inputs["tags"] = rng.integers(0, 2, (batch, model.decoder.tags)).astype("float32")
    if model.decoder.readout_type == "pointer":
        unseen = np.broadcast_to(SIZE + np.arange(time), mask.shape)
        inputs["copies"] = np.where(rng.random(mask.shape) < 0.5, source, unseen).astype("int32")
    for name in inputs.keys() - {"tags"}:
        inputs[name][~mask] = 0
        wide = [(0, 0), (0, padding)] + [(0, 0)] * (inputs[name].ndim - 2)
        inputs[name] = np.pad(inputs[name], wide)
    return inputs


def go_on(run, inputs, features):
    """What a decoder of real values says in STEPS steps."""
    found = run("encoder", inputs)
    memory = {name: found[name] for name in found if name.startswith("memory_")}
    state = {name: found[name] for name in found if name not in memory}
    said = [np.zeros((len(inputs["source"]), features), "float32")]
    for _ in range(STEPS):
        output = run("step", {"values": said[-1], **state, **memory})
        state = {name: output[f"next_{name}"] for name in state}
        said.append(output["next_values"])
    return np.stack(said[1:], 1)


def decode(model, inputs):
    """What is to be said: as a predictor, never padding or the start."""
    rules = () if model.decoder.features else [SuppressTokens(np.array([PAD, START]))]
    return model.decode(**inputs, max_length=STEPS, constraints=rules)


@functools.cache
def expect(name):
    """What the model is to say of each of BATCHES."""
    model = make(name).model
    found = [decode(model, draw(model, batch, time)) for batch, time in BATCHES]
    symbols = {value for one in found for value in one.tokens.ravel().tolist()}
    assert len(symbols) > 3 or model.is_uninformed
    return found


def check(name, run, header):
    """Greedy decoding through `run` says what the model says, with and without more padding."""
    model = make(name).model
    for (batch, time), expected in zip(BATCHES, expect(name), strict=True):
        for padding in (0, 4):
            compare(run, header, model, draw(model, batch, time, padding), expected)


def compare(run, header, model, inputs, expected):
    if model.decoder.features:
        values = go_on(run, inputs, model.decoder.features)
        np.testing.assert_allclose(values, expected.tokens[:, 0], rtol=1e-3, atol=1e-4)
        return
    tokens, scores = NAMES["greedy"](run, header, inputs, STEPS)
    np.testing.assert_array_equal(tokens, expected.tokens[:, 0, : tokens.shape[1]])
    assert not expected.tokens[:, 0, tokens.shape[1] :].any()
    np.testing.assert_allclose(scores, expected.scores[:, 0], atol=1e-4)


def open_folder(folder):
    header = NAMES["open_header"](folder)
    return NAMES[f"open_{header['format']}"](folder), header


def described(header, graph, side):
    return {port["name"]: port for port in header["graphs"][graph][side]}


@pytest.mark.parametrize("name", EACH)
def test_onnxruntime_says_what_the_model_says(name, tmp_path):
    import onnx

    run, header = open_folder(export_graphs(make(name), "onnx", tmp_path / "out"))
    check(name, run, header)
    for graph in ("encoder", "step"):
        model = onnx.load(tmp_path / f"out/{graph}.onnx")
        assert {node.domain for node in nodes(model.graph)} <= {"", "ai.onnx"}
        for side, found in (("inputs", model.graph.input), ("outputs", model.graph.output)):
            ports = described(header, graph, side)
            assert [value.name for value in found] == list(ports)
            for value in found:
                sizes = value.type.tensor_type.shape.dim
                assert ports[value.name]["shape"] == [d.dim_param or d.dim_value for d in sizes]


def nodes(graph):
    """The nodes of an ONNX graph and of the loops in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes(attribute.g)


@pytest.mark.parametrize("name", EACH)
def test_litert_says_what_the_model_says(name, tmp_path):
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.lite.python import schema_py_generated as schema

    run, header = open_folder(export_graphs(make(name), "litert", tmp_path / "out"))
    check(name, run, header)
    for graph in ("encoder", "step"):
        content = (tmp_path / f"out/{graph}.tflite").read_bytes()
        model = schema.Model.GetRootAs(content, 0)
        codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
        assert codes and not any(code.CustomCode() for code in codes)  # Flex is custom, too
        (signature,) = Interpreter(model_content=content).get_signature_list().items()
        sides = {side: sorted(described(header, graph, side)) for side in ("inputs", "outputs")}
        assert signature == (graph, sides)


FRESH = """
import json, os, sys
exec(open("page.py").read())
for folder in sys.argv[1:]:
    header = open_header(folder)
    run = open_saved_model(folder)
    found = {}
    for name in sorted(os.listdir(folder + ".in")):
        with np.load(f"{folder}.in/{name}") as file:
            inputs = dict(file)
        whole = run("greedy", {**inputs, "max_length": np.int32(STEPS)})
        if "tokens" in whole:
            tokens, scores = greedy(run, header, inputs, STEPS)
            assert (tokens == whole["tokens"][:, : tokens.shape[1]]).all()
            assert np.allclose(scores, whole["scores"], atol=1e-4)
        np.savez(f"{folder}.{name}", **whole)
assert "seq2seq" not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.parametrize("names", [QUICK, set(MODELS) - set(QUICK)])
def test_a_fresh_process_says_what_the_models_say(tmp_path, python, names):
    """It imports TensorFlow and NumPy, and nothing else of what is here."""
    page = [block.split("\n\n\nheader = ")[0] for block in BLOCKS if "def greedy" in block]
    page += [block.split("\n\n\nheader = ")[0] for block in BLOCKS if "tensorflow" in block]
    page = [BLOCKS[1], *page, f"STEPS = {STEPS}"]
    (tmp_path / "page.py").write_text("\n".join(page))
    expected, folders = {}, []
    for name in sorted(names):
        made, folder = make(name), tmp_path / name.replace(" ", "_")
        export_graphs(made, "saved_model", folder)
        folders.append(folder)
        os.mkdir(f"{folder}.in")
        for number, (batch, time) in enumerate(BATCHES):
            inputs = draw(made.model, batch, time, padding=number)
            np.savez(f"{folder}.in/{number}.npz", **inputs)
            expected[f"{folder}.{number}.npz"] = expect(name)[number]
    done = python("-c", FRESH, *folders)
    assert done.returncode == 0, done.stderr
    for file, found in expected.items():
        with np.load(file) as arrays:
            said = arrays["values" if "values" in arrays.files else "tokens"]
            np.testing.assert_allclose(said, found.tokens[:, 0], rtol=1e-3, atol=1e-4)
            np.testing.assert_array_equal(arrays["lengths"], found.lengths[:, 0])
            np.testing.assert_allclose(arrays["scores"], found.scores[:, 0], atol=1e-4)


def test_the_page_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("runs/latest")
    make("plain").save(tmp_path / "runs/latest/model.npz")
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/export.md", "exec"), names)
        if "import onnxruntime" in block:
            first = names["read"](names["tokens"], names["header"])
    settings = dataclasses.replace(load("runs/latest").decoding, max_length=20)
    expected = load("runs/latest").predict(["abba", "b"], decoding=settings)
    assert first == expected[:1]
    assert names["read"](names["found"]["tokens"], names["header"]) == expected
    for format in formats.FORMATS:
        check_header(format, tmp_path / "exported" / format)


def test_the_page_reads_symbols_as_it_reads_characters():
    header = {"end_id": 2}
    for tokenizer, symbols, text in (
        ("characters", "ab", "aba"),
        ("symbols", ["AA", "B"], "AA B AA"),
    ):
        header["source"] = header["target"] = {"tokenizer": tokenizer, "symbols": list(symbols)}
        source = NAMES["encode"]([text], header)["source"]
        assert source.tolist() == [[4, 5, 4, 2]]
        assert NAMES["read"](np.array([[4, 5, 4, 0, 0]]), header) == [text]


def check_header(format, folder):
    text = (folder / "header.json").read_text("utf-8")
    header = json.loads(text)
    letters = {"kind": "tokens", "tokenizer": "characters", "symbols": list(LETTERS)}
    assert text.endswith("}\n")
    assert header["format"] == format
    assert header["source"] == header["target"] == letters
    assert [header[f"{name}_id"] for name in ("pad", "start", "end", "unknown")] == [0, 1, 2, 3]
    assert header["settings"]["longest_source"] == 7
    assert header["settings"]["decoding"]["unknown"] == "error"
    assert header["graphs"]["encoder"]["inputs"] == [
        {"name": "source", "dtype": "int32", "shape": ["batch", "time"]},
        {"name": "source_mask", "dtype": "bool", "shape": ["batch", "time"]},
    ]
    for graph in header["graphs"].values():
        assert "file" not in graph or (folder / graph["file"]).is_file()
    assert ("greedy" in header["graphs"]) == (format == "saved_model")
    assert folder.stat().st_mode & 0o777 == 0o755


def names_of(ports):
    return [port.name for port in ports]


def test_the_names_are_as_documented():
    model = Seq2Seq(
        reads(layers=2),
        says(
            layers=2,
            attention=Additive(before=False, input_feeding=True, coverage=True),
            readout="pointer",
            tags=TAGS,
        ),
    )
    encoder, step = trace(model, unroll, greedy=False)
    state = [f"layer_{n}_{field}" for n in (0, 1) for field in ("hidden", "cell")]
    state += ["attentional", "coverage"]
    memory = [f"memory_{part}" for part in ("values", "mask", "keys", "tags", "copies")]
    assert names_of(encoder.inputs) == ["source", "source_mask", "tags", "copies"]
    assert names_of(encoder.outputs) == state + memory
    assert names_of(step.inputs) == ["tokens", *state, *memory]
    after = [f"next_{name}" for name in state]
    assert names_of(step.outputs) == ["logits", *after, "attention"]
    shapes = {port.name: port.shape for port in (*step.inputs, *step.outputs)}
    assert shapes["memory_copies"] == ("batch", "time", f"{SIZE} + time")
    assert shapes["logits"] == ("batch", f"{SIZE} + time")
    assert shapes["attentional"] == shapes["next_attentional"] == ("batch", 8)
    assert shapes["coverage"] == shapes["attention"] == ("batch", "time")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("plain", []),
        ("fixed context, top layer", ["memory_keys"]),
        ("simple, dot", ["memory_values", "memory_mask"]),
    ],
)
def test_the_memory_holds_what_steps_read(name, read):
    encoder, step = trace(make(name).model, run_without_lists, greedy=False)
    for ports in (encoder.outputs, step.inputs):
        assert [port.name for port in ports if port.name.startswith("memory_")] == read


def test_real_values_have_names_of_their_own():
    encoder, step, greedy = trace(make("real").model, unroll, greedy=True)
    assert encoder.inputs[0] == ("source", "float32", ("batch", "time", 2))
    assert step.inputs[0] == ("values", "float32", ("batch", 2))
    assert step.outputs[0] == ("next_values", "float32", ("batch", 2))
    assert names_of(greedy.inputs) == ["source", "source_mask", "max_length"]
    assert greedy.outputs[0] == ("values", "float32", ("batch", "max_length", 2))


def test_mixed_precision_is_exported_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Seq2Seq(reads(), says(attention=General(input_feeding=True)))
    finally:
        keras.config.set_dtype_policy("float32")
    ports = [
        p for graph in trace(model, unroll, greedy=True) for p in (*graph.inputs, *graph.outputs)
    ]
    assert {port.dtype for port in ports} == {"float32", "int32", "bool"}


def test_exporting_leaves_the_model_alone():
    model = make("plain").model
    inputs = draw(model, *BATCHES[0])
    before, weights = model.decode(**inputs, max_length=STEPS), model.get_weights()
    copy = trace(model, run_without_lists, greedy=False)
    assert "inner_loop" not in vars(model.encoder.stack.recurrent[0])
    assert not {id(v) for g in copy for v in g.concrete.variables} & {
        id(variable.value) for variable in model.variables
    }
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(before.tokens, model.decode(**inputs, max_length=STEPS).tokens)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_both_loops_do_the_same(cell):
    stack = reads(cell=cell).stack
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 5, 8)).astype("float32")
    mask = np.arange(5) < [[5], [3], [1]]
    sizes = stack.cell.state_sizes(8)
    state = type(sizes)(*rng.normal(size=(len(sizes), 3, 8)).astype("float32"))
    whole = [
        loop(stack.recurrent[0].step, inputs, state, mask) for loop in (unroll, run_without_lists)
    ]
    for one, other in zip(*map(keras.tree.flatten, whole), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_bad_requests_are_refused(tmp_path, monkeypatch):
    made = make("plain")
    with pytest.raises(ValueError, match="unknown format 'onyx'; did you mean 'onnx'"):
        export_graphs(made, "onyx", tmp_path / "out")
    with pytest.raises(ValueError, match="exists already; choose another folder"):
        export_graphs(made, "onnx", tmp_path)
    with pytest.raises(ValueError, match="one Seq2Seq is exported, got list"):
        export_graphs(predictor([made.model]), "onnx", tmp_path / "out")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ValueError, match=r"package tf2onnx.*pip install 'seq2seq\[export\]'"):
        export_graphs(made, "onnx", tmp_path / "out")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Keras runs on jax here: set KERAS_BACKEND=tensorflow"):
        export_graphs(made, "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def noisy(graphs, folder):
    (folder / "encoder.onnx").write_bytes(b"half")
    os.write(2, b"I0000 compiled code remarks\n")
    logging.getLogger("tf2onnx").warning("a remark")
    logging.getLogger("tf2onnx").error("an error")
    if folder.parent.name != "fine":
        raise RuntimeError("stopped")
    return {graph.name: {} for graph in graphs}


def test_failures_show_the_log_and_leave_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(formats.FORMATS, "onnx", formats.Format(noisy, ()))
    made = make("plain")
    with pytest.raises(RuntimeError, match="stopped"):
        export_graphs(made, "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert "compiled code remarks" in capfd.readouterr().err
    export_graphs(made, "onnx", tmp_path / "fine/out")
    assert capfd.readouterr().err == ""
    assert os.listdir(tmp_path / "fine") == ["out"]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
@pytest.mark.parametrize("name", OTHERS)
def test_every_part_says_the_same(name, format, tmp_path):
    run, header = open_folder(export_graphs(make(name), format, tmp_path / "out"))
    check(name, run, header)


CATALOGUE = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_model_of_the_catalogue_says_the_same(name, tmp_path):
    """In one of the formats, since the tests above export each part in every format."""
    format = [*formats.FORMATS][CATALOGUE.index(name) % len(formats.FORMATS)]
    config = compose([f"model={name}", "task=inflection", "task.training_examples=32"])
    task = build_task(config)
    model = build_model(config, task)
    copying = model.decoder.readout_type == "pointer"
    inputs = make_batch(task.examples("train"), task.source, task.target, copying=copying).inputs
    inputs = {name: inputs[name] for name in inputs if not name.startswith("target")}
    made = predictor(model, task.source, task.target)
    run, header = open_folder(export_graphs(made, format, tmp_path / "out"))
    compare(run, header, model, inputs, decode(model, inputs))


def test_of_two_exports_into_one_folder_the_first_to_end_stays(tmp_path):
    goal = tmp_path / "exported"
    with (
        pytest.raises(ValueError, match="exported exists already: another export has written it"),
        graphs._whole_folder(goal) as folder,
    ):
        (folder / "header.json").write_text("second")
        goal.mkdir()
        (goal / "header.json").write_text("first")
    assert (goal / "header.json").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
