"""States as things: kept in a file, mixed, and exchanged between sources.

What is made here can be handed back to `step`, `decode_on`, or `seq2seq.Predictor.go_on`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops, tree

from seq2seq.export.numpy_runtime import read_members
from seq2seq.layers.lstm import LSTMState
from seq2seq.layers.recurrent import RNNState
from seq2seq.models.decoder import DecoderState


def interpolate(one: Any, other: Any, share: float) -> Any:
    """`(1 - share) * one + share * other`, number by number; beyond 0 and 1 it extrapolates.

    Args:
        one, other: states of one structure and shape.
        share: of `other`.
    """
    tree.assert_same_structure(one, other)
    return tree.map_structure(lambda a, b: (1 - share) * a + share * b, one, other)


def take(state: Any, rows: Sequence[int]) -> Any:
    """The state of other rows of the batch: `take(state, [1, 0])` swaps two sources' states."""
    rows = np.asarray(rows, "int32")
    return tree.map_structure(
        lambda tensor: None if tensor is None else ops.take(tensor, rows, axis=0), state
    )


def save_state(path: str | Path, state: DecoderState) -> None:
    """Write a state to an `.npz` file of plain arrays, named as in `layers.0.hidden`."""
    if not isinstance(state, DecoderState):
        raise ValueError(f"a DecoderState was expected, got a {type(state).__name__}")
    arrays = {
        f"layers.{number}.{field}": tensor
        for number, layer in enumerate(state.layers)
        for field, tensor in layer._asdict().items()
    }
    rest = {"fed": state.fed, "coverage": state.coverage}
    arrays |= {name: tensor for name, tensor in rest.items() if not isinstance(tensor, tuple)}
    with open(path, "wb") as file:
        np.savez(file, **{name: ops.convert_to_numpy(tensor) for name, tensor in arrays.items()})


def load_state(path: str | Path) -> DecoderState:
    """What `save_state` wrote.

    Raises:
        ValueError: the file is missing or damaged, or holds no state.
    """
    if not Path(path).is_file():
        raise ValueError(f"no such state: {path}")
    members = read_members(Path(path), check=True)
    arrays = {name: one.array() for name, one in members.items()}
    layers = []
    while f"layers.{len(layers)}.hidden" in arrays:
        hidden = arrays.pop(f"layers.{len(layers)}.hidden")
        cell = arrays.pop(f"layers.{len(layers)}.cell", None)
        layers.append(RNNState(hidden) if cell is None else LSTMState(hidden, cell))
    fed, coverage = arrays.pop("fed", ()), arrays.pop("coverage", ())
    if arrays or not layers:
        raise ValueError(f"{path} holds no state: {', '.join(arrays) or 'no layers'}")
    return DecoderState(tuple(layers), fed, coverage)
