"""Formats: ONNX, LiteRT and SavedModel compute what the model computes."""

import os

import numpy as np
import pytest

from seq2seq.config import CONFIGS, build_model, build_task, compose
from seq2seq.data import make_batch
from seq2seq.export import formats
from seq2seq.export.graphs import export_graphs
from tests.export.exported_models import (
    BATCHES,
    BLOCKS,
    EACH,
    MODELS,
    OTHERS,
    QUICK,
    STEPS,
    check,
    compare,
    decode,
    draw,
    expect,
    make,
    open_folder,
    predictor,
)


def described(header, graph, side):
    return {port["name"]: port for port in header["graphs"][graph][side]}


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_onnxruntime_equals_the_model(name, tmp_path):
    import onnx

    run, header = open_folder(export_graphs(make(name), "onnx", tmp_path / "out"))
    check(name, run, header)
    for graph in ("encoder", "step"):
        model = onnx.load(tmp_path / f"out/{graph}.onnx")
        assert {node.domain for node in nodes(model.graph)} <= {"", "ai.onnx"}
        for side, results in (("inputs", model.graph.input), ("outputs", model.graph.output)):
            ports = described(header, graph, side)
            assert [value.name for value in results] == list(ports)
            for value in results:
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
def test_litert_equals_the_model(name, tmp_path):
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
def test_saved_models_in_a_fresh_process_equal_the_models(tmp_path, python, names):
    """It imports TensorFlow and NumPy, and nothing else of what is here."""
    page = [block.split("\n\n\nheader = ")[0] for block in BLOCKS if "def greedy" in block]
    page += [block.split("\n\n\nheader = ")[0] for block in BLOCKS if "tensorflow" in block]
    page = [BLOCKS[1], *page, f"STEPS = {STEPS}"]
    (tmp_path / "page.py").write_text("\n".join(page))
    expected, folders = {}, []
    for name in sorted(names):
        keras_predictor, folder = make(name), tmp_path / name.replace(" ", "_")
        export_graphs(keras_predictor, "saved_model", folder)
        folders.append(folder)
        os.mkdir(f"{folder}.in")
        for number, (batch, time) in enumerate(BATCHES):
            inputs = draw(keras_predictor.model, batch, time, padding=number)
            np.savez(f"{folder}.in/{number}.npz", **inputs)
            expected[f"{folder}.{number}.npz"] = expect(name)[number]
    done = python("-c", FRESH, *folders)
    assert done.returncode == 0, done.stderr
    for file, results in expected.items():
        with np.load(file) as arrays:
            predicted = arrays["values" if "values" in arrays.files else "tokens"]
            np.testing.assert_allclose(predicted, results.tokens[:, 0], rtol=1e-3, atol=1e-4)
            np.testing.assert_array_equal(arrays["lengths"], results.lengths[:, 0])
            np.testing.assert_allclose(arrays["scores"], results.scores[:, 0], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
@pytest.mark.parametrize("name", OTHERS)
def test_every_exported_part_equals_the_model(name, format, tmp_path):
    run, header = open_folder(export_graphs(make(name), format, tmp_path / "out"))
    check(name, run, header)


CATALOGUE = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_exports_of_the_whole_catalogue_equal_the_models(name, tmp_path):
    """In one of the formats, since the tests above export each part in every format."""
    format = [*formats.FORMATS][CATALOGUE.index(name) % len(formats.FORMATS)]
    config = compose([f"model={name}", "task=inflection", "task.training_examples=32"])
    task = build_task(config)
    model = build_model(config, task)
    copying = model.decoder.readout_type == "pointer"
    inputs = make_batch(task.examples("train"), task.source, task.target, copying=copying).inputs
    inputs = {name: inputs[name] for name in inputs if not name.startswith("target")}
    keras_predictor = predictor(model, task.source, task.target)
    run, header = open_folder(export_graphs(keras_predictor, format, tmp_path / "out"))
    compare(run, header, model, inputs, decode(model, inputs))
