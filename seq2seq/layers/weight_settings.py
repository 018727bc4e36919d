"""Initializers and regularizers of weights: names or objects of Keras, serialized."""

import inspect
from typing import Any

import keras

from seq2seq.runtime.validation import check_choice

Initializer = str | dict | keras.initializers.Initializer | None
Regularizer = str | dict | keras.regularizers.Regularizer | None
KINDS = {  # the last word of an argument: Keras's module, and the base class of what it holds
    "initializer": (keras.initializers, keras.initializers.Initializer),
    "regularizer": (keras.regularizers, keras.regularizers.Regularizer),
}


def serialize_setting(argument: str, value: Initializer | Regularizer) -> str | dict | None:
    """Serialize an initializer or a regularizer; a name, and None for Keras's default, stay.

    Args:
        argument: its name, as `kernel_initializer`.
        value: a name of Keras's, an object, or what this function returned.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    module, base = KINDS[argument.rpartition("_")[2]]
    if isinstance(value, str):
        return check_choice(
            argument, value, [name for name in dir(module) if find_class(module, name)]
        )
    if isinstance(value, dict):
        value = keras.saving.deserialize_keras_object(value)
    if not isinstance(value, base):
        raise ValueError(
            f"{argument} must be a keras.{base.__name__}, its name, or None, got {value!r}"
        )
    return keras.saving.serialize_keras_object(value)


def find_class(module: Any, name: Any) -> type | None:
    """The initializer or regularizer of Keras's `module` with this name; None: there is none."""
    bases = [base for kind, base in KINDS.values() if kind is module]
    cls = getattr(module, name, None) if bases and isinstance(name, str) else None
    return cls if inspect.isclass(cls) and issubclass(cls, bases[0]) else None


def is_setting(part: dict) -> bool:
    """Whether a serialized part is one of Keras's own initializers or regularizers."""
    modules = {kind.__name__: kind for kind, _ in KINDS.values()}
    module = modules.get(part.get("module")) if isinstance(part.get("module"), str) else None
    return part.get("registered_name") is None and bool(find_class(module, part.get("class_name")))
