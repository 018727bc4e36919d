"""Structures of tensors in which absent parts are None, and masks that broadcast over them."""

from collections.abc import Callable
from typing import Any

from keras import ops, tree

from seq2seq.layers.lstm import Tensor


def map_tensors(function: Callable, structure: Any, *others: Any) -> Any:
    """`keras.tree.map_structure` that leaves None as it is."""
    return tree.map_structure(
        lambda tensor, *more: None if tensor is None else function(tensor, *more),
        structure,
        *others,
    )


def flatten_tensors(structure: Any) -> tuple[list, Callable[[list], Any]]:
    """Tensors of a structure without None, and a function that packs such a list again."""
    leaves = tree.flatten(structure)

    def pack(tensors: list) -> Any:
        remaining = iter(tensors)
        filled = [None if leaf is None else next(remaining) for leaf in leaves]
        return tree.pack_sequence_as(structure, filled)

    return [leaf for leaf in leaves if leaf is not None], pack


def broadcast_mask(mask: Tensor, tensor: Tensor) -> Tensor:
    """`mask` with axes of size 1 appended until it has as many as `tensor`."""
    shape = ops.shape(mask)
    return ops.reshape(mask, (*shape, *(1,) * (len(tensor.shape) - len(shape))))


def select(mask: Tensor, structure: Any, alternative: Any) -> Any:
    """Tensors of `structure` where `mask`, those of `alternative` elsewhere.

    Args:
        mask: bool, over the first axes of every tensor.
        structure, other: structures of tensors of the same shapes.
    """
    return map_tensors(
        lambda a, b: ops.where(broadcast_mask(mask, a), a, b), structure, alternative
    )
