"""From a model's trace of a batch to a `Trace`: named layers, symbols, and no padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seq2seq.data.batching import delay, pad
from seq2seq.decoding.search import Hypotheses
from seq2seq.inference.trace import BACKWARDS, Layer, Trace
from seq2seq.models.seq2seq import ModelTrace, Seq2Seq
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import END, SPECIALS, START


def make_trace(
    model: Seq2Seq,
    sides: tuple[Codec, Codec],
    texts: Sequence[str],
    arrays: dict[str, np.ndarray],
    found: Hypotheses,
    gates: bool,
    top: int,
) -> Trace:
    """The trace of the best answers to some sources.

    Args:
        model: what found the answers.
        sides: how source and target become numbers.
        texts: the sources.
        arrays: what the model is given of them; it may have more rows, which are left out.
        found: the answers; it may have as many rows.
        gates: whether the gates are kept.
        top: how many of the likeliest symbols are kept.

    Raises:
        ValueError: an answer has no step.
    """
    source, target = sides
    batch, values = len(texts), isinstance(target, Numbers)
    arrays = {name: array[:batch] for name, array in arrays.items()}
    rows = [_numbers_said(found, row, values) for row in range(batch)]
    for number, row in enumerate(rows, 1):
        if not len(row):
            raise ValueError(f"the answer to source {number} has no step: there is nothing to see")
    target_out, target_mask = pad(rows)
    read = delay(target_out, target_mask, 0 if values else START)
    model_trace = model.trace({**arrays, "target": read})
    masks = [mask[:, : mask.sum(1).max()] for mask in (arrays["source_mask"], target_mask)]
    tokens = [source.tokens(text) for text in texts]
    return Trace(
        sources=[_name_source(source, own) for own in tokens],
        outputs=[_name_output(target, row, own) for row, own in zip(rows, tokens, strict=True)],
        **_name_layers(model, model_trace, masks, gates),
        attention=None
        if model_trace.attention is None
        else _cut(model_trace.attention, *masks[::-1]),
        **({} if values else _rank(_cut(model_trace.outputs, masks[1]), rows, target, tokens, top)),
        bridge=type(model.bridge).__name__,
        tags=[source.split(text)[1] for text in texts] if isinstance(source, Tagged) else None,
    )


def _numbers_said(found: Hypotheses, row: int, values: bool) -> Any:
    """Token numbers of the best answer and its end, or its values."""
    said = found.tokens[row, 0, : found.lengths[row, 0]]
    if values:
        return np.array(said)
    if not np.isfinite(found.scores[row, 0]):  # the constraints left no answer
        return []
    return [*said.tolist(), *([END] if found.ended[row, 0] else [])]


def _name_source(source: Codec, tokens: list) -> list[str]:
    if isinstance(source, Numbers):
        return [source.join([step]) for step in tokens]
    return [*tokens, SPECIALS[END]]


def _name_output(target: Codec, row: Any, copied: list) -> list[str]:
    if isinstance(target, Numbers):
        return [target.join([step]) for step in target.decode_tokens(row)]
    return [_name(target, number, copied) for number in row]


def _name(target: Codec, number: int, copied: list) -> str:
    return target.symbols[number] if number < len(target) else copied[number - len(target)]


def _name_layers(model: Seq2Seq, model_trace: ModelTrace, masks: list, gates: bool) -> dict:
    """The four lists of layers that a trace has."""
    stack, backwards = model.encoder.stack, model.encoder.backwards
    ways = ["", BACKWARDS] if stack.bidirectional else [BACKWARDS if backwards else ""]
    encoder = [f"encoder {n}{way}" for n in range(1, stack.num_layers + 1) for way in ways]
    decoder = [f"decoder {n}" for n in range(1, model.decoder.num_layers + 1)]

    def follow(names, followed, mask):
        layers = []
        for name, one in zip(names, followed, strict=True):
            states = {key: _cut(array, mask) for key, array in one.states._asdict().items()}
            opened = one.gates._asdict() if gates and one.gates else {}
            opened = {key: _cut(array, mask) for key, array in opened.items()}
            layers.append(Layer(name, **states, gates=opened or None))
        return layers

    def hand(names, states, ways):
        layers = []
        for place, name in enumerate(names):
            state, way = states[place // ways], place % ways
            parts = {key: np.split(_array(a), ways, -1)[way] for key, a in state._asdict().items()}
            layers.append(Layer(name, **parts))
        return layers

    return {
        "encoder": follow(encoder, model_trace.encoder, masks[0]),
        "handed_over": hand(encoder, model_trace.handed_over, len(ways)),
        "received": hand(decoder, model_trace.received, 1),
        "decoder": follow(decoder, model_trace.decoder, masks[1]),
    }


def _rank(said: np.ndarray, rows: list, target: Codec, tokens: list, top: int) -> dict:
    """Probabilities of what was said, and the likeliest symbols, from (batch, time, symbols)."""
    numbers, _ = pad(rows, said.shape[1])
    order = said.copy()
    for row, own in enumerate(tokens):
        order[row, :, len(target) + len(own) :] = -1  # a pointer's places that are no symbols
    best = np.argsort(-order, axis=-1, kind="stable")[..., : min(top, len(target))]
    return {
        "probabilities": np.take_along_axis(said, numbers[..., None], -1)[..., 0],
        "top_symbols": [
            [[_name(target, n, tokens[row]) for n in step] for step in best[row, : len(said)]]
            for row, said in enumerate(rows)
        ],
        "top_probabilities": np.take_along_axis(said, best, -1),
    }


def _array(tensor: Any) -> np.ndarray:
    return ops.convert_to_numpy(tensor).astype("float32")


def _cut(tensor: Any, mask: np.ndarray, across: np.ndarray | None = None) -> np.ndarray:
    """(batch, time, ...) as long as `mask` (batch, time) is, zero where that is False.

    Args:
        tensor: what is cut.
        mask: of its time axis.
        across: of the axis after, or None.
    """
    array = np.where(mask[..., None], _array(tensor)[:, : mask.shape[1]], 0)
    if across is None:
        return array
    return np.where(across[:, None], array[:, :, : across.shape[1]], 0)
