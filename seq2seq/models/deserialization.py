"""Safe deserialization of a model from its serialized structure, which may be untrusted.

The structure is checked first: every part is a class of this package or of an extension that the
user trusts, or one of Keras's initializers and regularizers, and the weights have the shapes of the
stored ones. Nothing else is made, and nothing larger is ever allocated.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras

from seq2seq.layers.weight_settings import is_setting
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runtime.extensions import advise, find_extension

PACKAGE = "seq2seq"
TRAINING_KEYS = ("compile_config", "build_config")  # Keras's, beside the arguments of the parts


class ForeignPart(ValueError):
    """Error: a part of a model is no class of this package or of an extension."""


def make_model(structure: dict, shapes: Mapping[str, tuple[int, ...]]) -> Seq2Seq:
    """Make the model that `structure` describes, with fresh weights; it is not compiled.

    Args:
        structure: result of `keras.saving.serialize_keras_object` for a `Seq2Seq`.
        shapes: of the stored weights, by their paths.

    Raises:
        ForeignPart: a part is no class of this package or of an extension.
        ValueError: a part can't be made, or the model has other weights.
    """
    check_parts(structure, len(shapes))
    plain = _without_training(structure)
    with ThreadPoolExecutor(1) as thread:  # Keras's global state of it ends with the thread
        needed = thread.submit(_weight_shapes, plain).result()
    if missing := sorted(needed.keys() ^ shapes.keys()):
        raise ValueError(f"its weights and structure differ in {', '.join(missing[:3])}")
    for name, shape in needed.items():
        if shape != shapes[name]:
            raise ValueError(f"{name} has shape {shapes[name]}, the model needs {shape}")
    return _deserialize(plain)


def check_parts(part: Any, maximum: int) -> None:
    """Raise a ValueError if a serialised part is of another package, or has too many layers.

    Args:
        part: part of a structure.
        maximum: number of layers at most, since each has weights.
    """
    if isinstance(part, dict):
        if part.get("class_name") is not None or "registered_name" in part:
            _check_class(part)
        layers = part.get("layers")
        if isinstance(layers, int) and layers > maximum:
            raise ValueError(f"it has {layers} layers and weights for {maximum} at most")
        part = [value for key, value in part.items() if key not in TRAINING_KEYS]
    if isinstance(part, list):
        for child in part:
            check_parts(child, maximum)


def foreign_parts(part: Any) -> Iterator[tuple[str, str]]:
    """Yield module and class of each part of a structure that is of an extension."""
    if isinstance(part, dict):
        module = str(part.get("module"))
        if part.get("class_name") is not None and find_extension(module):
            yield module, part["class_name"]
        part = [value for key, value in part.items() if key not in TRAINING_KEYS]
    if isinstance(part, list):
        for child in part:
            yield from foreign_parts(child)


def _check_class(part: dict) -> None:
    name, module = part.get("registered_name"), str(part.get("module"))
    if _is_registered(part, PACKAGE) and module.split(".")[0] == PACKAGE:
        return
    if is_setting(part):
        return
    extension = find_extension(module)  # imports it, so that its classes are registered
    if extension and _is_registered(part, module):
        return
    advice = advise(module)
    if extension:
        advice = "decorate the class with @keras.saving.register_keras_serializable"
    raise ForeignPart(
        f"{part.get('class_name')!r} of the module {part.get('module')!r} is not a part of "
        f"this package (registered as {name!r})" + (f"; {advice}" if advice else "")
    )


def _is_registered(part: dict, module: str) -> bool:
    """Whether Keras knows the class of `part` by its name, and it stands in or below `module`."""
    name = part.get("registered_name")
    known = keras.saving.get_custom_objects().get(name) if isinstance(name, str) else None
    return (
        known is not None
        and part.get("class_name") == known.__name__
        and f"{known.__module__}.".startswith(f"{module}.")
    )


def _without_training(part: Any) -> Any:
    """Copy of `part` without the optimizer and loss of a compiled Keras model."""
    if isinstance(part, list):
        return [_without_training(child) for child in part]
    if not isinstance(part, dict):
        return part
    return {k: _without_training(v) for k, v in part.items() if k not in TRAINING_KEYS}


def _weight_shapes(structure: dict) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of a model, none of which is allocated."""
    with keras.StatelessScope(initialize_variables=False):
        model = _deserialize(structure)
        return {weight.path: tuple(weight.shape) for weight in model.weights}


def _deserialize(structure: dict) -> Seq2Seq:
    try:
        model = keras.saving.deserialize_keras_object(structure, safe_mode=True)
    except Exception as error:  # any error of a constructor with arguments of another type
        reason = " ".join(str(error).split())
        raise ValueError(f"its model can't be made: {type(error).__name__}: {reason}") from error
    if not isinstance(model, Seq2Seq):
        raise ValueError(f"it holds a {type(model).__name__}, a Seq2Seq was expected")
    return model
