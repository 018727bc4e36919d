"""Traces: the recorded arrays of a batch, with named layers, symbols, and no padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from seq2seq.data.batching import EncodedSource, pad, shift_right, stack_sources
from seq2seq.decoding.search import Hypotheses
from seq2seq.inference.trace import BACKWARDS, Layer, Trace
from seq2seq.models.seq2seq import ModelTrace, Seq2Seq
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.vocabulary import END, SPECIALS, START


def make_trace(
    predictor: Any,
    texts: Sequence[str],
    sources: Sequence[EncodedSource],
    hypotheses: Hypotheses,
    gates: bool,
    top: int,
) -> Trace:
    """Trace the best answers to some sources.

    Args:
        predictor: a `Predictor` of a `Seq2Seq`.
        texts: the sources.
        sources: the same, encoded.
        hypotheses: the answers; further rows are ignored.
        gates: whether gates are recorded.
        top: number of the likeliest symbols that are recorded.

    Raises:
        ValueError: an answer has no step.
    """
    model, source, target = predictor.model, predictor.source, predictor.target
    is_regression = isinstance(target, Numbers)
    rows = [_read_ids(hypotheses, row, is_regression) for row in range(len(sources))]
    for number, row in enumerate(rows, 1):
        if not len(row):
            raise ValueError(
                f"the answer to source {number} has no step: there is nothing to trace"
            )
    labels, target_mask = pad(rows)
    inputs = stack_sources(sources)
    target_in = shift_right(labels, target_mask, 0 if is_regression else START)
    model_trace = model.trace({**inputs, "target": target_in})
    masks = [mask[:, : mask.sum(1).max()] for mask in (inputs["source_mask"], target_mask)]
    tokens = [encoded.tokens for encoded in sources]
    attention, likeliest = model_trace.attention, {}
    if not is_regression:
        likeliest = _rank(_cut(model_trace.outputs, masks[1]), rows, target, tokens, top)
    return Trace(
        sources=[_name_source(source, each) for each in tokens],
        outputs=[_name_output(target, *pair) for pair in zip(rows, tokens, strict=True)],
        **_name_layers(model, model_trace, masks, gates),
        attention=None if attention is None else _cut(attention, *masks[::-1]),
        **likeliest,
        bridge=type(model.bridge).__name__,
        tags=[source.split(text)[1] for text in texts] if isinstance(source, Tagged) else None,
    )


def _read_ids(hypotheses: Hypotheses, row: int, is_regression: bool) -> Any:
    """Ids of the best answer and its end, or its values."""
    ids = hypotheses.tokens[row, 0, : hypotheses.lengths[row, 0]]
    if is_regression:
        return np.array(ids)
    if not np.isfinite(hypotheses.scores[row, 0]):  # the constraints left no answer
        return []
    return [*ids.tolist(), *([END] if hypotheses.ended[row, 0] else [])]


def _name_source(source: Codec, tokens: list) -> list[str]:
    if isinstance(source, Numbers):
        return [source.join([step]) for step in tokens]
    return [*tokens, SPECIALS[END]]


def _name_output(target: Codec, row: Any, source_tokens: list) -> list[str]:
    if isinstance(target, Numbers):
        return [target.join([step]) for step in target.decode_tokens(row)]
    return [_name(target, number, source_tokens) for number in row]


def _name(target: Codec, number: int, source_tokens: list) -> str:
    size = len(target)
    return target.symbols[number] if number < size else source_tokens[number - size]


def _name_layers(model: Seq2Seq, model_trace: ModelTrace, masks: list, gates: bool) -> dict:
    """The four lists of layers of a trace."""
    stack, backwards = model.encoder.stack, model.encoder.backwards
    suffixes = ["", BACKWARDS] if stack.bidirectional else [BACKWARDS if backwards else ""]
    encoder = [
        f"encoder {n}{suffix}" for n in range(1, stack.num_layers + 1) for suffix in suffixes
    ]
    decoder = [f"decoder {n}" for n in range(1, model.decoder.num_layers + 1)]

    def name_traces(names, traces, mask):
        layers = []
        for name, trace in zip(names, traces, strict=True):
            states = {key: _cut(array, mask) for key, array in trace.states._asdict().items()}
            arrays = trace.gates._asdict() if gates and trace.gates is not None else {}
            arrays = {key: _cut(array, mask) for key, array in arrays.items()}
            layers.append(Layer(name, **states, gates=arrays or None))
        return layers

    def name_states(names, states, directions):
        layers = []
        for number, name in enumerate(names):
            layer, direction = divmod(number, directions)
            arrays = {
                key: np.split(_to_array(array), directions, -1)[direction]
                for key, array in states[layer]._asdict().items()
            }
            layers.append(Layer(name, **arrays))
        return layers

    return {
        "encoder": name_traces(encoder, model_trace.encoder, masks[0]),
        "handed_over": name_states(encoder, model_trace.handed_over, len(suffixes)),
        "received": name_states(decoder, model_trace.received, 1),
        "decoder": name_traces(decoder, model_trace.decoder, masks[1]),
    }


def _rank(outputs: np.ndarray, rows: list, target: Codec, tokens: list, top: int) -> dict:
    """Probabilities of the answers and the likeliest symbols, from (batch, time, symbols)."""
    ids, _ = pad(rows, outputs.shape[1])
    order = outputs.copy()
    for row, source_tokens in enumerate(tokens):
        # Positions of a pointer beyond the source are no symbols.
        order[row, :, len(target) + len(source_tokens) :] = -1
    best = np.argsort(-order, axis=-1, kind="stable")[..., : min(top, len(target))]
    return {
        "probabilities": np.take_along_axis(outputs, ids[..., None], -1)[..., 0],
        "top_symbols": [
            [[_name(target, n, tokens[row]) for n in step] for step in best[row, : len(ids_of_row)]]
            for row, ids_of_row in enumerate(rows)
        ],
        "top_probabilities": np.take_along_axis(outputs, best, -1),
    }


def _to_array(tensor: Any) -> np.ndarray:
    return ops.convert_to_numpy(tensor).astype("float32")


def _cut(tensor: Any, mask: np.ndarray, source_mask: np.ndarray | None = None) -> np.ndarray:
    """Cut (batch, time, ...) to the length of `mask` (batch, time), zero where that is False.

    Args:
        tensor: the tensor.
        mask: of its time axis.
        source_mask: of the axis after, or None.
    """
    array = np.where(mask[..., None], _to_array(tensor)[:, : mask.shape[1]], 0)
    if source_mask is None:
        return array
    return np.where(source_mask[:, None], array[:, :, : source_mask.shape[1]], 0)
