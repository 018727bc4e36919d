"""The trainer: trains and evaluates a model, and writes the run directory."""

import math
import signal
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras

from seq2seq.data.batching import Batches, encode_row
from seq2seq.data.task import Task, evenly_spaced, representative_examples
from seq2seq.evaluation.evaluate import Evaluation, evaluate, format_predictions
from seq2seq.inference.artifact import describe_model
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.loading import load
from seq2seq.inference.predictor import Predictor
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.directory import RunDirectory
from seq2seq.runs.files import MODEL
from seq2seq.runs.monitor import summarize_validation
from seq2seq.training.arguments import Training
from seq2seq.training.checkpoint_writer import CheckpointWriter
from seq2seq.training.diagnosis import list_notes, list_remarks, make_plan
from seq2seq.training.initialization import initialize_as_pytorch
from seq2seq.training.loop import LossIsNaN, TrainingCounters, run_training_loop
from seq2seq.training.losses import PerExample, cross_entropy, squared_error
from seq2seq.training.progress_bar import ProgressBar
from seq2seq.training.signals import Interrupted, Signals
from seq2seq.training.validation import Validation


class TrainingResult(NamedTuple):
    """Result of a run.

    Attributes:
        summary: content of `summary.json`.
        evaluation: the test, example by example.
        error: exception that stopped training; None if it finished or stopped early.
        remarks: why training ended, and problems that its curves show.
    """

    summary: dict
    evaluation: Evaluation
    error: BaseException | None
    remarks: Sequence[str] = ()


class FitResult(NamedTuple):
    """Result of `fit`.

    Attributes:
        figures: `train` of `summary.json`.
        rows: of `history.csv`.
        error, remarks: see `TrainingResult`.
    """

    figures: dict
    rows: list[dict]
    error: BaseException | None
    remarks: Sequence[str]


def longest_lengths(task: Task) -> tuple[int, int]:
    """Steps of the longest source and of the longest target in training (of a stream: a sample)."""
    examples = representative_examples(task.examples("train"))
    source = max(examples, key=lambda example: len(task.source.tokens(example.source)))
    target = max(examples, key=lambda example: len(task.target.tokens(example.target)))
    return len(encode_row(source.source, task.source)), len(encode_row(target.target, task.target))


class Trainer:
    """Trains a model on a task, evaluates it, and writes a run directory.

    Everything that can be wrong with the arguments is refused here, before anything is written.

    Args:
        task: examples and metrics.
        model: with fresh weights, which PyTorch's replace (`training.initialization`).
        make_optimizer: makes an optimizer, given the number of updates.
        training: training arguments.
        names: names of `task` and `model`, for the summary.
        decoding: decoding options.
        seed: seed of the order of examples.

    Raises:
        ValueError: an argument does not fit the model or the task.
    """

    def __init__(
        self,
        task: Task,
        model: Seq2Seq,
        make_optimizer: Callable[[int], keras.optimizers.Optimizer],
        training: Training,
        *,
        names: dict[str, str],
        decoding: Decoding,
        seed: int,
    ):
        check_start(model, training)
        if training.initialization == "pytorch":
            initialize_as_pytorch(model, seed)
        self.task, self.model, self.training = task, model, training
        self.names, self.seed = names, seed
        self.loss = make_loss(model, training)
        self.batches = make_batches(task, training, seed, model.copies_symbols)
        self.total, self.per_epoch = training.plan(self.batches.steps_per_epoch)
        self.optimizer = make_optimizer(self.total)
        longest_source, longest_target = longest_lengths(task)
        settings = {
            **names,
            "metrics": task.metrics,
            "oracle_length": task.oracle_length,
            "longest_source": longest_source,
            "longest_target": longest_target,
            "target_length": task.target_length,
            "columns": task.columns,
            "comment": task.comment,
        }
        self.predictor = Predictor(model, task.source, task.target, decoding, settings)
        self.predictor.plan()  # the decoding options fit the model

    def run(
        self,
        directory: RunDirectory,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        show_progress: bool = True,
    ) -> TrainingResult:
        """Train, evaluate the best weights on the test split, and write the run directory.

        Where the run directory has checkpoints, training resumes from the newest, and the result is
        that of an uninterrupted training, bit for bit. SIGINT (Ctrl-C), SIGTERM and a loss that is
        not finite end training, not the run: the best weights so far are tested and the summary is
        written. Only a second signal ends the run at once. Where signals can't be handled, outside
        of the main thread, a KeyboardInterrupt ends training in the same way, but in the middle of
        a step: it resumes from the last checkpoint.

        Args:
            directory: the run directory.
            callbacks: any of Keras's, called as `fit` does; they see the metrics of `history.csv`.
            show_progress: whether a bar and a line for each epoch are shown on standard error.

        Raises:
            LossIsNaN: the loss was not finite before there were any weights to save.
        """
        task = self.task
        test = evenly_spaced(task.examples("test"), self.training.max_eval_examples)
        with Signals() as signals:
            result = self._fit(directory, signals, callbacks, show_progress)
            best = load(directory.path)
            evaluation = evaluate(best, test, task.metrics, oracle_length=task.oracle_length)
            directory.write("predictions.tsv", format_predictions(evaluation))
            summary = {
                **self.names,
                "seed": self.seed,
                "parameters": self.model.count_params(),
                "validation": summarize_validation(result.rows, task.monitor),
                "test": evaluation.metrics(),
                "train": result.figures,
            }
            directory.complete(summary)
        error = result.error
        if error is None and signals.received is not None:  # it came after training
            error = Interrupted(signals.received)
        remarks = () if error is not None else result.remarks
        return TrainingResult(summary, evaluation, error, remarks)

    def _fit(
        self,
        directory: RunDirectory,
        signals: Signals,
        callbacks: Sequence[keras.callbacks.Callback],
        show_progress: bool,
    ) -> FitResult:
        """Train the model; the best one is `model.npz` of the directory.

        Training resumes from the newest checkpoint of `directory`, if there is one.
        """
        training, task, predictor = self.training, self.task, self.predictor
        total, per_epoch = self.total, self.per_epoch
        curriculum, model = training.curriculum, self.model
        if curriculum is not None:
            self.batches.curriculum_fraction = lambda step: curriculum.fraction(step / total)

        def draw_mask(shape: tuple[int, int], step: int):
            return training.forcing.draw(shape, self.seed, step, total)

        model.compile(self.optimizer, self.loss, jit_compile=False)
        counters = TrainingCounters(total, per_epoch, draw_mask)
        examples = evenly_spaced(task.examples("validation"), training.max_eval_examples)
        validation = Validation(predictor, task, examples, counters, directory)
        plan = make_plan(training, self.batches.steps_per_epoch, model)
        # The counts of calls decide what XLA compiles, which changes bits.
        fraction = training.checkpoint_time_fraction
        checkpoints = CheckpointWriter(validation, {"calls": model.calls}, fraction, signals)
        checkpoints.restore_newest(model)
        bar = ProgressBar(total, validation, list_notes(task, plan), show_progress)
        callbacks = [bar, *callbacks]
        error = None
        try:
            with warnings.catch_warnings():
                if model.is_uninformed:  # its encoder learns nothing, on purpose
                    warnings.filterwarnings("ignore", "Gradients do not exist")
                if not counters.is_finished and not validation.has_stalled(training.patience):
                    run_training_loop(
                        model,
                        self.batches.iterate(counters.steps),
                        counters,
                        validation,
                        checkpoints,
                        keras.callbacks.CallbackList(
                            callbacks,
                            model=model,
                            epochs=math.ceil(total / per_epoch),
                            steps=per_epoch,
                            verbose=0,
                        ),
                        training.patience,
                    )
        except (Interrupted, LossIsNaN) as caught:
            error = caught
        except KeyboardInterrupt:
            if signals.received is not None:  # the second: it ends the run at once
                raise
            error = Interrupted(signal.SIGINT)  # without a handler, as in a thread
        finally:
            bar.close()
        if not validation.rows:
            if isinstance(error, LossIsNaN):
                raise error
            predictor.save(directory.path / MODEL)  # interrupted before the first validation
        figures, rows = _figures(validation, checkpoints, error), validation.rows
        return FitResult(
            figures, rows, error, list_remarks(rows, task.monitor, plan, counters.steps)
        )


def make_batches(task: Task, training: Training, seed: int, copying: bool = False) -> Batches:
    """Make the training batches.

    Raises:
        ValueError: examples of a stream can't be drawn with replacement.
    """
    return Batches(
        task.examples("train"),
        task.source,
        task.target,
        training.batch_size,
        seed,
        copying=copying,
        replacement=training.replacement,
    )


def make_loss(model: Seq2Seq, training: Training) -> keras.losses.Loss:
    """Make the loss for the targets of `model`.

    Raises:
        ValueError: label smoothing without a fixed set of tokens, or beside a loss of the user's
            own; a loss that is no mean by weights; or a loss by examples beside the coverage loss,
            which is by tokens.
    """
    smoothing = training.label_smoothing
    is_regression = model.decoder.features is not None
    if smoothing and (is_regression or model.copies_symbols):
        reason = (
            "real values have no labels"
            if is_regression
            else "a pointer's symbols differ by source"
        )
        raise ValueError(f"training.label_smoothing={smoothing}: {reason}; set it to 0")
    if training.loss is not None:
        loss = check_custom_loss(training.loss, smoothing)
    else:
        loss = squared_error() if is_regression else cross_entropy(smoothing)
    if training.normalization == "tokens":
        return loss
    if model.decoder.attention is not None and model.decoder.attention.coverage:
        raise ValueError(
            f"training.normalization={training.normalization}: the loss of attention.coverage is "
            "divided by tokens; choose tokens for both, or attention.coverage=false"
        )
    return PerExample(loss)


def check_custom_loss(loss: object, label_smoothing: float) -> keras.losses.Loss:
    """Return a loss of the user's own.

    Raises:
        ValueError: it is no loss, padding would change its mean, or labels would be smoothed.
    """
    if not isinstance(loss, keras.losses.Loss):
        raise ValueError(f"training.loss must be a keras.losses.Loss, got {loss!r}")
    if loss.reduction != "mean_with_sample_weight":
        raise ValueError(
            f"training.loss: {type(loss).__name__} has reduction={loss.reduction!r}, by which "
            'padding changes the mean: reduction="mean_with_sample_weight"'
        )
    if label_smoothing:
        raise ValueError(
            f"training.label_smoothing={label_smoothing}: the loss is your own; set it to 0"
        )
    return loss


def check_start(model: Seq2Seq, training: Training) -> None:
    """Check that the model can be saved, and that the initial weights are set by one setting only.

    Raises:
        ValueError: see `describe_model`; or a forget bias or an initializer beside PyTorch's
            initial weights.
    """
    describe_model(model)
    for part in (model.encoder, model.decoder):
        initial = {
            "cell.forget_bias": part.stack.cell.forget_bias,
            "cell.kernel_initializer": part.stack.cell.kernel_initializer,
            "cell.recurrent_initializer": part.stack.cell.recurrent_initializer,
            "embeddings_initializer": part.get_config()["embeddings_initializer"],
        }
        for name, value in initial.items():
            if training.initialization == "pytorch" and value is not None:
                raise ValueError(
                    f"{name}={value}: training.initialization=pytorch draws the weights; choose "
                    f"{name}=null, or training.initialization=keras"
                )


def _figures(
    validation: Validation, checkpoints: CheckpointWriter, error: BaseException | None
) -> dict:
    """`train` of `summary.json`."""
    counters = validation.counters
    tokens, seconds = validation.train_tokens, validation.train_seconds
    if not validation.rows:
        tokens, seconds = counters.target_tokens, counters.seconds
    return {
        "seconds": round(counters.seconds, 2),
        "steps": counters.steps,
        "examples": counters.examples,
        "target_tokens_per_second": round(tokens / seconds, 1) if seconds else 0.0,
        "checkpoint_seconds": round(checkpoints.seconds, 3),
        "stopped": _describe_end(error, counters.is_finished),
    }


def _describe_end(error: BaseException | None, is_finished: bool) -> str:
    if error is not None:
        return "nan" if isinstance(error, LossIsNaN) else "interrupted"
    return "finished" if is_finished else "early"
