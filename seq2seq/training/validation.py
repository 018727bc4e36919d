"""Validation after each epoch: free-running predictions, the best model, and the history."""

import time
from collections.abc import Sequence

import keras

from seq2seq.data.task import Example, Task
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.inference.predictor import Predictor
from seq2seq.runs.directory import RunDirectory
from seq2seq.runs.files import HISTORY, MODEL
from seq2seq.training.diagnosis import count_stalled_epochs
from seq2seq.training.loop import TrainingCounters


class Validation:
    """Evaluates after each epoch, saves the best model, and writes `history.csv`.

    `model.npz` is written whenever the monitored metric is the best so far or equals it, so that
    the run directory always has the best model; without validation examples, after each epoch. A
    row of `history.csv` is an epoch.

    Args:
        predictor: of the model that is being trained.
        task: its metrics, and the one that is monitored.
        examples: of the validation split; there may be none.
        counters: of the training.
        directory: of the run.
    """

    def __init__(
        self,
        predictor: Predictor,
        task: Task,
        examples: Sequence[Example],
        counters: TrainingCounters,
        directory: RunDirectory,
    ):
        self.predictor, self.task, self.examples = predictor, task, examples
        self.counters, self.directory = counters, directory
        self.rows: list[dict] = []
        self.best: float | None = None
        self.train_seconds, self.train_tokens = 0.0, 0  # of whole epochs, without evaluation
        self._earlier_seconds, self._start = 0.0, 0.0  # of an interrupted epoch; of the clock

    def state_dict(self) -> dict:
        """History and clock, for a checkpoint."""
        epoch = time.perf_counter() - self._start if self.in_epoch else 0.0
        names = ("rows", "best", "train_seconds", "train_tokens")
        return {name: getattr(self, name) for name in names} | {"epoch": epoch}

    def load_state_dict(self, state: dict) -> None:
        """Continue from a checkpoint; its rows are the history again."""
        self.rows, self.best = state["rows"], state["best"]
        self.train_seconds, self.train_tokens = state["train_seconds"], state["train_tokens"]
        self._earlier_seconds = state["epoch"]
        if self.rows:
            self.directory.write_rows(HISTORY, self.rows)

    @property
    def in_epoch(self) -> bool:
        """Whether there were updates since the last validation."""
        return self.counters.steps > (self.rows[-1]["step"] if self.rows else 0)

    def start_clock(self) -> None:
        """Start to measure the time of an epoch's updates."""
        self._start, self._earlier_seconds = time.perf_counter() - self._earlier_seconds, 0.0

    def run(self, model: keras.Model, epoch: int, logs: dict) -> dict:
        """Evaluate after `epoch`; save the model if it is the best; return the metrics."""
        speed = self.tokens_per_second()
        self.train_seconds += time.perf_counter() - self._start
        self.train_tokens = self.counters.target_tokens
        row = {
            "epoch": epoch + 1,
            "step": self.counters.steps,
            "loss": logs["loss"],
            "learning_rate": float(model.optimizer.learning_rate),
        }
        metrics = self._evaluate()
        row |= metrics
        row |= {"seconds": self.train_seconds, "target_tokens_per_second": speed}
        self._save_best(row)
        self.rows.append(row)
        self.directory.write_rows(HISTORY, self.rows)
        return metrics

    def tokens_per_second(self) -> float:
        """Target tokens per second in this epoch so far."""
        tokens = self.counters.target_tokens - self.train_tokens
        return tokens / (time.perf_counter() - self._start)

    def has_stalled(self, patience: int | None) -> bool:
        """Whether there were `patience` epochs in a row without a better metric.

        See `count_stalled_epochs`. It has no state: the history is enough.
        """
        if patience is None:
            return False
        return count_stalled_epochs(self.rows, self.task.monitor) >= patience

    def _evaluate(self) -> dict:
        if not self.examples:
            return {}
        metrics = evaluate(self.predictor, self.examples, self.task.metrics).metrics()
        return {f"val_{key}": value for key, value in metrics.items() if isinstance(value, float)}

    def _save_best(self, row: dict) -> None:
        name, direction = self.task.monitor
        value = row.get(f"val_{name}")
        signed = None if value is None else value if direction == "max" else -value
        # Of equals the later one, further annealed; without validation, always.
        if signed is None or self.best is None or signed >= self.best:
            self.best = signed
            self.predictor.save(self.directory.path / MODEL)
