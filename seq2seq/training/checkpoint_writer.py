"""Exact resume: the content of a checkpoint, when one is written, and how training continues.

A checkpoint has everything that changes while a model trains: the variables of model, optimizer and
loss, the best model so far, and the state of each part with state between updates. The order of the
examples and the teacher forcing masks are pure functions of the update's number, which is enough.
"""

import math
import time
from typing import Protocol

import keras
import numpy as np

from seq2seq.runs.checkpoints import Checkpoint
from seq2seq.runs.files import MODEL
from seq2seq.runtime.atomic import write_whole
from seq2seq.training.signals import Interrupted, Signals
from seq2seq.training.validation import Validation

BEST = "best"  # the array with the file of the best model
ASSUMED_SPEED = 200e6  # bytes per second, before a checkpoint was timed
MIN_SECONDS = 0.01  # of writing a checkpoint


class Stateful(Protocol):
    """Part of the training with state between updates."""

    def state_dict(self) -> dict:
        """State, for JSON."""

    def load_state_dict(self, state: dict) -> None:
        """Set the state."""


def variables(model: keras.Model) -> dict[str, list]:
    """All variables that training changes, each list in an order that the configuration fixes."""
    return {
        "model": model.variables,  # the weights, and the random states of dropout
        "optimizer": model.optimizer.variables,
        "loss": model.metrics_variables,  # its mean over the epoch so far
    }


class CheckpointWriter:
    """Writes checkpoints: as often as their cost allows, when training ends, and at a signal.

    None is written between an epoch's last update and its validation.

    Args:
        validation: has the counters and the run directory.
        parts: other parts with state, by name.
        time_fraction: fraction of the time that checkpoints may take.
        signals: received signals; training ends after the step, with an `Interrupted`.
    """

    def __init__(
        self,
        validation: Validation,
        parts: dict[str, Stateful],
        time_fraction: float,
        signals: Signals,
    ):
        self.validation, self.counters = validation, validation.counters
        self.directory, self.signals = validation.directory, signals
        self.time_fraction = time_fraction
        known_parts = {"counters": self.counters, "validation": validation, "checkpoints": self}
        self.parts = {**known_parts, **parts}
        self.model: keras.Model | None = None
        self.seconds = 0.0  # of all writing
        self._cost, self._last_time = MIN_SECONDS, time.perf_counter()
        self._loss: list[np.ndarray] = []

    def state_dict(self) -> dict:
        """See `Stateful`."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict) -> None:
        """See `Stateful`."""
        self.seconds = state["seconds"]

    def restore_newest(self, model: keras.Model) -> Checkpoint | None:
        """Set `model` (compiled) and all parts to the newest checkpoint, if there is one.

        Raises:
            ValueError: it belongs to another model or version, or all checkpoints are damaged.
        """
        checkpoint = self.directory.checkpoints.newest()
        if checkpoint is None:
            return None
        model.optimizer.build(model.trainable_variables)
        for name, current in variables(model).items():
            values = self._read_values(checkpoint, name, current)
            if name == "loss":
                self._loss = values  # metrics are reset before the epoch begins
                continue
            for variable, value in zip(current, values, strict=True):
                variable.assign(value)
        try:
            for name, part in self.parts.items():
                part.load_state_dict(checkpoint.states[name])
        except (KeyError, TypeError, AttributeError) as error:  # not damaged, but edited
            raise ValueError(
                f"{checkpoint.path} can't be resumed: its states are not those that this version "
                f"of the package writes ({error!r})"
            ) from error
        path = self.directory.path / MODEL
        best = checkpoint.arrays.get(BEST)
        if best is not None and not (path.is_file() and path.read_bytes() == best.tobytes()):
            write_whole(path, best.tobytes())
        self.directory.reopen()
        return checkpoint

    @staticmethod
    def _read_values(checkpoint: Checkpoint, name: str, current: list) -> list[np.ndarray]:
        values = [checkpoint.arrays.get(f"{name}/{number}") for number in range(len(current))]
        for variable, value in zip(current, values, strict=True):
            stored = None if value is None else (str(value.dtype), value.shape)
            if stored != (str(variable.dtype), tuple(variable.shape)):
                raise ValueError(
                    f"{checkpoint.path} is of another model: {variable.path} is "
                    f"{variable.dtype} {tuple(variable.shape)}, there {stored}"
                )
        return values

    def start_clock(self, model: keras.Model) -> None:
        """Start the clock, with an estimate of the cost of a checkpoint."""
        self.model = model
        every = [variable for part in variables(model).values() for variable in part]
        size = sum(4 * math.prod(variable.shape) for variable in every)
        self._cost, self._last_time = MIN_SECONDS + size / ASSUMED_SPEED, time.perf_counter()

    def restore_metrics(self, model: keras.Model) -> None:
        """Continue the mean of the loss, if the epoch was interrupted."""
        if self._loss and self.validation.in_epoch:
            for variable, value in zip(model.metrics_variables, self._loss, strict=True):
                variable.assign(value)
        self._loss = []

    def write_if_due(self, is_last: bool = False) -> None:
        """Write a checkpoint if it is time, if training ends, or at a signal.

        Args:
            is_last: whether training has ended.

        Raises:
            Interrupted: there was a signal, and training has not ended.
        """
        signal = self.signals.received
        if is_last or signal is not None or self._is_due():
            self.write()
        if signal is not None and not is_last:
            raise Interrupted(signal)

    def _is_due(self) -> bool:
        fraction = self.time_fraction
        return fraction > 0 and time.perf_counter() - self._last_time >= self._cost / fraction

    def write(self) -> None:
        """Write a checkpoint.

        Raises:
            OSError: it can't be written.
        """
        start = time.perf_counter()
        states = {name: part.state_dict() for name, part in self.parts.items()}
        arrays = {
            f"{name}/{number}": keras.ops.convert_to_numpy(variable)
            for name, current in variables(self.model).items()
            for number, variable in enumerate(current)
        }
        if self.validation.rows:
            content = (self.directory.path / MODEL).read_bytes()
            arrays[BEST] = np.frombuffer(content, "uint8")
        self.directory.checkpoints.write(self.counters.steps, states, arrays)
        self._last_time = time.perf_counter()
        self._cost = self._last_time - start
        self.seconds += self._cost
