"""The trainer: from a task, a model and an optimiser to a run directory with a judged model."""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras

from seq2seq.data.batching import Batches, encode_row
from seq2seq.data.task import SAMPLED, Stream, Task
from seq2seq.evaluation.evaluate import Evaluation, evaluate, format_predictions
from seq2seq.inference.artifact import describe_model
from seq2seq.inference.predictor import Decoding, Predictor, load
from seq2seq.layers.backend import to_dataset
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.directory import RunDirectory
from seq2seq.runs.files import MODEL, TENSORBOARD
from seq2seq.runs.validation import summarise_validation
from seq2seq.training.arguments import Training
from seq2seq.training.callbacks import (
    Bar,
    EarlyStopping,
    LossIsNaN,
    StopConditions,
    TrainingCounters,
    ValidationCallback,
)
from seq2seq.training.checkpoint_callback import CheckpointCallback
from seq2seq.training.diagnosis import list_notes, list_remarks, make_plan
from seq2seq.training.initialization import initialize_as_pytorch
from seq2seq.training.losses import PerExample, cross_entropy, squared_error
from seq2seq.training.signals import Interrupted, Signals
from seq2seq.training.train_step import make_train_step


class TrainingResult(NamedTuple):
    """What a run came to.

    Attributes:
        summary: what `summary.json` holds.
        evaluation: the test, example by example.
        error: the exception that stopped training early; None if it ended by itself.
        remarks: if it ended by itself, why, and if its curves show that something is wrong, what.
    """

    summary: dict
    evaluation: Evaluation
    error: BaseException | None
    remarks: Sequence[str] = ()


def longest_lengths(task: Task) -> tuple[int, int]:
    """Steps of the longest source and longest target in training (of a stream: in a sample)."""
    examples = task.examples("train")
    if isinstance(examples, Stream):
        examples = [examples[number] for number in range(SAMPLED)]
    source = max(examples, key=lambda example: len(task.source.tokens(example.source)))
    target = max(examples, key=lambda example: len(task.target.tokens(example.target)))
    return len(encode_row(source.source, task.source)), len(encode_row(target.target, task.target))


def train(
    task: Task,
    model: Seq2Seq,
    make_optimizer: Callable[[int], keras.optimizers.Optimizer],
    training: Training,
    directory: RunDirectory,
    *,
    names: dict[str, str],
    decoding: Decoding,
    seed: int,
) -> TrainingResult:
    """Train, keep the best weights, test them, and write everything to the run directory.

    Where the run directory has checkpoints, training goes on from the newest, and what comes out
    is what would have come without a stop, bit for bit. SIGINT (Ctrl-C), SIGTERM and a loss that
    is not finite end training, not the run: the best weights so far are tested and the summary is
    written all the same. Only a second signal ends the run at once.

    Args:
        task: the examples and metrics.
        model: the model with fresh weights.
        make_optimizer: makes an optimiser, given the number of updates in all.
        training: how long and how.
        directory: where everything is written.
        names: the names of `task` and `model`, for the summary.
        decoding: how answers are made.
        seed: of the order of examples.

    Raises:
        LossIsNaN: the loss stopped being finite before there were any weights to keep.
    """
    test = training.thin(task.examples("test"))
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
    predictor = Predictor(model, task.source, task.target, decoding, settings)
    batches = make_batches(task, training, seed, predictor.copying)
    with Signals() as signals:
        fitted = fit(predictor, task, batches, make_optimizer, training, directory, signals)
        best = load(directory.path)
        evaluation = evaluate(best, test, task.metrics, oracle_length=task.oracle_length)
        directory.write("predictions.tsv", format_predictions(evaluation))
        summary = {
            **names,
            "seed": seed,
            "parameters": model.count_params(),
            "validation": summarise_validation(fitted.rows, task.monitor),
            "test": evaluation.metrics(),
            "train": fitted.figures,
        }
        directory.complete(summary)
    error = fitted.error
    if error is None and signals.received is not None:  # it came too late to stop anything
        error = Interrupted(signals.received)
    return TrainingResult(summary, evaluation, error, () if error is not None else fitted.remarks)


def make_batches(task: Task, training: Training, seed: int, copying: bool = False) -> Batches:
    """The training examples in the order in which they come.

    Raises:
        ValueError: examples without end are to be drawn with replacement.
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
    """The loss that suits what `model` says.

    Raises:
        ValueError: label smoothing where there is no fixed set of tokens to spread over; or a loss
            by examples beside one of coverage, which is by tokens.
    """
    smoothing = training.label_smoothing
    values = model.decoder.features is not None
    if smoothing and (values or model.decoder.readout_type == "pointer"):
        what = "real values have no labels" if values else "a pointer's symbols differ by source"
        raise ValueError(f"training.label_smoothing={smoothing}: {what}; set it to 0")
    loss = squared_error() if values else cross_entropy(smoothing)
    if training.normalization == "tokens":
        return loss
    if model.decoder.attention is not None and model.decoder.attention.coverage:
        raise ValueError(
            f"training.normalization={training.normalization}: the loss of attention.coverage is "
            "divided by tokens; choose tokens for both, or attention.coverage=false"
        )
    return PerExample(loss)


def check_start(model: Seq2Seq, training: Training) -> None:
    """Refuse a model that could not be kept, and first weights that two settings want to draw.

    Raises:
        ValueError: see `describe_model`; or a forget bias is asked for, and first weights as
            PyTorch's, which has none.
    """
    describe_model(model)
    for part in (model.encoder, model.decoder):
        bias = part.stack.cell.forget_bias
        if training.initialization == "pytorch" and bias is not None:
            raise ValueError(
                f"cell.forget_bias={bias}: training.initialization=pytorch draws the biases; "
                "choose cell.forget_bias=null, or training.initialization=keras"
            )


class FitResult(NamedTuple):
    """Figures and history of a finished training, and the error that stopped it early, if any.

    Attributes:
        remarks: see `TrainingResult`.
    """

    figures: dict
    rows: list[dict]
    error: BaseException | None
    remarks: Sequence[str]


def fit(
    predictor: Predictor,
    task: Task,
    batches: Batches,
    make_optimizer: Callable[[int], keras.optimizers.Optimizer],
    training: Training,
    directory: RunDirectory,
    signals: Signals,
) -> FitResult:
    """Keras's own `fit`, with the callbacks of this package; leaves the best `model.npz` behind.

    It goes on from the newest checkpoint of `directory`, if there is one.
    """
    total, per_epoch = training.plan(batches.steps_per_epoch)
    if training.curriculum is not None:
        batches.share = lambda step: training.curriculum.share(step / total)

    def force(shape: tuple[int, int], step: int):
        return training.forcing.draw(shape, batches.seed, step, total)

    model, counts = predictor.model, TrainingCounters(total, per_epoch, force)
    if training.initialization == "pytorch":
        initialize_as_pytorch(model, batches.seed)
    loss = make_loss(model, training)
    model.compile(optimizer=make_optimizer(total), loss=loss, jit_compile=False)
    model.train_function = make_train_step(model, loss, model.calls.of("updates"))
    validation = training.thin(task.examples("validation"))
    evaluation = ValidationCallback(predictor, task, validation, counts, directory)
    plan = make_plan(training, batches.steps_per_epoch, model)
    patience = EarlyStopping(training.patience, evaluation)
    bar = Bar(total, evaluation, list_notes(task, plan))
    # What decides which functions XLA compiles changes bits, so it belongs to the parts.
    checkpoints = CheckpointCallback(
        evaluation, {"calls": model.calls}, training.checkpoint_share, signals
    )
    checkpoints.go_on(model)
    callbacks = [counts, StopConditions(counts), evaluation, bar, patience]
    if training.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(str(directory.path / TENSORBOARD)))
    error = None
    try:
        with warnings.catch_warnings():
            if model.is_uninformed:  # its encoder learns nothing, on purpose
                warnings.filterwarnings("ignore", "Gradients do not exist")
            if counts.steps < total and not patience.is_over:
                model.fit(
                    to_dataset(counts.watch(batches.iterate(counts.steps))),
                    steps_per_epoch=per_epoch,
                    initial_epoch=counts.steps // per_epoch,
                    epochs=-(-total // per_epoch),
                    callbacks=[*callbacks, checkpoints],
                    verbose=0,
                    shuffle=False,
                )
    except (Interrupted, LossIsNaN) as caught:
        error = caught
    finally:
        bar.close()
    if not evaluation.rows:
        if isinstance(error, LossIsNaN):
            raise error
        predictor.save(directory.path / MODEL)  # interrupted before there was anything better
    figures, rows = _figures(evaluation, checkpoints, error), evaluation.rows
    return FitResult(figures, rows, error, list_remarks(rows, task.monitor, plan, counts.steps))


def _figures(
    evaluation: ValidationCallback, keep: CheckpointCallback, error: BaseException | None
) -> dict:
    """What `summary.json` says of the training."""
    counts, tokens, seconds = evaluation.counts, evaluation.train_tokens, evaluation.train_seconds
    if not evaluation.rows:
        tokens, seconds = counts.target_tokens, counts.seconds
    return {
        "seconds": round(counts.seconds, 2),
        "steps": counts.steps,
        "examples": counts.examples,
        "target_tokens_per_second": round(tokens / seconds, 1),
        "checkpoint_seconds": round(keep.seconds, 3),
        "stopped": _why_stopped(error, counts.steps < counts.total),
    }


def _why_stopped(error: BaseException | None, before_the_end: bool) -> str:
    if error is not None:
        return "nan" if isinstance(error, LossIsNaN) else "interrupted"
    return "early" if before_the_end else "finished"
