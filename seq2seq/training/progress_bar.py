"""Progress of a training on standard error: a bar, and a line for each epoch."""

import contextlib
import sys
from collections.abc import Sequence

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seq2seq.runtime.progress import busy
from seq2seq.runtime.verbosity import is_quiet
from seq2seq.training.validation import Validation


class ProgressBar(keras.callbacks.Callback):
    """Bar with speed and time left, and a line for each epoch.

    Where standard error is no terminal there are lines only, and a quiet command has none.

    Args:
        steps: number of updates of the training.
        validation: has the rows of the history.
        notes: lines to print before the first update.
        shown: whether anything is shown at all.
    """

    def __init__(
        self, steps: int, validation: Validation, notes: Sequence[str] = (), shown: bool = True
    ):
        super().__init__()
        self.steps, self.validation, self.notes = steps, validation, notes
        console = Console(file=sys.stderr, highlight=False, quiet=is_quiet() or not shown)
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=console.quiet or not console.is_terminal,
        )
        self.bar = self.progress.add_task("training", total=steps, speed="")
        self.visible = contextlib.ExitStack()

    def on_train_begin(self, logs=None):
        """Print the number of parameters and updates, and show the bar."""
        done = self.validation.counters.steps
        self.progress.console.print(
            f"{self.model.count_params():,} parameters, {self.steps:,} steps"
            + (f", resuming after step {done:,}" if done else "")
            + f"; run directory {self.validation.directory.path}",
            soft_wrap=True,
        )
        for note in () if done else self.notes:
            self.progress.console.print(f"note: {note}", soft_wrap=True, markup=False)
        self.progress.update(self.bar, completed=done)
        self.visible.enter_context(busy())  # an evaluation shows no bar beside this one
        self.progress.start()

    def on_train_batch_end(self, batch, logs=None):
        """Advance the bar."""
        speed = f"{self.validation.tokens_per_second():,.0f} tokens/s"
        self.progress.update(self.bar, advance=1, speed=speed)

    def on_epoch_end(self, epoch, logs=None):
        """Print a line with the metrics of the epoch."""
        row = self.validation.rows[-1]
        seconds_left = (self.steps - row["step"]) * row["seconds"] / row["step"]
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
            f"{seconds_left:.0f} s left",
        ]
        self.progress.console.print("  ".join(parts), soft_wrap=True)

    def close(self) -> None:
        """Remove the bar, also after an error."""
        self.progress.stop()
        self.visible.close()
