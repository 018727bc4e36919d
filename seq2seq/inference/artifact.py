"""The artefact `model.npz`: a trained model in one file of plain arrays and JSON.

It holds weights, the model's structure, vocabularies and decoding settings, each with its checksum;
no pickle. It is read by `seq2seq.runtime`, which needs NumPy only.
"""

import io
import json
import logging
import re
from pathlib import Path

import keras
import numpy as np

from seq2seq.models.deserialization import ForeignPart, check_parts, foreign_parts, make_model
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.atomic import write_whole
from seq2seq.runtime.codec import Codec, make_codec
from seq2seq.runtime.escaping import printable
from seq2seq.runtime.extensions import ForeignClass, describe_extensions
from seq2seq.runtime.file_format import DIGEST, FORMAT, HEADER, SCALE, WEIGHTS, read_artifact
from seq2seq.runtime.manifest import checksum
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.validation import check_choice
from seq2seq.runtime.vocabulary import END, START, Vocabulary

logger = logging.getLogger("seq2seq")
EXTENSIONS = "extensions"  # key of the header, of models that need some


def save_model(
    path: Path,
    model: Seq2Seq,
    source: Codec,
    target: Codec,
    settings: dict,
    weights: str = "float32",
) -> None:
    """Write `model` and all that prediction needs to `path`.

    Args:
        path: usually `model.npz` in a run directory.
        model: its weights and structure.
        source, target: codecs of the two sides.
        settings: decoding settings and remarks, for JSON.
        weights: dtype of the stored weights: `"float32"`, unchanged; `"float16"`, half the size; or
            `"int8"`, matrices of a quarter of the size with a scale for each column.

    Raises:
        ValueError: an unknown kind of weights, a part that is not of this package, two weights of
            one path, or weights that are too large for float16.
    """
    check_choice("weights", weights, WEIGHTS)
    structure = describe_model(model)
    arrays = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
    if len(arrays) < len(model.weights):
        raise ValueError(f"two weights of the model have one path; give its parts names: {path}")
    arrays = shrink(arrays, weights)
    header = {
        "format": FORMAT,
        "weights": weights,
        "model": structure,
        "source": source.to_config(),
        "target": target.to_config(),
        "settings": settings,
    }
    if needed := describe_extensions(foreign_modules(structure, settings)):
        header[EXTENSIONS] = needed
    write_arrays(path, header, arrays)


def describe_model(model: Seq2Seq) -> dict:
    """Serialize the structure of `model`, for `make_model`.

    Raises:
        ValueError: it is no `Seq2Seq`, a part is not of this package or of an extension, or a
            weight has no name.
    """
    if not isinstance(model, Seq2Seq):
        kind = type(model).__name__
        raise ValueError(f"model.npz holds one Seq2Seq, got {kind}; save each model by itself")
    if unnamed := [w.path for w in model.weights if re.fullmatch(r"variable(_\d+)?", w.name)]:
        raise ValueError(
            f"the weight {unnamed[0]} has no name by which it is found again; give one to "
            "add_weight(name=...)"
        )
    structure = keras.saving.serialize_keras_object(model)
    try:
        check_parts(structure, len(model.weights))
    except ForeignPart as error:
        raise ValueError(
            f"{error}: no program could load model.npz; model.save('model.keras') keeps the Keras "
            "model, and keras.models.load_model loads it where the class is registered"
        ) from None
    return structure


def foreign_modules(structure: dict, settings: dict) -> list[str]:
    """Modules of the parts of a model, and of its search strategy, that are of extensions."""
    strategy = settings.get("decoding", {}).get("strategy", {})
    targets = [strategy["_target_"].rpartition(".")[0]] if "_target_" in strategy else []
    return [*(module for module, _ in foreign_parts(structure)), *targets]


def write_arrays(path: Path, header: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays and a JSON header to one file atomically, with checksums for both.

    Args:
        path: of the file, a `.npz`.
        header: for JSON; the arrays' shapes and checksums are added.
        arrays: of plain numbers, in C order.
    """
    header = {
        **header,
        "arrays": {name: [str(a.dtype), *a.shape] for name, a in arrays.items()},
        "checksums": {name: checksum(a.tobytes()) for name, a in arrays.items()},
    }
    encoded = json.dumps(header).encode()
    texts = {HEADER: encoded, DIGEST: checksum(encoded).encode()}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.frombuffer(t, "uint8") for name, t in texts.items()}, **arrays)
    write_whole(path, buffer.getvalue())


def shrink(arrays: dict[str, np.ndarray], weights: str) -> dict[str, np.ndarray]:
    """Convert `arrays` to the dtype `weights`; scales have the name of their array and SCALE.

    >>> small = shrink({"kernel": np.array([[1.0, 0.0], [-0.5, 0.0]], "float32")}, "int8")
    >>> small["kernel"].tolist(), small["kernel:scale"].tolist()
    ([[127, 0], [-64, 0]], [0.007874015718698502, 1.0])
    """
    small = {}
    for name, array in arrays.items():
        if weights == "float16" and array.dtype == "float32":
            if np.abs(array).max(initial=0) > np.finfo("float16").max:
                raise ValueError(f"{name} is too large for float16; choose weights=float32")
            array = array.astype("float16")
        elif weights == "int8" and array.ndim >= 2:
            largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))  # of each column
            scale = np.where(largest > 0, largest / 127, 1.0).astype("float32")
            array, small[name + SCALE] = np.round(array / scale).astype("int8"), scale
        small[name] = np.ascontiguousarray(array)
    return small


def load_model(path: Path) -> tuple[Seq2Seq, Codec, Codec, dict]:
    """Load a file of `save_model`: the model with its weights, source, target and settings.

    Raises:
        ValueError: the file is missing, damaged or of another format.
    """
    header, arrays = read_artifact(path)
    try:
        source, target = make_codec(header["source"]), make_codec(header["target"])
        needed = _read_extensions(header)
        model = make_model(header["model"], {name: array.shape for name, array in arrays.items()})
        _check_sides(model, source, target)
    except (ForeignPart, ForeignClass) as error:
        packages = printable(", ".join(filter(None, needed.values())))
        saved = f" (it was saved with {packages})" if packages else ""
        raise ValueError(f"{path} can't be loaded: {error}{saved}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = error if type(error) is ValueError else f"its header can't be read ({error!r})"
        raise ValueError(f"{path} is damaged: {reason}") from error
    for weight in model.weights:
        if not np.isfinite(arrays[weight.path]).all():
            raise ValueError(f"{path} is damaged: {weight.path} holds values that are not finite")
        weight.assign(arrays[weight.path])
    installed = describe_extensions(needed)
    for name in installed.keys() & needed:
        earlier, current = needed[name] or "a file", installed[name] or "a file"
        if earlier != current:
            logger.warning(
                "warning: %s was saved with %s of %s, and is loaded with %s",
                *(path, name, printable(earlier), current),
            )
    return model, source, target, header["settings"]


def _read_extensions(header: dict) -> dict[str, str | None]:
    """Distributions of the extensions that a model needs, by their modules."""
    needed = header.get(EXTENSIONS, {})
    if not isinstance(needed, dict) or not all(
        isinstance(package, str | None) for package in needed.values()
    ):
        raise ValueError("its extensions must be texts by module")
    return needed


def _check_sides(model: Seq2Seq, source: Codec, target: Codec) -> None:
    """Raise a ValueError if the sides have other sizes than the model was made for."""
    symbols, tags = (
        (source.symbols, len(source.tags)) if isinstance(source, Tagged) else (source, None)
    )
    needed = [model.encoder.vocabulary_size, model.decoder.vocabulary_size, model.decoder.tags]
    sizes = [len(side) if isinstance(side, Vocabulary) else None for side in (symbols, target)]
    needed += [model.encoder.features, model.decoder.features]
    features = [side.features if isinstance(side, Numbers) else None for side in (symbols, target)]
    if (model.start_id, model.end_id) != (START, END):
        raise ValueError(f"its model starts and ends with {model.start_id} and {model.end_id}")
    if needed != [*sizes, tags, *features]:
        raise ValueError(
            f"its model needs sides of {needed[:2]} symbols, {needed[3:]} values and "
            f"{needed[2]} tags, and has {sizes}, {features} and {tags}"
        )
