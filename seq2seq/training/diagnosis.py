"""Diagnosis of a training by its history: when to stop, why it ended, what its curves show.

Everything is a pure function of the rows of `history.csv`, so a resumed training decides as one
that was never stopped.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seq2seq.data.pairs import Pairs
from seq2seq.data.task import Task
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.monitor import PREFIX, find_perfect
from seq2seq.runtime.vocabulary import SPECIALS, Vocabulary
from seq2seq.training.arguments import Training

Monitor = tuple[str, str]  # the metric that picks the best weights, and `"max"` or `"min"`
FEW_UPDATES = 200  # in all; hardly any model has begun to learn after so few
GAP = 0.1  # between the shares of right tokens in training and validation: beyond, it overfits
GAIN = 0.1  # of the errors that were left: less in the last quarter of a training is a standstill
ROOM = 0.02  # of errors (shares) that are left: with less all is well


class Plan(NamedTuple):
    """The parts of a configuration that a diagnosis can name.

    Attributes:
        steps: updates in all.
        per_epoch: updates of an epoch.
        chosen: whether the number of updates was chosen, so that few of them are no surprise.
        smoke_test: whether there are so few of them that the curves mean nothing.
        endless: whether no example comes twice, so that none is learned by heart.
        patience: see `Training`.
        longer: the key that would make it twice as long, for example `training.epochs=40`.
        remedies: changes against overfitting that the model does not have yet.
    """

    steps: int
    per_epoch: int
    chosen: bool = False
    smoke_test: bool = False
    endless: bool = False
    patience: int | None = None
    longer: str = "training.epochs"
    remedies: tuple[str, ...] = ()


def make_plan(training: Training, one_pass: int | None, model: Seq2Seq) -> Plan:
    """Make the plan of a training; `one_pass` is its updates, None for a stream."""
    steps, per_epoch = training.plan(one_pass)
    key = "epochs" if training.steps is None else "steps"
    remedies = []
    if model.decoder.attention is None and not model.is_uninformed:
        remedies.append("attention=general")
    if not model.encoder.stack.cell.dropout:
        remedies.append("cell.dropout=0.3")
    return Plan(
        steps,
        per_epoch,
        chosen=training.steps is not None or training.max_steps is not None,
        smoke_test=training.max_steps is not None,
        endless=one_pass is None,
        patience=training.patience,
        longer=f"training.{key}={2 * getattr(training, key)}",
        remedies=tuple(remedies),
    )


def count_stalled_epochs(rows: Sequence[Mapping], monitor: Monitor) -> int:
    """Count the epochs, up to the last one, without a better validation metric (equal is not).

    They count from the epoch in which the metric first changed: until then it is at its worst (an
    exact match stays 0 until a model has learned nearly everything) and does not measure progress.
    A metric that is perfect from the beginning needs no waiting.

    Args:
        rows: of `history.csv`, in order.
        monitor: the metric, and its direction.

    >>> rows = [{"val_exact_match": value} for value in (0, 0, 0, 0.5, 0.4, 0.5)]
    >>> [count_stalled_epochs(rows[:epochs], ("exact_match", "max")) for epochs in (3, 4, 5, 6)]
    [0, 0, 1, 2]
    """
    values = _read_values(rows, monitor)
    if not values:
        return 0
    sign = 1 if monitor[1] == "max" else -1
    first = best = values[0]
    moved, stalled = first == find_perfect(monitor), 0
    for value in values[1:]:
        moved = moved or value != first
        if sign * value > sign * best:
            best, stalled = value, 0
        elif moved:
            stalled += 1
    return stalled


def list_remarks(rows: Sequence[Mapping], monitor: Monitor, plan: Plan, steps: int) -> list[str]:
    """List why a training ended and, unless all is well, what its curves show; a line each.

    Args:
        rows: of `history.csv`.
        monitor: the metric, and its direction.
        plan: of the training.
        steps: updates that were done.
    """
    end = explain_end(rows, monitor, plan, steps)
    if plan.smoke_test:
        return [end]
    finding = diagnose(rows, monitor, plan, stopped_early=steps < plan.steps)
    return [end, finding] if finding else [end]


def explain_end(rows: Sequence[Mapping], monitor: Monitor, plan: Plan, steps: int) -> str:
    """Explain in one line why a training ended."""
    if steps >= plan.steps:
        epochs = -(-steps // plan.per_epoch)
        return f"training ended: all {steps:,} updates are done ({_count(epochs, 'epoch')})"
    stalled = count_stalled_epochs(rows, monitor)
    return (
        f"training stopped early, after {steps:,} of {plan.steps:,} updates: validation "
        f"{_name(monitor)} has not improved for {_count(stalled, 'epoch')}, since epoch "
        f"{len(rows) - stalled} (training.patience={plan.patience}; null: never stop early)"
    )


def diagnose(
    rows: Sequence[Mapping], monitor: Monitor, plan: Plan, stopped_early: bool = False
) -> str:
    """Describe what is wrong with the curves of a training and what to try; `""`: nothing."""
    values = _read_values(rows, monitor)
    if len(values) < 2:
        return ""
    for finding in (_never_moved, _overfits):
        if remarks := finding(rows, values, monitor, plan):
            return remarks
    return "" if stopped_early else _still_improves(values, monitor, plan)


def _never_moved(
    rows: Sequence[Mapping], values: Sequence[float], monitor: Monitor, plan: Plan
) -> str:
    if set(values) != {values[0]} or values[0] == find_perfect(monitor):
        return ""
    first, last = rows[0]["loss"], rows[-1]["loss"]
    stood = f"validation {_name(monitor)} stood at {values[0]:.4g} in all {len(values)} epochs"
    if last > 0.9 * first:
        return (
            f"never moved: the loss went from {first:.4g} to {last:.4g} and {stood}; try another "
            f"optimizer.learning_rate, or more updates ({plan.longer})"
        )
    attention = [row for row in plan.remedies if row.startswith("attention")]
    return (
        f"never moved: {stood}, while the loss fell from {first:.4g} to {last:.4g}; try "
        + ", ".join([f"more updates ({plan.longer})", *attention, "or more examples"])
    )


def _overfits(
    rows: Sequence[Mapping], values: Sequence[float], monitor: Monitor, plan: Plan
) -> str:
    if plan.endless:
        return ""
    earlier, later = _split(values, monitor)
    accuracy = rows[-1].get(PREFIX + "token_accuracy")
    if _error(later, monitor) < ROOM or _gain(earlier, later, monitor) >= GAIN:
        return ""
    loss, name = rows[-1]["loss"], _name(monitor)
    try_this = "; try " + ", ".join([*plan.remedies, "or more examples"])
    if accuracy is None:  # real values: the loss has another unit than the errors
        best = min(values)
        best_epoch = values.index(best)
        if values[-1] <= (1 + GAP) * best or loss >= rows[best_epoch]["loss"]:
            return ""
        return (
            f"overfits: since epoch {best_epoch + 1} validation {name} rose from {best:.4g} to "
            f"{values[-1]:.4g} while the loss fell to {loss:.4g}{try_this}"
        )
    # The loss is the mean negative log-probability of a token, so this is about their share.
    right = math.exp(-loss)
    if right - accuracy < GAP:
        return ""
    return (
        f"overfits: the loss fell to {loss:.4g} (about {right:.0%} of the tokens right in "
        f"training), in validation {accuracy:.0%} of the tokens are right and {name} stands at "
        f"{values[-1]:.4g}{try_this}".replace("%", " %")
    )


def _still_improves(values: Sequence[float], monitor: Monitor, plan: Plan) -> str:
    earlier, later = _split(values, monitor)
    at_the_end = later in values[-max(1, len(values) // 10) :]
    if _error(later, monitor) < ROOM or _gain(earlier, later, monitor) < GAIN or not at_the_end:
        return ""
    return (
        f"still improving at the end: in the last quarter of the epochs validation "
        f"{_name(monitor)} went from {earlier:.4g} to {later:.4g}; train longer, for example "
        f"{plan.longer}"
    )


def _split(values: Sequence[float], monitor: Monitor) -> tuple[float, float]:
    """Return the best value before the last quarter of the epochs, and the best of all."""
    best = max if monitor[1] == "max" else min
    return best(values[: len(values) - max(1, len(values) // 4)]), best(values)


def _error(value: float, monitor: Monitor) -> float:
    """Return how far a value is from perfect, where perfect is 1, 100 or 0; shares from 0 to 1."""
    distance = abs(find_perfect(monitor) - value)
    return distance / 100 if monitor[0] == "bleu" else distance


def _gain(earlier: float, later: float, monitor: Monitor) -> float:
    """Return the share of the errors that went away."""
    left = _error(earlier, monitor)
    return (left - _error(later, monitor)) / left if left else 0.0


def _read_values(rows: Sequence[Mapping], monitor: Monitor) -> list[float]:
    """Return the validation metric of each epoch; none without validation."""
    values = [row.get(PREFIX + monitor[0]) for row in rows]
    return [] if None in values else values


def _name(monitor: Monitor) -> str:
    return monitor[0].replace("_", " ")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)


def list_notes(task: Task, plan: Plan) -> list[str]:
    """List warnings before a training begins: too few updates or symbols."""
    notes = []
    if plan.steps < FEW_UPDATES and not plan.chosen:
        epochs = -(-FEW_UPDATES // plan.per_epoch)
        notes.append(
            f"{_count(plan.steps, 'update')} in all ({plan.per_epoch:,} an epoch): hardly a model "
            f"learns from fewer than {FEW_UPDATES}, which training.epochs={epochs} makes, or a "
            "smaller training.batch_size"
        )
    sides = (("source", task.source), ("target", task.target))
    for name, side in sides if isinstance(task, Pairs) else ():  # generated ones are as wanted
        symbols = side.symbols[len(SPECIALS) :] if isinstance(side, Vocabulary) else ()
        if len(symbols) == 1:
            notes.append(
                f"all {name}s are made of one symbol, {symbols[0]!r}: is that the right column, "
                f"and the right way to split it into tokens (task.{name}_tokens)?"
            )
    return notes
