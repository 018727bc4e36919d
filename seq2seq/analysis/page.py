"""The page: a trace for the browser, as one file that needs no network.

It joins the files of `template/` with the numbers of the trace.
"""

import base64
import hashlib
import html
import json
from importlib.resources import files

import numpy as np

from seq2seq import __version__
from seq2seq.analysis.style import (
    BRIDGES,
    COLOURS,
    NAMES,
    NOTHING,
    START,
    find_limits,
    find_scales,
    label,
    label_output,
    label_source,
    title_of,
    visible,
)
from seq2seq.inference.trace import Layer, Trace

LARGEST = 64_000_000  # bytes of numbers in a page, which a browser still opens in a moment
LEVELS = 32_767  # of a number from 0 to the greatest of its array
NO_NUMBER = -32_768
SCRIPTS = ("numbers", "picture", "panels", "page")


def render(trace: Trace) -> str:
    """The page that shows `trace`.

    Numbers are kept as 16-bit integers and a scale for each array: they are off by at most one part
    in 65,534 of the array's greatest. Text of the trace is data and is never run: the page's policy
    allows its own script alone, by checksum.

    Raises:
        ValueError: there are too many numbers for a browser.
    """
    sides = ((trace.encoder, trace.source_mask), (trace.decoder, trace.target_mask))
    numbers = sum(
        int(mask.sum()) * array.shape[-1]
        for layers, mask in sides
        for layer in layers
        for array in layer.arrays.values()
    )
    size = numbers * 2 * 4 // 3  # two bytes each, in base64
    if size > LARGEST:
        raise ValueError(
            f"the page of {len(trace)} sources would hold {size / 1e6:,.0f} MB of numbers, more "
            f"than {LARGEST / 1e6:.0f} MB: give fewer or shorter sources, or leave the gates out"
        )
    style = _read("page.css")
    script = "".join(_read(f"{name}.js") for name in SCRIPTS)
    titles = [_title(trace, number) for number in range(len(trace))]
    fields = {
        "title": html.escape(_shorten_list(titles)),
        "policy": f"default-src 'none'; script-src {_checksum(script)}; "
        f"style-src {_checksum(style)}; base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        # A "<" would be read as HTML: the script's end may stand in a source.
        "data": json.dumps(describe(trace), separators=(",", ":")).replace("<", "\\u003c"),
    }
    pieces = _read("page.html").split("%%")  # text, name, text, name, ..., text
    return "".join(fields[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def describe(trace: Trace) -> dict:
    """The content of the page, for JSON."""
    return {
        "made_by": f"seq2seq {__version__}",
        "run": visible(f"{trace.task}-{trace.model}".strip("-")),
        "bridge": trace.bridge,
        "bridge_description": BRIDGES.get(trace.bridge, ""),
        "names": NAMES,
        "colours": COLOURS,
        "nothing": NOTHING,
        "limits": (limits := find_limits(trace)),
        "scales": find_scales(limits),
        "sources": [_describe_one(trace, number) for number in range(len(trace))],
    }


def _describe_one(trace: Trace, number: int) -> dict:
    single = trace.select(number)
    source, output = label_source(single, 0), label_output(single, 0)
    received = {layer.name: layer for layer in single.received}
    top = None
    if single.top_symbols is not None and single.top_probabilities is not None:
        steps = zip(single.top_symbols[0], single.top_probabilities[0], strict=True)
        top = [
            [
                (*label(symbol), _shorten(probability))
                for symbol, probability in zip(*step, strict=True)
            ]
            for step in steps
        ]
    probabilities = (
        None if single.probabilities is None else [*map(_shorten, single.probabilities[0])]
    )
    return {
        "title": _title(trace, number),
        "tags": [visible(tag) for tag in single.tags[0]] if single.tags else [],
        "source": source,
        "output": output,
        "read": [(START, True), *output][: len(output)],
        "encoder": [_describe_layer(layer) for layer in single.encoder],
        "decoder": [_describe_layer(layer, received[layer.name]) for layer in single.decoder],
        "attention": None if single.attention is None else encode(single.attention[0]),
        "probabilities": probabilities,
        "top": top,
    }


def _describe_layer(layer: Layer, first: Layer | None = None) -> dict:
    """A layer's arrays (time, units); `first` is the state before the first step, at time 0."""
    arrays = {}
    for name, array in layer.arrays.items():
        values = array[0]
        if first is not None:
            nothing = np.full(values.shape[1:], np.nan)  # a gate: no step led to the first state
            initial = first.arrays[name][0] if name in first.arrays else nothing
            values = np.concatenate([initial[None], values])
        arrays[name] = encode(values)
    return {"name": layer.name, "backwards": layer.backwards, "arrays": arrays}


def encode(values: np.ndarray) -> dict:
    """An array as 16-bit integers, little end first, in base64; `decode` is the way back."""
    finite = np.isfinite(values)
    scale = float(np.abs(values[finite]).max(initial=0.0)) / LEVELS or 1.0
    levels = np.where(finite, np.rint(np.where(finite, values, 0) / scale), NO_NUMBER)
    data = base64.b64encode(levels.astype("<i2").tobytes()).decode()
    return {"shape": list(values.shape), "scale": scale, "data": data}


def decode(encoded: dict) -> np.ndarray:
    """Decode an array as the page does; NaN where there is no finite number."""
    levels = np.frombuffer(base64.b64decode(encoded["data"]), "<i2").astype("float64")
    values = np.where(levels == NO_NUMBER, np.nan, levels * encoded["scale"])
    return values.reshape(encoded["shape"])


def _shorten(value: float) -> float | None:
    """Four digits of a probability; None where there is no finite number, which JSON lacks."""
    return float(f"{value:.4g}") if np.isfinite(value) else None


def _title(trace: Trace, number: int) -> str:
    """A source and its answer in a line; neither changes the direction of the other."""
    return " → ".join(f"\u2068{side}\u2069" for side in title_of(trace, number))


def _shorten_list(titles: list[str]) -> str:
    """The first of some titles, and how many more there are."""
    return titles[0] if len(titles) == 1 else f"{titles[0]} and {len(titles) - 1} more"


def _read(name: str) -> str:
    return (files("seq2seq.analysis") / "template" / name).read_text("utf-8")


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
