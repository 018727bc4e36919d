"""The artefact `model.npz`: a trained model in one file of plain arrays and JSON.

It holds weights, the model's structure, vocabularies and decoding settings; no pickle. Files
appear whole or not at all.
"""

import io
import json
import os
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np

from seq2seq.data.tags import Side, from_config
from seq2seq.models.seq2seq import Seq2Seq

FORMAT = 1
HEADER = "header.json"
KEYS = ("model", "source", "target", "settings", "arrays")  # dictionaries in the header


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that it appears whole or not at all, also if the machine stops."""
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def save_model(
    path: Path,
    model: Seq2Seq,
    source: Side,
    target: Side,
    settings: dict,
) -> None:
    """Write `model` and all that prediction needs to `path`.

    Args:
        path: usually `model.npz` in a run directory.
        model: its weights and structure.
        source, target: how each side's text becomes numbers.
        settings: decoding settings and remarks, as JSON knows them.
    """
    arrays = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
    if len(arrays) < len(model.weights):
        raise ValueError(f"two weights of the model have one path; give its parts names: {path}")
    header = {
        "format": FORMAT,
        "model": keras.saving.serialize_keras_object(model),
        "source": source.to_config(),
        "target": target.to_config(),
        "settings": settings,
        "arrays": {name: [str(a.dtype), *a.shape] for name, a in arrays.items()},
    }
    encoded = np.frombuffer(json.dumps(header).encode(), "uint8")
    buffer = io.BytesIO()
    np.savez(buffer, **{HEADER: encoded, **arrays})
    write_whole(path, buffer.getvalue())


def load_model(path: Path) -> tuple[Seq2Seq, Side, Side, dict]:
    """What `save_model` wrote: the model with its weights, source, target and settings.

    Raises:
        ValueError: the file is missing, damaged or of another format; it says what is wrong.
    """
    header, arrays = read_arrays(path)
    check_modules(header["model"], path)
    try:
        model = keras.saving.deserialize_keras_object(header["model"])
        source, target = from_config(header["source"]), from_config(header["target"])
    except (TypeError, KeyError, AttributeError, ImportError) as error:
        raise ValueError(f"{path} is damaged: its header can't be read ({error!r})") from error
    weights = {weight.path: weight for weight in model.weights}
    if missing := sorted(weights.keys() ^ arrays.keys()):
        raise ValueError(f"{path} is damaged: its weights and structure differ in {missing[:3]}")
    for name, weight in weights.items():
        if tuple(weight.shape) != arrays[name].shape:
            raise ValueError(
                f"{path} is damaged: {name} has shape {arrays[name].shape}, the model "
                f"needs {tuple(weight.shape)}"
            )
        weight.assign(arrays[name])
    return model, source, target, header["settings"]


def read_arrays(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of an artefact."""
    if not path.is_file():
        raise ValueError(f"no such model file: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is damaged or no model file")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(HEADER).tobytes())
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged or no model file: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else None
        raise ValueError(f"{path} has format {found}, this version reads {FORMAT}")
    if missing := [key for key in KEYS if not isinstance(header.get(key), dict)]:
        raise ValueError(f"{path} is damaged: its header lacks {', '.join(missing)}")
    found = {name: [str(a.dtype), *a.shape] for name, a in arrays.items()}
    if found != header["arrays"]:
        wrong = sorted(
            k for k in found.keys() | header["arrays"] if found.get(k) != header["arrays"].get(k)
        )
        raise ValueError(f"{path} is damaged: arrays differ from its header: {wrong[:3]}")
    return header, arrays


def check_modules(config: object, path: Path) -> None:
    """Raise a ValueError if a serialised object comes from elsewhere than seq2seq or Keras."""
    if isinstance(config, dict):
        module = config.get("module")
        if module and str(module).split(".")[0] not in ("seq2seq", "keras"):
            raise ValueError(f"{path} names the module {module!r}; only seq2seq and keras may be")
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            check_modules(part, path)
