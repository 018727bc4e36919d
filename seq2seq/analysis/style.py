"""Style of the figure and the page: visible symbols, colours, descriptions of bridges."""

import unicodedata

import numpy as np

from seq2seq.inference.trace import Trace

END, START = "end", "start"  # labels of the ends of a source and an answer

# From below 0 over 0 to above: blue and orange, which suit colour-blind readers, each
# darkening evenly (the Blues and Oranges of Cynthia Brewer's ColorBrewer).
COLOURS = (
    *("#08306b", "#08519c", "#2171b5", "#4292c6", "#6baed6", "#9ecae1", "#c6dbef", "#deebf7"),
    "#f7f7f7",
    *("#fee6ce", "#fdd0a2", "#fdae6b", "#fd8d3c", "#f16913", "#d94801", "#a63603", "#7f2704"),
)
LONGEST = 80  # characters of a line
STATES = ("hidden", "cell")  # passed by a bridge
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
    "Copy": "passes hidden and cell of every layer unchanged",
    "HiddenOnly": "passes hidden unchanged; cell states start from zeros",
    "Dense": "each vector of the decoder starts as a learned mix of all vectors of the encoder",
    "LayerwiseDense": "each decoder layer starts as a learned mix of the encoder layer beside it",
    "TopLayer": "the encoder's top layer starts every layer of the decoder",
    "Zero": "passes nothing: the decoder starts from zeros",
    "LearnedInitialState": "passes nothing of the source: the decoder has a learned initial state",
}


def visible(symbol: str) -> str:
    """Spell out `symbol` if it is invisible or would change its neighbours.

    >>> visible("a b"), visible("\\t"), visible("\\u0301"), visible("\\u202ex")
    ('a␣b', 'U+0009', '◌́', 'U+202Ex')
    """
    characters = []
    for character in symbol:
        kind = unicodedata.category(character)
        if character == " ":
            characters.append("␣")
        elif kind[0] in "CZ":  # controls, directions, surrogates, other spaces
            characters.append(f"U+{ord(character):04X}")
        elif kind[0] == "M" and not characters:
            characters.append("◌" + character)
        else:
            characters.append(character)
    return "".join(characters)


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


def join_symbols(symbols: list[str]) -> str:
    """Write symbols in a line without the end: those of one character close together.

    A mark stays with the letter before it, so that a word of any script reads as it is written.

    >>> join_symbols(["न", "ी", "<end>"]), join_symbols(["ice", "cream"])
    ('नी', 'ice cream')
    """
    texts = [*symbols[:-1], *(symbol for symbol in symbols[-1:] if symbol != "<end>")]
    if all(len(text) == 1 for text in texts):
        joined = visible("".join(texts))
    else:
        joined = " ".join(map(visible, texts))
    joined = joined or "(nothing)"
    return joined if len(joined) <= LONGEST else joined[: LONGEST - 1] + "…"


def title_of(trace: Trace, number: int) -> tuple[str, str]:
    """Return a source, with its tags, and its answer, each in a line."""
    source = join_symbols(trace.sources[number])
    tags = trace.tags[number] if trace.tags else []
    if tags:
        source += f" ({', '.join(map(visible, tags))})"
    return source, join_symbols(trace.outputs[number])


def find_limits(trace: Trace) -> dict[str, dict[str, float]]:
    """Find where the colours of an array are darkest, the same below and above 0.

    Returns:
        For `"encoder"` and `"decoder"` the limit of each array. Hidden: the greatest of both. Cells
        have no bound, and those of a decoder are often many times as large: each side has its own
        limit, and one value in two hundred may lie beyond. Gates: 1.
    """
    sides = {"encoder": trace.encoder, "decoder": [*trace.received, *trace.decoder]}
    values: dict[str, dict[str, np.ndarray]] = {}
    for side, layers in sides.items():
        arrays: dict[str, list[np.ndarray]] = {}
        for layer in layers:
            for name, array in layer.arrays.items():
                present = np.isfinite(array) & (array != 0)  # padding is zero
                arrays.setdefault(name, []).append(np.abs(array[present]))
        values[side] = {name: np.concatenate(parts) for name, parts in arrays.items()}
    hidden = _limit([arrays["hidden"] for arrays in values.values() if "hidden" in arrays], 1.0)
    limits = {side: dict.fromkeys(arrays, 1.0) for side, arrays in values.items()}
    for side, arrays in values.items():
        limits[side]["hidden"] = hidden
        if "cell" in arrays:
            limits[side]["cell"] = _limit([arrays["cell"]], 0.995)
    return limits


def _limit(arrays: list[np.ndarray], quantile: float) -> float:
    values = np.concatenate([*arrays, np.zeros(0)])
    return _round_up(float(np.quantile(values, quantile))) if len(values) else 1.0


def find_scales(limits: dict[str, dict[str, float]]) -> list[tuple[str, float]]:
    """Name the colour scales of a trace, each with its limit."""
    of_states = {
        name: [limits_of_side[name] for limits_of_side in limits.values() if name in limits_of_side]
        for name in STATES
    }
    scales = [("hidden", of_states["hidden"][0])]
    if len({*of_states["cell"]}) == 1:
        scales.append(("cell", of_states["cell"][0]))
    elif of_states["cell"]:
        scales += [
            (f"{side} cell", limits_of_side["cell"])
            for side, limits_of_side in limits.items()
            if "cell" in limits_of_side
        ]
    if any({*limits_of_side} - {*STATES} for limits_of_side in limits.values()):
        scales.append(("gates", 1.0))
    return scales


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
