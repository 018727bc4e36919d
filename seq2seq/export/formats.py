"""The formats of exported graphs, one writer each.

A writer takes graphs and a folder, and returns where each graph is: the file, its name inside it.
The packages that a format needs are imported where it is written.
"""

import contextlib
import importlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.export.signatures import Graph, Port, run_without_lists
from seq2seq.layers.recurrent import unroll
from seq2seq.runtime.quiet import redirected_stderr

OPSET = 17  # of ONNX; any onnxruntime since 1.12 runs it
LOGGERS = ("absl", "tensorflow", "tf2onnx")


def write_onnx(graphs: list[Graph], folder: Path) -> dict[str, dict]:
    """A file for each graph, in ONNX's own operations."""
    import onnx
    import tf2onnx

    for graph in graphs:
        model, _ = tf2onnx.convert.from_function(graph.function, [graph.signature], opset=OPSET)
        model.graph.name = graph.name
        _declare(model.graph.input, graph.inputs)
        _declare(model.graph.output, graph.outputs)
        onnx.checker.check_model(model)  # tf2onnx does not fail where ONNX has no such operation
        (folder / f"{graph.name}.onnx").write_bytes(model.SerializeToString())
    return {graph.name: {"file": f"{graph.name}.onnx"} for graph in graphs}


def _declare(declared: Any, ports: tuple[Port, ...]) -> None:
    """Make `ports` the inputs or outputs of an ONNX graph, with words for the free sizes.

    tf2onnx drops an input of which nothing is made, and a runtime would refuse to be given it.
    """
    from onnx import helper

    del declared[:]
    for name, dtype, shape in ports:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        declared.append(helper.make_tensor_value_info(name, kind, shape))


def write_litert(graphs: list[Graph], folder: Path) -> dict[str, dict]:
    """A file for each graph, in LiteRT's own operations, with one signature of the graph's name."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as saved:
        write_saved_model(graphs, Path(saved))
        for graph in graphs:
            convert = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=[graph.name])
            convert.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            (folder / f"{graph.name}.tflite").write_bytes(convert.convert())
    return {
        graph.name: {"file": f"{graph.name}.tflite", "signature": graph.name} for graph in graphs
    }


def write_saved_model(graphs: list[Graph], folder: Path) -> dict[str, dict]:
    """One SavedModel with a signature for each graph."""
    import tensorflow as tf

    module = tf.Module()
    module.kept = [graph.concrete.variables for graph in graphs]
    signatures = {graph.name: graph.concrete for graph in graphs}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return {graph.name: {"signature": graph.name} for graph in graphs}


class Format(NamedTuple):
    """A format of exported graphs.

    Attributes:
        write: the writer.
        packages: what has to be installed.
        loop: how its encoder goes through a source.
        greedy: whether it holds a graph of a whole greedy search, too.
    """

    write: Callable[[list[Graph], Path], dict[str, dict]]
    packages: tuple[str, ...]
    loop: Callable = unroll
    greedy: bool = False


FORMATS = {
    "onnx": Format(write_onnx, ("tf2onnx", "onnx")),
    "litert": Format(write_litert, (), loop=run_without_lists),
    "saved_model": Format(write_saved_model, (), greedy=True),
}


def check_packages(format: str) -> None:
    """Raise a ValueError if a package that `format` needs can't be imported."""
    for name in FORMATS[format].packages:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ValueError(
                f"format={format} needs the package {name} ({error}): "
                "pip install 'keras-seq2seq[export]'"
            ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Capture the log of converters; it is shown if they fail."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    with tempfile.TemporaryFile() as output:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            with redirected_stderr(output):
                yield
        except BaseException:
            output.seek(0)
            os.write(2, output.read())
            raise
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
