"""What the figure and the page share: visible symbols, colours, and what is said of a bridge."""

import unicodedata

import numpy as np

from seq2seq.analysis.trace import Trace

END, START = "end", "start"  # how the ends of a source and an answer are labelled

# From below 0 over 0 to above: blue and orange, which colour-blind readers tell apart, each
# darkening evenly (the Blues and Oranges of Cynthia Brewer's ColorBrewer).
COLOURS = (
    *("#08306b", "#08519c", "#2171b5", "#4292c6", "#6baed6", "#9ecae1", "#c6dbef", "#deebf7"),
    "#f7f7f7",
    *("#fee6ce", "#fdd0a2", "#fdae6b", "#fd8d3c", "#f16913", "#d94801", "#a63603", "#7f2704"),
)
LONGEST = 80  # characters of a line
NOTHING = "#b8b8b8"  # where there is no value, or one that is not finite

NAMES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "g": "candidate",
    "z": "update gate",
    "r": "reset gate",
}
BRIDGES = {
    "Copy": "hidden and cell of every layer go over unchanged",
    "Hidden": "only hidden goes over, unchanged; what else there is starts from zero",
    "Dense": "each vector of the decoder starts as a learned mix of all vectors of the encoder",
    "Joined": "each decoder layer starts as a learned mix of the encoder layer beside it",
    "Top": "the encoder's top layer starts every layer of the decoder",
    "Zero": "nothing goes over: the decoder starts from zeros",
    "Learned": "nothing of the source goes over: the decoder starts from what it learned to",
}


def visible(symbol: str) -> str:
    """`symbol` as ink: what has none of its own, or would change its neighbours, is spelt out.

    >>> visible("a b"), visible("\\t"), visible("\\u0301"), visible("\\u202ex")
    ('a␣b', 'U+0009', '◌́', 'U+202Ex')
    """
    made = []
    for character in symbol:
        kind = unicodedata.category(character)
        if character == " ":
            made.append("␣")
        elif kind[0] in "CZ":  # controls, directions, surrogates, other spaces
            made.append(f"U+{ord(character):04X}")
        elif kind[0] == "M" and not made:
            made.append("◌" + character)
        else:
            made.append(character)
    return "".join(made)


Label = tuple[str, bool]  # a text, and whether it stands for an end and is no symbol


def label(symbol: str) -> Label:
    """The label of a symbol that may be the end."""
    return (END, True) if symbol == "<end>" else (visible(symbol), False)


def label_source(trace: Trace, number: int) -> list[Label]:
    """The labels of a source's symbols, and of its end."""
    return _label_all(trace.sources[number])


def label_output(trace: Trace, number: int) -> list[Label]:
    """The labels of an answer's symbols, and of its end unless it was cut off."""
    return _label_all(trace.outputs[number])


def _label_all(symbols: list[str]) -> list[Label]:
    inner = [(visible(symbol), False) for symbol in symbols[:-1]]  # "<end>" may be text there
    return [*inner, *map(label, symbols[-1:])]


def join_labels(labels: list[Label]) -> str:
    """The labels in a line without the end: symbols of one character close together."""
    texts = [text for text, special in labels if not special]
    whole = ("" if all(len(text) == 1 for text in texts) else " ").join(texts) or "(nothing)"
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


def find_limits(trace: Trace) -> dict[str, float]:
    """The values of hidden, cell and gates where colours are darkest, the same below and above 0.

    Hidden: the greatest there is. Cells, which have no bound, may have a few that are far from the
    rest: one in two hundred may lie beyond. Gates: 1.
    """
    found: dict[str, list[np.ndarray]] = {}
    for layer in (*trace.encoder, *trace.received, *trace.decoder):
        for name, array in layer.arrays.items():
            values = np.abs(array[np.isfinite(array) & (array != 0)])  # padding is zero
            found.setdefault(name, []).append(values)
    limits = dict.fromkeys(found, 1.0)
    for name, share in (("hidden", 1.0), ("cell", 0.995)):
        values = np.concatenate(found.get(name, [np.zeros(0)]))
        if len(values):
            limits[name] = _round_up(float(np.quantile(values, share)))
    return limits


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7 times a power of ten.

    >>> [_round_up(value) for value in (0.98, 1.0, 2.2, 61)]
    [1.0, 1.0, 3.0, 70.0]
    """
    power = 10.0 ** np.floor(np.log10(max(value, 1e-9)))
    steps = [round(step * power, 12) for step in (1, 1.5, 2, 3, 5, 7, 10)]
    return next(float(step) for step in steps if step >= value * (1 - 1e-9))


def pool(values: np.ndarray, rows: int) -> tuple[np.ndarray, int]:
    """At most `rows` rows for (time, units): of units that share one, the farthest from 0.

    Returns:
        (time, rows made) values, and how many units share a row.

    >>> pool(np.array([[1.0, -3.0, 0.5]]), 2)
    (array([[-3. ,  0.5]]), 2)
    """
    time, units = values.shape
    size = -(-units // rows)
    wide = np.zeros((time, -(-units // size) * size), values.dtype)
    wide[:, :units] = values
    groups = wide.reshape(time, -1, size)
    far = np.where(np.isfinite(groups), np.abs(groups), np.inf).argmax(-1)
    return np.take_along_axis(groups, far[..., None], axis=-1)[..., 0], size
