"""Made-up traces: any shape of model, without one."""

import numpy as np

from seq2seq.inference.trace import Layer, Trace

GATES = {"lstm": "ifog", "gru": "zrg", "rnn": ""}


def make_trace(
    sources=("hello", "at"),
    outputs=("olleh", "ta"),
    layers=1,
    units=8,
    kind="lstm",
    bidirectional=False,
    gates=False,
    attention=False,
    top=5,
    bridge="Copy",
    cut_off=False,
    seed=0,
):
    """A trace with the structure of a real one and random numbers in it.

    `sources` and `outputs` are texts, or lists of symbols; each gets an end (outputs not if they
    are `cut_off`). `top=0` is of real values, without probabilities.
    """
    rng = np.random.default_rng(seed)
    source_symbols = [[*source, "<end>"] for source in sources]
    output_symbols = [[*output, *([] if cut_off else ["<end>"])] for output in outputs]
    batch, times = (
        len(source_symbols),
        [max(map(len, source_symbols)), max(map(len, output_symbols))],
    )
    masks = [
        np.arange(time) < np.array([*map(len, side)])[:, None]
        for time, side in zip(times, (source_symbols, output_symbols), strict=True)
    ]

    def layer(name, side=None):
        shape = (batch, units) if side is None else (batch, times[side], units)
        mask = 1.0 if side is None else masks[side][..., None]

        def draw(low, high):
            return (rng.uniform(low, high, shape) * mask).astype("float32")

        opened = (
            {g: draw(-1 if g == "g" else 0, 1) for g in GATES[kind]}
            if gates and side is not None
            else {}
        )
        cell = draw(-3, 3) if kind == "lstm" else None
        return Layer(name, draw(-1, 1), cell, opened or None)

    directions = ["", " backwards"] if bidirectional else [""]
    encoder = [f"encoder {n}{direction}" for n in range(1, layers + 1) for direction in directions]
    decoder = [f"decoder {n}" for n in range(1, layers + 1)]
    weights = likeliest = symbols = None
    if attention:
        weights = rng.exponential(size=(batch, times[1], times[0])) * masks[0][:, None]
        weights = (weights / weights.sum(-1, keepdims=True) * masks[1][..., None]).astype("float32")
    if top:
        likeliest = -np.sort(-rng.dirichlet([0.3] * (top + 3), (batch, times[1])))[..., :top]
        likeliest = (likeliest * masks[1][..., None]).astype("float32")
        letters = [chr(ord("a") + n) for n in range(26)]
        symbols = [
            [[s, *[c for c in letters if c != s][: top - 1]] for s in row] for row in output_symbols
        ]
    return Trace(
        source_symbols,
        output_symbols,
        [layer(name, 0) for name in encoder],
        [layer(name) for name in encoder],
        [layer(name) for name in decoder],
        [layer(name, 1) for name in decoder],
        weights,
        None if likeliest is None else likeliest[..., 0],
        symbols,
        likeliest,
        bridge,
        "made up",
        kind,
    )
