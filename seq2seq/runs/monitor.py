"""Validation metrics of a run: the epoch whose weights are kept, and the metric that picks it."""

from collections.abc import Mapping, Sequence

PREFIX = "val_"  # of a validation metric in `history.csv` and in a report
# The metrics that tasks monitor; where a history has several, its task monitors the first of these.
MONITORED = ("bleu", "word_error_rate", "exact_match", "mae")
# Whether the largest or the smallest value is best.
DIRECTIONS = {
    **dict.fromkeys(("exact_match", "token_accuracy", "bleu"), "max"),
    **dict.fromkeys(("per_sequence_accuracy", "prefix_accuracy"), "max"),
    **dict.fromkeys(("word_error_rate", "phone_error_rate", "edit_distance"), "min"),
    **dict.fromkeys(("mae", "rmse"), "min"),
}


def find_direction(metric: str) -> str:
    """Return `"max"` or `"min"`: which value of `metric` is best.

    Raises:
        ValueError: it is not known.
    """
    if metric not in DIRECTIONS:
        raise ValueError(
            f"it is not known whether a large or a small {metric!r} is best; known are: "
            + ", ".join(DIRECTIONS)
        )
    return DIRECTIONS[metric]


def find_perfect(monitor: tuple[str, str]) -> float:
    """Return the best possible value of a monitored metric.

    >>> find_perfect(("exact_match", "max")), find_perfect(("mae", "min"))
    (1.0, 0.0)
    """
    metric, direction = monitor
    if direction == "min":
        return 0.0
    return 100.0 if metric == "bleu" else 1.0


def find_monitor(columns: Sequence[str]) -> tuple[str, str] | None:
    """Return the monitored metric of a history with these columns, and its direction.

    None: there is no validation.
    """
    for metric in MONITORED:
        if PREFIX + metric in columns:
            return metric, DIRECTIONS[metric]
    return None


def find_best_row(rows: Sequence[Mapping], monitor: tuple[str, str]) -> Mapping | None:
    """Return the row of the epoch whose weights are kept: of equal ones the last.

    Args:
        rows: of `history.csv`, in order.
        monitor: the metric, and `"max"` or `"min"`.
    """
    metric, direction = monitor
    sign = 1 if direction == "max" else -1
    best = None
    for row in rows:
        value = row.get(PREFIX + metric)
        if value is not None and (best is None or sign * value >= sign * best[PREFIX + metric]):
            best = row
    return best


def summarize_validation(
    rows: Sequence[Mapping], monitor: tuple[str, str] | None = None
) -> dict[str, float] | None:
    """Return `validation` of `summary.json`: the best epoch, its last update, and its metrics.

    Args:
        rows: of `history.csv`, in order.
        monitor: the metric that picks the epoch, and its direction; None: `find_monitor`.

    Returns:
        None where nothing was validated.

    >>> rows = [{"epoch": 1, "step": 9, "loss": 2.0, "val_exact_match": 0.5}]
    >>> summarize_validation(rows)
    {'epoch': 1, 'step': 9, 'exact_match': 0.5}
    """
    monitor = monitor or find_monitor([*rows[0]] if rows else [])
    best = find_best_row(rows, monitor) if monitor else None
    if best is None:
        return None
    metrics = {
        name.removeprefix(PREFIX): value for name, value in best.items() if name.startswith(PREFIX)
    }
    return {"epoch": int(best["epoch"]), "step": int(best["step"]), **metrics}
