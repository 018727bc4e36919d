"""Export to ONNX, LiteRT and SavedModel: a folder of graphs that run without this package.

The folder holds an encoder and a step (and, as a SavedModel, a whole greedy search), and
`header.json`, which specifies everything else that decoding needs. docs/export.md shows how.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras

from seq2seq.export.formats import FORMATS, check_packages, quiet
from seq2seq.export.signatures import Graph, trace
from seq2seq.inference.predictor import Predictor
from seq2seq.models.deserialization import foreign_parts
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.atomic import UMASK, where_supported
from seq2seq.runtime.validation import check_choice
from seq2seq.runtime.vocabulary import PAD, UNKNOWN

VERSION = 1  # of header.json


def export_graphs(predictor: Predictor, format: str, path: str | Path) -> Path:
    """Write the graphs of a trained model, and a header, to a new folder.

    They compute in float32 and take any batch size and any source length. Greedy decoding with them
    predicts what `predictor.predict` does by default.

    Args:
        predictor: as `seq2seq.load` returns it.
        format: `"onnx"`, for onnxruntime; `"litert"`, for LiteRT (TensorFlow Lite) without its Flex
            operations; `"saved_model"`, for TensorFlow.
        path: the folder; it appears whole or not at all.

    Returns:
        The folder.

    Raises:
        ValueError: the folder exists; the format is unknown or needs a package that is not
            installed; Keras runs on another engine than TensorFlow; a part of the model is of an
            extension (SavedModel takes those); or there is not one model.
    """
    path = Path(path).expanduser()
    check_choice("format", format, FORMATS)
    if path.exists() or path.is_symlink():
        raise ValueError(f"{path} exists already; choose another folder, or remove it first")
    engine = keras.backend.backend()
    if engine != "tensorflow":
        raise ValueError(
            f"graphs are exported with TensorFlow, and Keras runs on {engine} here: set "
            "KERAS_BACKEND=tensorflow (it loads what was trained on any engine)"
        )
    if not isinstance(predictor.model, Seq2Seq):
        kind = type(predictor.model).__name__
        raise ValueError(f"one Seq2Seq is exported, got {kind}; export each model by itself")
    kind = FORMATS[format]
    _check_parts(predictor.model, format)
    check_packages(format)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole_folder(path) as folder, quiet():
        graphs = trace(predictor.model, kind.loop, kind.greedy)
        files = kind.write(graphs, folder)
        header = json.dumps(describe(predictor, format, graphs, files), indent=2)
        (folder / "header.json").write_text(header + "\n", "utf-8")
    return path


def _check_parts(model: Seq2Seq, format: str) -> None:
    """Raise a ValueError if a part is of an extension, whose operations `format` may lack."""
    if format == "saved_model":  # TensorFlow's own operations
        return
    for module, name in foreign_parts(keras.saving.serialize_keras_object(model)):
        raise ValueError(
            f"{module}.{name} is no part of this package: format={format} supports those of this "
            "package only; format=saved_model takes any"
        )


def describe(
    predictor: Predictor, format: str, graphs: list[Graph], files: dict[str, dict]
) -> dict:
    """Make the content of `header.json`.

    Args:
        predictor: the exported model.
        format: of the graphs.
        graphs: the written graphs.
        files: of each graph, as a writer returns them.
    """
    return {
        "format": format,
        "version": VERSION,
        "source": predictor.source.to_config(),
        "target": predictor.target.to_config(),
        "pad_id": PAD,
        "start_id": predictor.model.start_id,
        "end_id": predictor.model.end_id,
        "unknown_id": UNKNOWN,
        "settings": {**predictor.settings, "decoding": predictor.decoding.to_config()},
        "graphs": {
            graph.name: {
                **files[graph.name],
                "inputs": [port._asdict() for port in graph.inputs],
                "outputs": [port._asdict() for port in graph.outputs],
            }
            for graph in graphs
        },
    }


@contextlib.contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write in, which becomes `path` at the end; if anything fails, nothing remains."""
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield folder
        where_supported(folder.chmod, 0o777 & ~UMASK)
        try:
            folder.rename(path)
        except OSError as error:
            if not path.exists():
                raise
            raise ValueError(f"{path} exists already: another export has written it") from error
    except BaseException:
        shutil.rmtree(folder)
        raise
