"""States as values: changed, exchanged, mixed, and kept in a file. Nothing is changed in place.

What is made here can be handed to `seq2seq.Predictor.step` and `decode`, and to `Decoder.step`:

    state, memory = run.encode(["hello", "world"])
    run.decode(zero(state), memory)                             # told nothing
    run.decode(swap(state, 0, 1), memory)                       # told of the other source
    run.decode(swap(state, 0, 1, Part("cell")), memory)         # half and half
    run.decode(interpolate(state, take(state, [1, 0]), 0.5), memory)

A memory, which a decoder with attention looks at, is another value: `take(memory, [1, 0])`
exchanges it without the state, `blind(memory)` takes it away.
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
class Part:
    """Which numbers of a state are meant: those that fit all that is said, without a word all.

    Args:
        field: `"hidden"` or `"cell"`; None: both.
        layer: of the decoder, counted from 0, the lowest; None: all.
        units: of each vector, counted from 0; None: all.

    Raises:
        ValueError: no such field, or a number below 0. What a state does not have is refused when
            it is used.
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
    def whole(self) -> bool:
        """Whether it is all there is."""
        return self == Part()

    def mask(self, layer: int, field: str, size: int) -> np.ndarray:
        """(size,) bool, True for the units of one vector that are meant."""
        here = self.layer in (None, layer) and self.field in (None, field)
        if self.units is None:
            return np.full(size, here)
        return np.isin(np.arange(size), self.units) & here


ALL = Part()


def zero(state: DecoderState, part: Part = ALL) -> DecoderState:
    """Zeros: what a decoder starts from that is told nothing."""
    return clamp(state, 0.0, part)


def keep(state: DecoderState, part: Part) -> DecoderState:
    """Only this part, zeros for the rest."""
    return graft(zero(state), state, part)


def clamp(state: DecoderState, value: float | Sequence[float], part: Part = ALL) -> DecoderState:
    """A part held at a value, for every source.

    Args:
        state: what is changed.
        value: one number, or one for each unit, in the order of `part.units`.
        part: what of it.
    """
    value = np.asarray(value, "float32")

    def hold(tensor, mask):
        units = range(len(mask)) if part.units is None else part.units
        if value.ndim and value.shape != (len(units),):
            raise ValueError(f"{value.size} values were given for {len(units)} units")
        held = np.zeros(len(mask), "float32")
        held[list(units)] = value
        return ops.zeros_like(tensor) + ops.cast(held, tensor.dtype)

    return _change(state, part, hold)


def graft(state: DecoderState, other: DecoderState, part: Part) -> DecoderState:
    """`state` with a part of `other`, which is as large."""
    _check_alike(state, other)
    if part.whole:
        return other
    pairs = iter(tree.flatten(other.layers))
    return _change(state, part, lambda tensor, mask: next(pairs))


def swap(state: DecoderState, one: int, other: int, part: Part = ALL) -> DecoderState:
    """The same batch with the states of two sources exchanged, or a part of them.

    Args:
        state: of a batch.
        one, other: which two rows.
        part: what is exchanged; where it is all, also what a decoder's attention remembers.
    """
    rows = np.arange(_batch(state))
    for row in (one, other):
        if not 0 <= row < len(rows):
            raise ValueError(f"there is no source {row} in a batch of {len(rows)}")
    rows[[one, other]] = rows[[other, one]]
    return graft(state, take(state, rows), part)


def shuffle(state: DecoderState, seed: int = 0, part: Part = ALL) -> DecoderState:
    """Each source with another one's state, or part of it; none keeps its own.

    Raises:
        ValueError: the batch is of one source.
    """
    return graft(state, take(state, derange(_batch(state), seed)), part)


def derange(count: int, seed: int = 0) -> np.ndarray:
    """A random order of `count` in which nothing stays in its place (Sattolo 1986).

    >>> derange(5, seed=1).tolist()
    [1, 3, 0, 4, 2]
    """
    if count < 2:
        raise ValueError("there is one source only: nothing to exchange it with")
    order, rng = np.arange(count), np.random.default_rng(seed)
    for last in range(count - 1, 0, -1):
        place = rng.integers(last)
        order[[place, last]] = order[[last, place]]
    return order


def add_noise(state: DecoderState, size: float, seed: int = 0, part: Part = ALL) -> DecoderState:
    """Gaussian noise on every unit of a part.

    Args:
        state: of a batch; a source's noise depends on its place alone.
        size: the standard deviation.
        seed: of the draws.
        part: what is made noisy.
    """
    check_number("size", size)
    seeds = iter(range(len(tree.flatten(state.layers))))

    def disturb(tensor, mask):
        noise = np.random.default_rng((seed, next(seeds))).normal(0, size, tuple(tensor.shape))
        return tensor + ops.cast(noise, tensor.dtype)

    return _change(state, part, disturb)


def interpolate(one: Any, other: Any, share: float) -> Any:
    """`(1 - share) * one + share * other`, number by number; beyond 0 and 1 it extrapolates.

    Args:
        one, other: states of one structure and shape.
        share: of `other`.
    """
    _check_alike(one, other)
    return map_tensors(lambda a, b: (1 - share) * a + share * b, one, other)


def take(state: Any, rows: Sequence[int]) -> Any:
    """The state, or the memory, of other rows of the batch, which may repeat: `take(s, [0, 0])`."""
    rows = np.asarray(rows, "int32")
    return map_tensors(lambda tensor: ops.take(tensor, rows, axis=0), state)


def blind(memory: Memory) -> Memory:
    """A memory in which there is nothing to see: zeros for values and keys, nothing to copy.

    Its lengths, tags and final state stay.
    """
    gone = {
        name: ops.zeros_like(tensor)
        for name in ("values", "keys", "copies")
        if (tensor := getattr(memory, name)) is not None
    }
    return memory._replace(**gone)


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
    rest = {"attentional": state.attentional, "coverage": state.coverage}
    arrays |= {name: tensor for name, tensor in rest.items() if tensor is not None}
    plain = {name: np.asarray(ops.convert_to_numpy(one), order="C") for name, one in arrays.items()}
    checksums = {name: checksum(one.tobytes()) for name, one in plain.items()}
    encoded = np.frombuffer(json.dumps(checksums).encode(), "uint8")
    with open(Path(path).expanduser(), "wb") as file:
        np.savez(file, **plain, **{CHECKSUMS: encoded})


def load_state(path: str | Path) -> DecoderState:
    """What `save_state` wrote.

    Raises:
        ValueError: the file is missing or damaged, or holds no state.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"no such state: {path}")
    members = read_members(path, check=True)
    if CHECKSUMS in members:  # files of version 0.1 have none
        said = _read_checksums(path, members.pop(CHECKSUMS))
        found = {name: one.digest() for name, one in members.items()}
        if wrong := sorted(name for name in {*said, *found} if said.get(name) != found.get(name)):
            raise ValueError(f"{path} is damaged: {wrong[0]} is not what was saved")
    arrays = {name: one.array() for name, one in members.items()}
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
        found = parse_json(stored.array().tobytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is damaged: its checksums can't be read")
    return found


def _change(state: DecoderState, part: Part, change: Callable) -> DecoderState:
    """`state` with `change(tensor, mask)` for the numbers of each vector that are of `part`."""
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


def _check_part(state: DecoderState, part: Part) -> None:
    sizes = {field: size.shape[-1] for field, size in state.layers[0]._asdict().items()}
    if part.layer is not None and part.layer >= len(state.layers):
        raise ValueError(f"there is no layer {part.layer}: the state has {len(state.layers)}")
    if part.field is not None and part.field not in sizes:
        raise ValueError(f"a {type(state.layers[0]).__name__} has no {part.field}")
    if part.units and max(part.units) >= sizes["hidden"]:
        raise ValueError(f"there is no unit {max(part.units)}: a layer has {sizes['hidden']}")


def _check_alike(one: Any, other: Any) -> None:
    """Raise a ValueError unless two states can stand in for one another."""
    tensors = [flatten_tensors(state)[0] for state in (one, other)]
    sizes = [[tuple(tensor.shape) for tensor in state] for state in tensors]
    if sizes[0] != sizes[1]:
        layers = [len(state.layers) for state in (one, other) if isinstance(state, DecoderState)]
        raise ValueError(
            f"the states differ: {layers[0]} and {layers[1]} layers"
            if len(set(layers)) == 2
            else f"the states differ in size: {sizes[0]} and {sizes[1]}"
        )
    tree.assert_same_structure(one, other)


def _batch(state: DecoderState) -> int:
    _check(state)
    return int(state.layers[0].hidden.shape[0])
