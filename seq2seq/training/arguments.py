"""Training arguments: how long and how a model is trained."""

from dataclasses import dataclass
from typing import Any

from seq2seq.runtime.validation import check_choice, check_count, check_flag, check_rate
from seq2seq.training.curriculum import LengthCurriculum
from seq2seq.training.initialization import INITIALIZATIONS
from seq2seq.training.losses import NORMALIZATIONS
from seq2seq.training.teacher_forcing import InputPolicy, TeacherForcing

STREAM_EPOCH = 100  # updates that count as an epoch where examples have no end


@dataclass(frozen=True)
class Training:
    """Length and settings of a training.

    Args:
        epochs: passes over the training examples; of an endless stream, `steps_per_epoch` updates
            each. Validation, and a row of `history.csv`, come after each.
        steps: number of updates; None: as many as `epochs` make. It overrides `epochs`.
        steps_per_epoch: updates that count as an epoch; None: one pass, or 100 of a stream.
        batch_size: examples per update.
        patience: stop after this many epochs in a row without a better validation metric, counted
            once it has moved for the first time; None: never. It needs validation examples.
        loss: a `keras.losses.Loss` of a step, of your own; None: cross-entropy, of real values the
            squared error.
        label_smoothing: fraction of the target distribution that is spread over all tokens.
        normalization: `"tokens"`: the loss is a mean over tokens; `"examples"`: the losses of an
            example's tokens are summed, so that gradients grow with the target's length.
        initialization: `"keras"`: the weights start as the layers have them; `"pytorch"`: as
            PyTorch's layers draw them, see `initialize_as_pytorch`.
        forcing: inputs of the decoder: true previous tokens, or its own predictions.
        curriculum: None: all examples from the beginning; else short ones first.
        replacement: whether examples of a finite set are drawn with replacement; else each comes
            once a pass.
        checkpoint_time_fraction: fraction of the time that checkpoints may take, which decides how
            often one is written; 0: only when training ends or is interrupted.
        max_steps: updates at most, whatever `steps` and `epochs` are; None: no limit.
        max_eval_examples: validation examples at most, and test examples at most, evenly spaced;
            None: all.

    Raises:
        ValueError: a number below 1.
    """

    epochs: int = 10
    steps: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int = 64
    patience: int | None = None
    loss: Any = None
    label_smoothing: float = 0.0
    normalization: str = "tokens"
    initialization: str = "keras"
    forcing: InputPolicy = TeacherForcing()
    curriculum: LengthCurriculum | None = None
    replacement: bool = False
    checkpoint_time_fraction: float = 0.01
    max_steps: int | None = None
    max_eval_examples: int | None = None

    def __post_init__(self):
        check_rate("training.label_smoothing", self.label_smoothing)
        check_choice("training.normalization", self.normalization, NORMALIZATIONS)
        check_choice("training.initialization", self.initialization, INITIALIZATIONS)
        check_rate("training.checkpoint_time_fraction", self.checkpoint_time_fraction)
        check_flag("training.replacement", self.replacement)
        for name in ("epochs", "batch_size"):
            check_count(f"training.{name}", getattr(self, name))
        for name in ("steps", "steps_per_epoch", "patience", "max_steps", "max_eval_examples"):
            if getattr(self, name) is not None:
                check_count(f"training.{name}", getattr(self, name))

    def plan(self, one_pass: int | None) -> tuple[int, int]:
        """Number of updates, and updates per epoch.

        Args:
            one_pass: updates of a pass over the training examples; None for a stream.
        """
        per_epoch = self.steps_per_epoch or one_pass or STREAM_EPOCH
        total = self.steps or self.epochs * per_epoch
        total = min(total, self.max_steps or total)
        return total, min(per_epoch, total)
