"""What happens around Keras's training steps: evaluation, history, the bar, and the guards.

What remembers anything from update to update has `record` and `restore`, see `keep`.
"""

import contextlib
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seq2seq.data.batching import Batch
from seq2seq.data.task import Example, Task
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.inference.predictor import Predictor
from seq2seq.runs.directory import RunDirectory
from seq2seq.runs.files import HISTORY, MODEL
from seq2seq.runtime.progress import busy
from seq2seq.training.diagnosis import count_stalled_epochs


class LossIsNaN(FloatingPointError):
    """The loss stopped being a finite number; training can't go on.

    Attributes:
        step: the update at which it happened, counted from 1.
    """

    def __init__(self, step: int):
        super().__init__(
            f"the loss is not a finite number at step {step}; lower optimizer.learning_rate "
            "(or clip harder: optimizer.global_clipnorm)"
        )
        self.step = step


class TrainingCounters(keras.callbacks.Callback):
    """Counts updates, examples, real target tokens (ends included), and seconds.

    Batches are made ahead of the updates that use them, so what is in a batch waits here until its
    update is done.

    Args:
        total: updates in all.
        per_epoch: updates an epoch; the last one may have fewer.
        force: `force(shape, step)` draws which steps of a batch read the truth; None: all do.
    """

    def __init__(self, total: int, per_epoch: int, force: Callable | None = None):
        super().__init__()
        self.total, self.per_epoch, self.force = total, per_epoch, force
        self.steps = self.examples = self.target_tokens = 0
        self._ahead: deque[tuple[int, int]] = deque()
        self._before, self._begun = 0.0, None  # seconds of earlier starts, and when this one began

    def record(self) -> dict:
        """What a checkpoint keeps."""
        names = ("steps", "examples", "target_tokens", "seconds")
        return {name: getattr(self, name) for name in names}

    def restore(self, record: dict) -> None:
        """Count on from a checkpoint."""
        self.steps, self.examples = record["steps"], record["examples"]
        self.target_tokens, self._before = record["target_tokens"], record["seconds"]

    @property
    def seconds(self) -> float:
        """Since training began, evaluations included; while it was stopped no time passed."""
        return self._before + (time.perf_counter() - self._begun if self._begun else 0.0)

    @property
    def epoch_is_over(self) -> bool:
        """Whether the last update was the last of its epoch."""
        return self.steps % self.per_epoch == 0 or self.steps == self.total

    def watch(self, batches: Iterable[Batch]) -> Iterator[tuple]:
        """The batches as Keras takes them: inputs, targets, weights."""
        for step, batch in enumerate(batches, self.steps):
            self._ahead.append((len(batch.source), int(batch.target_mask.sum())))
            inputs = batch.inputs
            forced = None if self.force is None else self.force(batch.target_mask.shape, step)
            if forced is not None:
                inputs["teacher_forcing_mask"] = forced
            yield inputs, batch.target_out, batch.weights

    def on_train_begin(self, logs=None):
        """Start the clock."""
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """One update more."""
        examples, target_tokens = self._ahead.popleft()
        self.steps += 1
        self.examples += examples
        self.target_tokens += target_tokens


class StopConditions(keras.callbacks.Callback):
    """Ends epochs and training where they end, and training when the loss is no finite number.

    Args:
        counts: comes before this one, and counts the updates.
    """

    def __init__(self, counts: TrainingCounters):
        super().__init__()
        self.counts = counts

    def on_train_batch_end(self, batch, logs=None):
        """Look at the loss of every update; of an epoch that was cut only the rest is left."""
        if not math.isfinite(logs["loss"]):
            raise LossIsNaN(self.counts.steps)
        if self.counts.epoch_is_over:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        """Let the next epoch begin, if there is one."""
        self.model.stop_training = self.counts.steps >= self.counts.total


class ValidationCallback(keras.callbacks.Callback):
    """After each epoch: free-running predictions on validation, the best weights, the history.

    Writes `model.npz` whenever the monitored metric is the best so far or equals it, so that the
    run directory always holds the best model; without validation examples, after each epoch. A row
    of `history.csv` is an epoch.

    Args:
        predictor: decodes with the model that is being trained.
        task: its metrics, and which of them says what is best.
        validation: the examples; there may be none.
        counts: counts the updates.
        directory: where files go.
    """

    def __init__(
        self,
        predictor: Predictor,
        task: Task,
        validation: Sequence[Example],
        counts: TrainingCounters,
        directory: RunDirectory,
    ):
        super().__init__()
        self.predictor, self.task, self.validation = predictor, task, validation
        self.counts, self.directory = counts, directory
        self.rows: list[dict] = []
        self.best: float | None = None
        self.train_seconds, self.train_tokens = 0.0, 0  # of whole epochs, without evaluation
        self._before, self._begun = 0.0, 0.0  # seconds of this epoch before it was cut

    def record(self) -> dict:
        """What a checkpoint keeps."""
        epoch = time.perf_counter() - self._begun if self.in_epoch else 0.0
        names = ("rows", "best", "train_seconds", "train_tokens")
        return {name: getattr(self, name) for name in names} | {"epoch": epoch}

    def restore(self, record: dict) -> None:
        """Go on from a checkpoint, whose rows are the history again."""
        self.rows, self.best = record["rows"], record["best"]
        self.train_seconds, self.train_tokens = record["train_seconds"], record["train_tokens"]
        self._before = record["epoch"]
        if self.rows:
            self.directory.write_rows(HISTORY, self.rows)

    @property
    def in_epoch(self) -> bool:
        """Whether there were updates since the last evaluation."""
        return self.counts.steps > (self.rows[-1]["step"] if self.rows else 0)

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock of training proper."""
        self._begun, self._before = time.perf_counter() - self._before, 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Evaluate; what is added to `logs` reaches the callbacks that come after this one."""
        speed = self.speed()
        self.train_seconds += time.perf_counter() - self._begun
        self.train_tokens = self.counts.target_tokens
        row = {
            "epoch": epoch + 1,
            "step": self.counts.steps,
            "loss": logs["loss"],
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        row |= self._validate()
        logs |= {key: value for key, value in row.items() if key.startswith("val_")}
        row |= {"seconds": self.train_seconds, "target_tokens_per_second": speed}
        self._keep_best(row)
        self.rows.append(row)
        self.directory.write_rows(HISTORY, self.rows)

    def speed(self) -> float:
        """Target tokens a second in this epoch so far."""
        tokens = self.counts.target_tokens - self.train_tokens
        return tokens / (time.perf_counter() - self._begun)

    def _validate(self) -> dict:
        if not self.validation:
            return {}
        metrics = evaluate(self.predictor, self.validation, self.task.metrics).metrics()
        return {f"val_{key}": value for key, value in metrics.items() if isinstance(value, float)}

    def _keep_best(self, row: dict) -> None:
        name, direction = self.task.monitor
        value = row.get(f"val_{name}")
        if value is None:
            self.predictor.save(self.directory.path / MODEL)
            return
        signed = value if direction == "max" else -value
        if self.best is None or signed >= self.best:  # of equals the later one, further annealed
            self.best = signed
            self.predictor.save(self.directory.path / MODEL)


class EarlyStopping(keras.callbacks.Callback):
    """Stops after `patience` epochs in a row without a better validation metric (equal is not).

    They count once the metric has moved, see `count_stalled_epochs`. With None it never stops, and
    neither does it without validation. It remembers nothing: the history says all.
    """

    def __init__(self, patience: int | None, evaluate: ValidationCallback):
        super().__init__()
        self.patience, self.evaluate = patience, evaluate

    @property
    def is_over(self) -> bool:
        """Whether it has waited long enough."""
        if self.patience is None:
            return False
        rows, monitor = self.evaluate.rows, self.evaluate.task.monitor
        return count_stalled_epochs(rows, monitor) >= self.patience

    def on_epoch_end(self, epoch, logs=None):
        """Look at the history, of which the epoch's evaluation is the last row."""
        if self.is_over:
            self.model.stop_training = True


class Bar(keras.callbacks.Callback):
    """Progress on standard error: a bar with speed and time left, and a line each epoch.

    Where standard error is no terminal there are lines only.

    Args:
        steps: updates in all.
        evaluate: comes before this one, and has the rows of the history.
        notes: what to say before the first update, a line each.
    """

    def __init__(self, steps: int, evaluate: ValidationCallback, notes: Sequence[str] = ()):
        super().__init__()
        self.steps, self.evaluate, self.notes = steps, evaluate, notes
        console = Console(file=sys.stderr, highlight=False)
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.bar = self.progress.add_task("training", total=steps, speed="")
        self.shown = contextlib.ExitStack()

    def on_train_begin(self, logs=None):
        """Say what begins, and show the bar."""
        done = self.evaluate.counts.steps
        self.progress.console.print(
            f"{self.model.count_params():,} parameters, {self.steps:,} steps"
            + (f", going on after step {done:,}" if done else "")
            + f"; kept in {self.evaluate.directory.path}",
            soft_wrap=True,
        )
        for note in () if done else self.notes:
            self.progress.console.print(f"note: {note}", soft_wrap=True, markup=False)
        self.progress.update(self.bar, completed=done)
        self.shown.enter_context(busy())  # an evaluation shows no bar beside this one
        self.progress.start()

    def on_train_batch_end(self, batch, logs=None):
        """Move the bar."""
        speed = f"{self.evaluate.speed():,.0f} tokens/s"
        self.progress.update(self.bar, advance=1, speed=speed)

    def on_epoch_end(self, epoch, logs=None):
        """One line: where training stands."""
        row = self.evaluate.rows[-1]
        left = (self.steps - row["step"]) * row["seconds"] / row["step"]
        parts = [
            f"epoch {row['epoch']}",
            f"step {row['step']:,}/{self.steps:,}",
            f"loss {row['loss']:.4f}",
        ]
        for key in ("exact_match", "word_error_rate", "mae", "rmse"):
            if (value := row.get(f"val_{key}")) is not None:
                parts.append(f"{key.replace('_', ' ')} {value:.4f}")
        parts += [
            f"{row['target_tokens_per_second']:,.0f} tokens/s",
            f"{row['seconds']:.0f} s",
            f"{left:.0f} s left",
        ]
        self.progress.console.print("  ".join(parts), soft_wrap=True)

    def close(self) -> None:
        """Take the bar away, also after an error."""
        self.progress.stop()
        self.shown.close()
