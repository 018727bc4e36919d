"""Exact resume: what a checkpoint holds, when one is written, and how training goes on from it.

It holds all that changes while a model trains: the variables of model, optimiser and loss, the best
model so far, and a record of each part that remembers anything from update to update. The order of
the examples and the draws of forcing are pure functions of the update's number, so of them the
number is enough.
"""

import math
import time
from typing import Protocol

import keras
import numpy as np

from seq2seq.runs.checkpoints import Checkpoint
from seq2seq.runs.files import MODEL
from seq2seq.runtime.atomic import write_whole
from seq2seq.training.callbacks import ValidationCallback
from seq2seq.training.signals import Interrupted, Signals

BEST = "best"  # the array that is the file of the best model
SPEED = 200e6  # bytes a second that writing is trusted with before it was measured
LEAST = 0.01  # seconds that it takes at least


class Part(Protocol):
    """A part of the training that remembers something from update to update."""

    def record(self) -> dict:
        """What it remembers, as JSON knows it."""

    def restore(self, record: dict) -> None:
        """Remember what `record` says."""


def variables(model: keras.Model) -> dict[str, list]:
    """All variables that training changes, each list in an order that the configuration fixes."""
    return {
        "model": model.variables,  # the weights, and the random states of dropout
        "optimizer": model.optimizer.variables,
        "loss": model.metrics_variables,  # its mean over the epoch so far
    }


class CheckpointCallback(keras.callbacks.Callback):
    """Writes checkpoints: as often as their cost allows, when training ends, and at a signal.

    It comes last of the callbacks, so that all that a step did is in the step's checkpoint. None
    is written between an epoch's last step and its evaluation.

    Args:
        evaluation: knows the run directory, and where training stands.
        parts: whatever else remembers anything beside the variables, by name.
        share: of the time that may go into checkpoints.
        signals: those that came; training ends after the step, with an `Interrupted`.
    """

    def __init__(
        self,
        evaluation: ValidationCallback,
        parts: dict[str, Part],
        time_fraction: float,
        signals: Signals,
    ):
        super().__init__()
        self.evaluation, self.counts = evaluation, evaluation.counts
        self.directory, self.share, self.signals = evaluation.directory, time_fraction, signals
        self.parts = {"counts": self.counts, "evaluation": evaluation, **parts, "keep": self}
        self.seconds = 0.0  # that all writing took
        self._cost, self._since = LEAST, time.perf_counter()
        self._loss: list[np.ndarray] = []

    def record(self) -> dict:
        """See `Part`."""
        return {"seconds": self.seconds}

    def restore(self, record: dict) -> None:
        """See `Part`."""
        self.seconds = record["seconds"]

    def go_on(self, model: keras.Model) -> Checkpoint | None:
        """Let `model` (compiled) and all parts be as the newest checkpoint says, if there is one.

        Raises:
            ValueError: it is of another model or version, or none of those that are there is whole.
        """
        checkpoint = self.directory.checkpoints.newest()
        if checkpoint is None:
            return None
        model.optimizer.build(model.trainable_variables)
        for name, ours in variables(model).items():
            values = self._values(checkpoint, name, ours)
            if name == "loss":
                self._loss = values  # Keras resets the metrics before the epoch begins
                continue
            for variable, value in zip(ours, values, strict=True):
                variable.assign(value)
        try:
            for name, part in self.parts.items():
                part.restore(checkpoint.record[name])
        except (KeyError, TypeError, AttributeError) as error:  # whole, and made by hand
            raise ValueError(
                f"{checkpoint.path} can't be gone on from: its record is not what this version of "
                f"the package writes ({error!r})"
            ) from error
        path = self.directory.path / MODEL
        best = checkpoint.arrays.get(BEST)
        if best is not None and not (path.is_file() and path.read_bytes() == best.tobytes()):
            write_whole(path, best.tobytes())
        self.directory.reopen()
        return checkpoint

    @staticmethod
    def _values(checkpoint: Checkpoint, name: str, ours: list) -> list[np.ndarray]:
        values = [checkpoint.arrays.get(f"{name}/{number}") for number in range(len(ours))]
        for variable, value in zip(ours, values, strict=True):
            described = None if value is None else (str(value.dtype), value.shape)
            if described != (str(variable.dtype), tuple(variable.shape)):
                raise ValueError(
                    f"{checkpoint.path} is of another model: {variable.path} is "
                    f"{variable.dtype} {tuple(variable.shape)}, there {described}"
                )
        return values

    def on_train_begin(self, logs=None):
        """Start the clock, with a guess of what a checkpoint will cost."""
        every = [part for ours in variables(self.model).values() for part in ours]
        size = sum(4 * math.prod(variable.shape) for variable in every)
        self._cost, self._since = LEAST + size / SPEED, time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        """Of an epoch that was cut, the mean of the loss goes on."""
        if self._loss and self.evaluation.in_epoch:
            for variable, value in zip(self.model.metrics_variables, self._loss, strict=True):
                variable.assign(value)
        self._loss = []

    def on_train_batch_end(self, batch, logs=None):
        """After a step; after an epoch's last one comes its evaluation first."""
        if not self.counts.epoch_is_over:
            self._maybe_write(ended=False)

    def on_epoch_end(self, epoch, logs=None):
        """After an epoch's evaluation."""
        self._maybe_write(ended=self.model.stop_training)

    def _maybe_write(self, ended: bool) -> None:
        signal = self.signals.received
        if ended or signal is not None or self._is_due():
            self.write()
        if signal is not None and not ended:
            raise Interrupted(signal)

    def _is_due(self) -> bool:
        return self.share > 0 and time.perf_counter() - self._since >= self._cost / self.share

    def write(self) -> None:
        """Write a checkpoint of this moment.

        Raises:
            OSError: it can't be written.
        """
        begun = time.perf_counter()
        record = {name: part.record() for name, part in self.parts.items()}
        arrays = {
            f"{name}/{number}": keras.ops.convert_to_numpy(variable)
            for name, ours in variables(self.model).items()
            for number, variable in enumerate(ours)
        }
        if self.evaluation.rows:
            content = (self.directory.path / MODEL).read_bytes()
            arrays[BEST] = np.frombuffer(content, "uint8")
        self.directory.checkpoints.write(self.counts.steps, record, arrays)
        self._since = time.perf_counter()
        self._cost = self._since - begun
        self.seconds += self._cost
