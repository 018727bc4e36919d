"""Numbers of a strategy as inputs of a compiled search, apart from its structure."""

import copy
from typing import Any

import numpy as np


def split_strategy(strategy: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Split a strategy into its structure and the arrays of its numbers.

    One compiled search then serves all numbers. Values that are None or text stay in the
    structure: they select another computation.
    """
    values = {name: strategy.__dict__[name] for name in strategy.dynamic_fields}
    numbers = {name: v for name, v in values.items() if not (v is None or isinstance(v, str))}
    arrays = {name: strategy.as_array(name, value) for name, value in numbers.items()}
    return with_numbers(strategy, dict.fromkeys(numbers, ...)), arrays


def with_numbers(strategy: Any, numbers: dict[str, Any]) -> Any:
    """Copy of `strategy` with other numbers, which may be tensors and are not checked again."""
    strategy_copy = copy.copy(strategy)
    strategy_copy.__dict__.update(numbers)
    return strategy_copy
