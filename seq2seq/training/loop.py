"""The training loop: updates, and after each epoch validation, the best model, a checkpoint."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import keras

from seq2seq.data.batching import Batch
from seq2seq.layers.backend import to_dataset
from seq2seq.models.train_step import ShardedTrainStep


class LossIsNaN(FloatingPointError):
    """Error: the loss is no finite number any more; training can't continue.

    Attributes:
        step: the update at which it happened, counted from 1.
    """

    def __init__(self, step: int):
        super().__init__(
            f"the loss is not a finite number at step {step}; lower optimizer.learning_rate "
            "(or clip harder: optimizer.global_clipnorm)"
        )
        self.step = step


class TrainingCounters:
    """Counts updates, examples, real target tokens (ends included), and seconds.

    Batches are made ahead of the updates that use them, so the counts of a batch wait in a queue
    until its update is done.

    Args:
        total: number of updates of the training.
        per_epoch: updates per epoch; the last one may have fewer.
        draw_mask: `draw_mask(shape, step)` draws a teacher forcing mask; None: all True.
    """

    def __init__(self, total: int, per_epoch: int, draw_mask: Callable | None = None):
        self.total, self.per_epoch, self.draw_mask = total, per_epoch, draw_mask
        self.steps = self.examples = self.target_tokens = 0
        self._queue: deque[tuple[int, int]] = deque()
        self._earlier_seconds, self._start = 0.0, None  # of earlier runs; of the clock

    def state_dict(self) -> dict:
        """Counts, for a checkpoint."""
        names = ("steps", "examples", "target_tokens", "seconds")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict) -> None:
        """Continue from the counts of a checkpoint."""
        self.steps, self.examples = state["steps"], state["examples"]
        self.target_tokens, self._earlier_seconds = state["target_tokens"], state["seconds"]

    @property
    def seconds(self) -> float:
        """Seconds of training, evaluations included, without the time between runs."""
        current = time.perf_counter() - self._start if self._start else 0.0
        return self._earlier_seconds + current

    @property
    def is_finished(self) -> bool:
        """Whether all updates are done."""
        return self.steps >= self.total

    @property
    def epoch_is_over(self) -> bool:
        """Whether the last update was the last of its epoch."""
        return self.steps % self.per_epoch == 0 or self.is_finished

    def start_clock(self) -> None:
        """Start to count seconds."""
        self._start = time.perf_counter()

    def feed(self, batches: Iterable[Batch]) -> Iterator[tuple]:
        """Convert batches for Keras: inputs, targets, weights."""
        for step, batch in enumerate(batches, self.steps):
            self._queue.append((len(batch.source), int(batch.target_mask.sum())))
            inputs = batch.inputs
            mask = None if self.draw_mask is None else self.draw_mask(batch.target_mask.shape, step)
            if mask is not None:
                inputs["teacher_forcing_mask"] = mask
            yield inputs, batch.target_out, batch.weights

    def count(self) -> None:
        """Count an update."""
        examples, target_tokens = self._queue.popleft()
        self.steps += 1
        self.examples += examples
        self.target_tokens += target_tokens


def run_training_loop(
    model: keras.Model,
    batches: Iterable[Batch],
    counters: TrainingCounters,
    validation,
    checkpoints,
    callbacks: keras.callbacks.CallbackList,
    patience: int | None,
) -> None:
    """Update `model` until all updates are done or training stops.

    Args:
        model: compiled.
        batches: from the update on that `counters` has reached.
        counters: of the training.
        validation: a `Validation`.
        checkpoints: a `CheckpointWriter`.
        callbacks: any of Keras's, called as `fit` does.
        patience: see `Training`.

    Raises:
        Interrupted: a signal ended training, after a step.
        LossIsNaN: the loss is no finite number.
    """
    batches, update = iter(to_dataset(counters.feed(batches))), make_update(model)
    model.stop_training = False
    callbacks.on_train_begin()
    counters.start_clock()
    checkpoints.start_clock(model)
    while not counters.is_finished and not model.stop_training:
        epoch, first_step = divmod(counters.steps, counters.per_epoch)
        model.reset_metrics()
        checkpoints.restore_metrics(model)  # of an epoch that was interrupted
        validation.start_clock()
        callbacks.on_epoch_begin(epoch)
        while True:
            batch, step = next(batches), counters.steps - epoch * counters.per_epoch
            callbacks.on_train_batch_begin(step)
            logs = update(batch)
            counters.count()
            check_loss(logs["loss"], counters.steps)
            callbacks.on_train_batch_end(step, logs)
            if counters.epoch_is_over or model.stop_training:
                break
            checkpoints.write_if_due()
        logs = {name: float(value) for name, value in logs.items()}
        logs |= validation.run(model, epoch, logs)  # writes the best model, and the history
        callbacks.on_epoch_end(epoch, logs)
        if counters.is_finished or validation.has_stalled(patience):
            model.stop_training = True
        checkpoints.write_if_due(is_last=model.stop_training)
    callbacks.on_train_end(logs)


def make_update(model: keras.Model) -> Callable[[tuple], dict]:
    """Function from a batch to the metrics after an update by it."""
    model.make_train_function()
    if isinstance(model.train_function, ShardedTrainStep):
        return model.train_function.update
    return lambda batch: model.train_on_batch(*batch, return_dict=True)


def check_loss(loss: float, step: int) -> None:
    """Raise a LossIsNaN unless the loss is finite."""
    if not math.isfinite(loss):
        raise LossIsNaN(step)
