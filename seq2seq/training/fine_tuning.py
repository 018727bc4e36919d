"""Fine-tuning: training that starts from the weights of an earlier model, and frozen parts."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from seq2seq.data.task import Task
from seq2seq.inference.loading import load
from seq2seq.inference.predictor import Predictor
from seq2seq.layers.cell import WEIGHT_SETTINGS
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.files import MODEL
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.validation import check_choice, check_path
from seq2seq.runtime.vocabulary import SPECIALS, Vocabulary

# Arguments of a model's parts that its weights fit whatever they are.
FREE = (
    *("name", "dtype", "trainable", "frozen", "allow_uninformed"),
    *("vocabulary_size", "tags"),  # rows are copied by symbol
    *("dropout", "recurrent_dropout", "output_dropout", "variational", "forget_bias"),
    *("embeddings_initializer", "embeddings_regularizer", *WEIGHT_SETTINGS),
)
SHOWN = 5  # symbols of a note


class Pretrained(NamedTuple):
    """Earlier model whose weights training starts from.

    Attributes:
        predictor: the model with its vocabularies.
        origin: path and SHA-256 of its `model.npz`, for `environment.json`.
    """

    predictor: Predictor
    origin: dict[str, str]


def load_pretrained(path: object) -> Pretrained:
    """Load the model of a run directory or a `model.npz`, with the safety of `load`.

    Raises:
        ValueError: it can't be loaded.
    """
    chosen = check_path("init_from", path)
    try:
        predictor = load(chosen)
    except ValueError as error:
        raise ValueError(f"init_from={path}: {error}") from error
    file = chosen / MODEL if chosen.is_dir() else chosen
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Pretrained(predictor, {"path": str(file), "sha256": digest})


def extend_vocabularies(task: Task, earlier: Predictor) -> Task:
    """Copy of `task` whose sides have also the symbols and tags of an earlier model.

    Real values are scaled as the earlier model was trained to read them.

    Raises:
        ValueError: a side is of another kind, or is split in another way.
    """
    extended = copy.copy(task)  # the task may be an object of the user's
    for side in ("source", "target"):
        codec = getattr(task, side)
        if (longer := _extend(side, codec, getattr(earlier, side))) is not codec:
            setattr(extended, side, longer)
    return extended


def _extend(side: str, codec: Codec, earlier: Codec) -> Codec:
    if isinstance(codec, Tagged) and isinstance(earlier, Tagged):
        symbols = _extend(side, codec.symbols, earlier.symbols)
        tags = _missing(codec.tags, earlier.tags)
        if symbols is codec.symbols and not tags:
            return codec
        return Tagged(symbols, [*codec.tags, *tags], codec.separator)
    kinds = [_describe(codec), _describe(earlier)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"the {side} of the earlier model is {kinds[1]}, that of this task {kinds[0]}; "
            "init_from needs the same"
        )
    if isinstance(codec, Numbers):
        return earlier
    missing = _missing(_learned(codec), _learned(earlier))
    if not missing:
        return codec
    return Vocabulary([*_learned(codec), *missing], codec.tokenizer, codec.normalization)


def _missing(symbols: Sequence[str], earlier: Sequence[str]) -> list[str]:
    known = {*symbols}
    return [symbol for symbol in earlier if symbol not in known]


def _describe(codec: Codec) -> str:
    if isinstance(codec, Tagged):
        return "text with tags"
    if isinstance(codec, Numbers):
        return f"real values, {codec.features} a step"
    return f"made of {codec.tokenizer}"


def _learned(vocabulary: Vocabulary) -> tuple[str, ...]:
    return vocabulary.symbols[len(SPECIALS) :]


def copy_weights(model: Seq2Seq, task: Task, earlier: Predictor) -> list[str]:
    """Set the weights of `model` to those of an earlier one.

    Rows of embeddings, and columns of the readout, belong to symbols and are copied by symbol;
    those of new symbols stay as they are. All other weights have equal shapes.

    Args:
        model: with fresh weights.
        task: of `model`.
        earlier: the earlier model with its vocabularies.

    Returns:
        For each vocabulary, its numbers of copied and of fresh symbols.

    Raises:
        ValueError: the models differ otherwise; the first difference is named.
    """
    check_structure(model, earlier.model)
    tables = dict(_symbol_tables(task, earlier))
    axes = _symbol_axes(model)
    for weight, stored in zip(model.weights, earlier.model.weights, strict=True):
        values = keras.ops.convert_to_numpy(stored)
        if weight.path in axes:
            axis, name = axes[weight.path]
            new, old = _common(*tables[name])
            rows = np.moveaxis(np.array(weight), axis, 0)
            rows[new] = np.moveaxis(values, axis, 0)[old]
            values = np.moveaxis(rows, 0, axis)
        weight.assign(values)
    return [_count(name, *pair) for name, pair in tables.items()]


def check_structure(model: Seq2Seq, earlier: Seq2Seq) -> None:
    """Raise a ValueError that names the first difference by which weights do not fit."""
    settings, known = (dict(_settings(m.get_config())) for m in (model, earlier))
    for name in {**settings, **known}:
        value, earlier_value = settings.get(name), known.get(name)
        if value != earlier_value:
            raise ValueError(
                f"init_from: the earlier model has {name}={earlier_value}, this one "
                f"{name}={value}; choose the same"
            )


def _settings(config: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings of a serialized part that its weights depend on, by dotted name."""
    for key, value in config.items():
        name = prefix + key
        if key in FREE:
            continue
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            yield name, value.get("class_name")
            yield from _settings(value["config"], f"{name}.")
        elif isinstance(value, dict):
            yield from _settings(value, f"{name}.")
        else:
            yield name, value


def _symbol_axes(model: Seq2Seq) -> dict[str, tuple[int, str]]:
    """Axis and vocabulary of each weight that has a part for each symbol, by the weight's path."""
    encoder, decoder, axes = model.encoder, model.decoder, {}
    if decoder.features is None:
        axes |= {weight.path: (-1, "target") for weight in decoder.readout.symbol_weights}
        if decoder.input_embedding is not None:
            axes[decoder.input_embedding.embedding.embeddings.path] = (0, "target")
    if encoder.features is None:
        axes[encoder.input_embedding.embedding.embeddings.path] = (0, "source")
    if decoder.tags:
        axes[decoder.tag_embedding.kernel.path] = (0, "tags")
    return axes


def _symbol_tables(task: Task, earlier: Predictor) -> Iterator[tuple[str, tuple[list, list]]]:
    """Symbols of the task and of the earlier model, in the order of their ids."""
    for side in ("source", "target"):
        pair = (getattr(task, side), getattr(earlier, side))
        if isinstance(pair[0], Tagged):
            yield "tags", tuple([*codec.tags] for codec in pair)
            pair = tuple(codec.symbols for codec in pair)
        if isinstance(pair[0], Vocabulary):
            # A special symbol's name may be a symbol of the text, too.
            yield side, tuple([*range(len(SPECIALS)), *_learned(codec)] for codec in pair)


def _common(symbols: list, earlier: list) -> tuple[list[int], list[int]]:
    """Positions of the common symbols in both lists.

    >>> _common(["a", "c", "d"], ["d", "b", "a"])
    ([0, 2], [2, 0])
    """
    positions = {symbol: position for position, symbol in enumerate(earlier)}
    new = [position for position, symbol in enumerate(symbols) if symbol in positions]
    return new, [positions[symbols[position]] for position in new]


def _count(name: str, symbols: list, earlier: list) -> str:
    fresh = _missing(earlier, symbols)
    copied = sum(isinstance(symbol, str) for symbol in symbols) - len(fresh)
    shown = ", ".join(map(repr, fresh[:SHOWN])) + (", ..." if fresh[SHOWN:] else "")
    kind = name if name == "tags" else f"{name} symbols"
    return f"{kind}: {copied:,} kept, {len(fresh):,} fresh" + (f" ({shown})" if fresh else "")


def freeze(model: Seq2Seq, names: list[str]) -> None:
    """Freeze parts of `model`: their weights are not trained.

    Args:
        model: not compiled.
        names: of parts, `encoder`, `bridge` or `decoder`, or of a layer inside, as
            `encoder.embedding`.

    Raises:
        ValueError: an unknown name, or no weights are left to train.
    """
    if not isinstance(names, list | tuple):
        raise ValueError(f"freeze must be a list of parts, as freeze=[encoder], got {names!r}")
    parts = dict(_parts(model))
    for name in names:
        check_choice("part in freeze", name, parts)
    for name in names:
        parts[name].trainable = False
    if not model.trainable_variables:
        raise ValueError(
            f"freeze=[{','.join(names)}] leaves no weights to train; freeze fewer parts"
        )


def _parts(model: Seq2Seq) -> Iterator[tuple[str, keras.layers.Layer]]:
    for name in ("encoder", "bridge", "decoder"):
        part = getattr(model, name)
        yield name, part
        yield from ((f"{name}.{layer.name}", layer) for layer in _layers(part))


def _layers(part: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Layers with weights inside `part`, down to recurrent layers."""
    for layer in part._layers:
        if layer.weights:
            yield layer
        if not isinstance(layer, keras.layers.RNN):
            yield from _layers(layer)
