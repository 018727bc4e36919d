"""Recurrent encoder-decoder models in Keras 3, built on state passing.

The public names, which `__init__.pyi` lists, are loaded when they are first used: `import seq2seq`
loads neither TensorFlow nor Keras.
"""

import importlib
from typing import Any

import lazy_loader

__version__ = "0.1.0"

_NEED_NO_ENGINE = {
    *("Batch", "Batches", "Example", "Numbers", "Pairs", "Task", "Trace", "Vocabulary"),
    *("allow", "make_batch", "register_metrics"),
}
_load, _list_names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ and name not in _NEED_NO_ENGINE:
        from seq2seq.runtime.quiet import import_engine

        import_engine()
    if name == "states":  # a module
        return importlib.import_module("seq2seq.inference.states")
    return _load(name)


def __dir__() -> list[str]:
    return [*_list_names(), "__version__"]
