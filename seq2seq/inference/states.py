"""States as values: changed, exchanged, mixed, and saved. Nothing is changed in place.

The results can be passed to `seq2seq.Predictor.step` and `decode`, and to `Decoder.step`:

    state, memory = run.encode(["hello", "world"])
    run.decode(zero(state), memory)                             # no information
    run.decode(swap(state, 0, 1), memory)                       # exchanged
    run.decode(swap(state, 0, 1, StateSlice("cell")), memory)   # cell states only
    run.decode(interpolate(state, take(state, [1, 0]), 0.5), memory)

A memory, which a decoder with attention reads, is another value: `take(memory, [1, 0])` exchanges
it without the state, `without_values(memory)` replaces it by zeros.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops, tree

from seq2seq.layers.lstm import LSTMState
from seq2seq.layers.recurrent import RNNState
from seq2seq.layers.structure import flatten_tensors, map_tensors
from seq2seq.models.decoder import DecoderState
from seq2seq.models.encoder import Memory
from seq2seq.runtime.file_format import parse_json, read_members
from seq2seq.runtime.manifest import checksum
from seq2seq.runtime.validation import check_choice, check_count, check_number

FIELDS = ("hidden", "cell")
CHECKSUMS = "checksums"  # a member of a file of a state


@dataclass(frozen=True)
class StateSlice:
    """Selects part of a state: every field that is set narrows it; by default everything.

    Args:
        field: `"hidden"` or `"cell"`; None: both.
        layer: of the decoder, counted from 0, the lowest; None: all.
        units: of each vector, counted from 0; None: all.

    Raises:
        ValueError: no such field, or a number below 0. A part that a state does not
            have is refused when it is used.
    """

    field: str | None = None
    layer: int | None = None
    units: Sequence[int] | None = None

    def __post_init__(self):
        if self.field is not None:
            check_choice("field", self.field, FIELDS)
        if self.layer is not None:
            check_count("layer", self.layer, 0)
        if self.units is not None:
            units = tuple(int(check_count("units", int(unit), 0)) for unit in self.units)
            object.__setattr__(self, "units", units)

    @property
    def is_all(self) -> bool:
        """Whether everything is selected."""
        return self == StateSlice()

    def mask(self, layer: int, field: str, size: int) -> np.ndarray:
        """Mask of the selected units of a vector, (size,) bool."""
        is_selected = self.layer in (None, layer) and self.field in (None, field)
        if self.units is None:
            return np.full(size, is_selected)
        return np.isin(np.arange(size), self.units) & is_selected


ALL = StateSlice()


def zero(state: DecoderState, part: StateSlice = ALL) -> DecoderState:
    """Zeros: a state without information about the source."""
    return clamp(state, 0.0, part)


def only(state: DecoderState, part: StateSlice) -> DecoderState:
    """Keep only a part, with zeros elsewhere."""
    return replace_part(zero(state), state, part)


def clamp(
    state: DecoderState, value: float | Sequence[float], part: StateSlice = ALL
) -> DecoderState:
    """Set a part to a value, for every source.

    Args:
        state: the state.
        value: a number, or one for each unit, in the order of `part.units`.
        part: the part.
    """
    value = np.asarray(value, "float32")

    def set_value(tensor, mask):
        units = range(len(mask)) if part.units is None else part.units
        if value.ndim and value.shape != (len(units),):
            raise ValueError(f"{value.size} values were given for {len(units)} units")
        values = np.zeros(len(mask), "float32")
        values[list(units)] = value
        return ops.zeros_like(tensor) + ops.cast(values, tensor.dtype)

    return _change(state, part, set_value)


def replace_part(state: DecoderState, donor: DecoderState, part: StateSlice) -> DecoderState:
    """Replace a part of `state` by that of `donor`, a state of the same sizes."""
    _check_same_sizes(state, donor)
    if part.is_all:
        return donor
    tensors = iter(tree.flatten(donor.layers))
    return _change(state, part, lambda tensor, mask: next(tensors))


def swap(state: DecoderState, first: int, second: int, part: StateSlice = ALL) -> DecoderState:
    """Exchange the states of two sources of a batch, or a part of them.

    Args:
        state: of a batch.
        first, second: the two rows.
        part: the part that is exchanged; if it is all, also attentional vector and coverage.
    """
    rows = np.arange(_batch_size(state))
    for row in (first, second):
        if not 0 <= row < len(rows):
            raise ValueError(f"there is no source {row} in a batch of {len(rows)}")
    rows[[first, second]] = rows[[second, first]]
    return replace_part(state, take(state, rows), part)


def shuffle(state: DecoderState, seed: int = 0, part: StateSlice = ALL) -> DecoderState:
    """Give each source the state of another, or a part of it; none keeps its own.

    Raises:
        ValueError: the batch is of one source.
    """
    return replace_part(state, take(state, derange(_batch_size(state), seed)), part)


def derange(count: int, seed: int = 0) -> np.ndarray:
    """Draw a cyclic permutation of `count`, without fixed points (Sattolo 1986).

    >>> derange(5, seed=1).tolist()
    [2, 0, 3, 4, 1]
    """
    if count < 2:
        raise ValueError("there is one source only: nothing to exchange it with")
    order, rng = np.arange(count), np.random.default_rng(seed)
    for last in range(count - 1, 0, -1):
        index = rng.integers(last)
        order[[index, last]] = order[[last, index]]
    return order


def add_noise(
    state: DecoderState, size: float, seed: int = 0, part: StateSlice = ALL
) -> DecoderState:
    """Add Gaussian noise to every unit of a part.

    Args:
        state: of a batch; the noise of a source depends only on its row.
        size: the standard deviation.
        seed: of the draws.
        part: the part.
    """
    check_number("size", size)
    seeds = iter(range(len(tree.flatten(state.layers))))

    def add(tensor, mask):
        sample = np.random.default_rng((seed, next(seeds))).normal(0, size, tuple(tensor.shape))
        return tensor + ops.cast(sample, tensor.dtype)

    return _change(state, part, add)


def interpolate(first: Any, second: Any, weight: float) -> Any:
    """Compute `(1 - weight) * first + weight * second`; beyond 0 and 1 it extrapolates.

    Args:
        first, second: states of one structure and shape.
        weight: of `second`.
    """
    _check_same_sizes(first, second)
    return map_tensors(lambda a, b: (1 - weight) * a + weight * b, first, second)


def take(state: Any, rows: Sequence[int]) -> Any:
    """Take rows of a state or memory, which may repeat: `take(state, [0, 0])`."""
    rows = np.asarray(rows, "int32")
    return map_tensors(lambda tensor: ops.take(tensor, rows, axis=0), state)


def without_values(memory: Memory) -> Memory:
    """Replace values, keys and copies of a memory by zeros.

    Its lengths, tags and final state stay.
    """
    zeros = {
        name: ops.zeros_like(tensor)
        for name in ("values", "keys", "copies")
        if (tensor := getattr(memory, name)) is not None
    }
    return memory._replace(**zeros)


def save_state(path: str | Path, state: DecoderState) -> None:
    """Write a state to an `.npz` file of plain arrays, named as in `layers.0.hidden`.

    `checksums` (JSON, as bytes) has the SHA-256 of each.
    """
    _check(state)
    arrays = {
        f"layers.{number}.{field}": tensor
        for number, layer in enumerate(state.layers)
        for field, tensor in layer._asdict().items()
    }
    others = {"attentional": state.attentional, "coverage": state.coverage}
    arrays |= {name: tensor for name, tensor in others.items() if tensor is not None}
    plain = {k: np.asarray(ops.convert_to_numpy(a), order="C") for k, a in arrays.items()}
    checksums = {name: checksum(array.tobytes()) for name, array in plain.items()}
    encoded = np.frombuffer(json.dumps(checksums).encode(), "uint8")
    with open(Path(path).expanduser(), "wb") as file:
        np.savez(file, **plain, **{CHECKSUMS: encoded})


def load_state(path: str | Path) -> DecoderState:
    """Read a file of `save_state`.

    Raises:
        ValueError: the file is missing or damaged, or holds no state.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"no such state: {path}")
    members = read_members(path, check=True)
    if CHECKSUMS in members:  # files of version 0.1 have none
        expected = _read_checksums(path, members.pop(CHECKSUMS))
        digests = {name: array.digest() for name, array in members.items()}
        names = {*expected, *digests}
        if wrong := sorted(name for name in names if expected.get(name) != digests.get(name)):
            raise ValueError(f"{path} is damaged: {wrong[0]} is not what was saved")
    arrays = {name: array.array() for name, array in members.items()}
    layers = []
    while f"layers.{len(layers)}.hidden" in arrays:
        hidden = arrays.pop(f"layers.{len(layers)}.hidden")
        cell = arrays.pop(f"layers.{len(layers)}.cell", None)
        layers.append(RNNState(hidden) if cell is None else LSTMState(hidden, cell))
    attentional, coverage = arrays.pop("attentional", None), arrays.pop("coverage", None)
    if arrays or not layers:
        raise ValueError(f"{path} holds no state: {', '.join(arrays) or 'no layers'}")
    return DecoderState(tuple(layers), attentional, coverage)


def _read_checksums(path: Path, stored: Any) -> dict:
    try:
        checksums = parse_json(stored.array().tobytes())
    except ValueError:
        checksums = None
    if not isinstance(checksums, dict):
        raise ValueError(f"{path} is damaged: its checksums can't be read")
    return checksums


def _change(state: DecoderState, part: StateSlice, change: Callable) -> DecoderState:
    """Replace the selected units of each vector by those of `change(tensor, mask)`."""
    _check(state)
    _check_part(state, part)
    layers = []
    for number, layer in enumerate(state.layers):
        changed = {}
        for field, tensor in layer._asdict().items():
            tensor = ops.convert_to_tensor(tensor)
            mask = part.mask(number, field, tensor.shape[-1])
            changed[field] = ops.where(mask, change(tensor, mask), tensor)
        layers.append(type(layer)(**changed))
    return state._replace(layers=tuple(layers))


def _check(state: Any) -> None:
    if not isinstance(state, DecoderState):
        raise ValueError(
            f"a DecoderState was expected, got a {type(state).__name__} (the state of an ensemble "
            "holds one for each model)"
        )


def _check_part(state: DecoderState, part: StateSlice) -> None:
    sizes = {field: size.shape[-1] for field, size in state.layers[0]._asdict().items()}
    if part.layer is not None and part.layer >= len(state.layers):
        raise ValueError(f"there is no layer {part.layer}: the state has {len(state.layers)}")
    if part.field is not None and part.field not in sizes:
        raise ValueError(f"a {type(state.layers[0]).__name__} has no {part.field}")
    if part.units and max(part.units) >= sizes["hidden"]:
        raise ValueError(f"there is no unit {max(part.units)}: a layer has {sizes['hidden']}")


def _check_same_sizes(first: Any, second: Any) -> None:
    """Raise a ValueError unless two states have the same structure and sizes."""
    tensors = [flatten_tensors(state)[0] for state in (first, second)]
    sizes = [[tuple(tensor.shape) for tensor in state] for state in tensors]
    if sizes[0] != sizes[1]:
        layers = [len(state.layers) for state in (first, second) if isinstance(state, DecoderState)]
        raise ValueError(
            f"the states differ: {layers[0]} and {layers[1]} layers"
            if len(set(layers)) == 2
            else f"the states differ in size: {sizes[0]} and {sizes[1]}"
        )
    tree.assert_same_structure(first, second)


def _batch_size(state: DecoderState) -> int:
    _check(state)
    return int(state.layers[0].hidden.shape[0])
