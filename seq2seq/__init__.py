"""Recurrent encoder-decoder models in Keras 3, built on state passing.

The public names are loaded when they are first used: `import seq2seq` loads neither TensorFlow
nor Keras.
"""

import importlib

__version__ = "0.1.0"

_MODULES_OF = {
    "seq2seq.data": ["Batch", "Batches", "Example", "Numbers", "Task", "Vocabulary", "make_batch"],
    "seq2seq.decoding": [
        *("Beam", "Greedy", "Hypotheses", "Sample", "Regression", "search"),
        *("AllowTokens", "SuppressTokens", "Constraint", "Length", "Lexicon", "NoRepeat", "Prefix"),
    ],
    "seq2seq.inference.trace": ["Trace"],
    "seq2seq.inference.hypotheses": ["Hypothesis"],
    "seq2seq.inference.loading": ["ensemble", "load"],
    "seq2seq.inference.predictor": ["Predictor"],
    "seq2seq.inference.decoding_options": ["Decoding"],
    "seq2seq.export.graphs": ["export_graphs"],
    "seq2seq.layers": [
        *("LSTM", "GRU", "SimpleRNN", "Cell", "LSTMState", "RNNState"),
        *(
            "Bridge",
            "Copy",
            "Dense",
            "HiddenOnly",
            "LayerwiseDense",
            "LearnedInitialState",
            "TopLayer",
            "Zero",
        ),
        *(
            "Attention",
            "Additive",
            "Concat",
            "Dot",
            "General",
            "Local",
            "FixedContext",
            "RepeatVector",
            "Scaled",
        ),
    ],
    "seq2seq.models": [
        *("Decoder", "DecoderState", "Encoder", "Ensemble", "Memory", "Seq2Seq", "StepOutput"),
    ],
    "seq2seq.training.losses": ["cross_entropy", "squared_error"],
}
_WITHOUT_ENGINE = ("seq2seq.data", "seq2seq.inference.trace")
_MODULE_OF = {name: room for room, names in _MODULES_OF.items() for name in names}
_MODULES = {"states": "seq2seq.inference.states"}  # as in seq2seq.states.swap

__all__ = [*_MODULE_OF, *_MODULES]


def __getattr__(name: str):
    module_name = _MODULES.get(name) or _MODULE_OF.get(name)
    if module_name is None:
        raise AttributeError(f"module 'seq2seq' has no attribute {name!r}")
    if module_name not in _WITHOUT_ENGINE:
        from seq2seq.runtime.quiet import import_engine

        import_engine()
    module = importlib.import_module(module_name)
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
