"""Exported graphs: other runtimes predict as the model does, by the loops of docs/export.md."""

import dataclasses
import json
import logging
import os
import sys

import keras
import numpy as np
import pytest

from seq2seq.export import formats, graphs
from seq2seq.export.graphs import export_graphs
from seq2seq.inference.loading import load
from tests.export.exported_models import (
    BLOCKS,
    LETTERS,
    NAMES,
    make,
    predictor,
)


@pytest.mark.slow
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


def test_bad_requests_are_refused(tmp_path, monkeypatch):
    plain = make("plain")
    with pytest.raises(ValueError, match="unknown format 'onyx'; did you mean 'onnx'"):
        export_graphs(plain, "onyx", tmp_path / "out")
    with pytest.raises(ValueError, match="exists already; choose another folder"):
        export_graphs(plain, "onnx", tmp_path)
    with pytest.raises(ValueError, match="one Seq2Seq is exported, got list"):
        export_graphs(predictor([plain.model]), "onnx", tmp_path / "out")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ValueError, match=r"package tf2onnx.*pip install 'keras-seq2seq\[export\]'"):
        export_graphs(plain, "onnx", tmp_path / "out")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Keras runs on jax here: set KERAS_BACKEND=tensorflow"):
        export_graphs(plain, "onnx", tmp_path / "out")
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
    plain = make("plain")
    with pytest.raises(RuntimeError, match="stopped"):
        export_graphs(plain, "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert "compiled code remarks" in capfd.readouterr().err
    export_graphs(plain, "onnx", tmp_path / "fine/out")
    assert capfd.readouterr().err == ""
    assert os.listdir(tmp_path / "fine") == ["out"]


def test_the_first_of_two_exports_into_one_folder_is_kept(tmp_path):
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
