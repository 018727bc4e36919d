"""Training: how long and how a model is trained."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.data.task import Example
from seq2seq.runtime.validation import check_choice, check_count, check_flag, check_rate
from seq2seq.training.initialization import INITIALIZATIONS
from seq2seq.training.losses import NORMALIZATIONS
from seq2seq.training.teacher_forcing import LengthCurriculum, TeacherForcing

STREAM_EPOCH = 100  # updates that count as an epoch where examples have no end


@dataclass(frozen=True)
class Training:
    """How long and how training goes on.

    Args:
        epochs: passes over the training examples; of an endless stream, `steps_per_epoch` updates
            each. Validation, and a row of `history.csv`, come after each.
        steps: updates in all; None: as many as `epochs` make. When given it overrides `epochs`.
        steps_per_epoch: updates that count as an epoch; None: one pass, or 100 of a stream.
        batch_size: examples an update.
        patience: stop after so many epochs in a row without a better validation metric, counted
            once it has moved for the first time; None: never. Without validation examples there is
            nothing to wait for.
        label_smoothing: share of the target that is spread over all tokens.
        normalization: what the loss is divided by: `"tokens"`, so that each counts the same, or
            `"examples"`, whose tokens' losses are summed, so that gradients grow with the target.
        initialization: `"keras"`: the weights begin as the model has them; `"pytorch"`: as
            PyTorch's layers draw them, see `initialize_as_pytorch`.
        forcing: what the decoder reads: the truth, or what it said itself.
        curriculum: None: all examples from the beginning; else the short ones first.
        replacement: whether examples of a finite set are drawn with replacement; else each comes
            once a pass.
        tensorboard: whether to write events for TensorBoard (in `tensorboard/`).
        checkpoint_share: share of the time that may go into checkpoints, which says how often one
            is written; 0: only when training ends or is interrupted.
        most_steps: updates at most, whatever `steps` and `epochs` say; None: no such limit.
        most_held_out: validation examples at most, and test examples at most, spread evenly over
            all there are; None: all.

    Raises:
        ValueError: a number below 1, or TensorBoard is wanted and not installed.
    """

    epochs: int = 10
    steps: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int = 64
    patience: int | None = None
    label_smoothing: float = 0.0
    normalization: str = "tokens"
    initialization: str = "keras"
    forcing: TeacherForcing = TeacherForcing()
    curriculum: LengthCurriculum | None = None
    replacement: bool = False
    tensorboard: bool = False
    checkpoint_share: float = 0.01
    most_steps: int | None = None
    most_held_out: int | None = None

    def __post_init__(self):
        check_rate("training.label_smoothing", self.label_smoothing)
        check_choice("training.normalization", self.normalization, NORMALIZATIONS)
        check_choice("training.initialization", self.initialization, INITIALIZATIONS)
        check_rate("training.checkpoint_share", self.checkpoint_share)
        check_flag("training.tensorboard", self.tensorboard)
        check_flag("training.replacement", self.replacement)
        for name in ("epochs", "batch_size"):
            check_count(f"training.{name}", getattr(self, name))
        for name in ("steps", "steps_per_epoch", "patience", "most_steps", "most_held_out"):
            if getattr(self, name) is not None:
                check_count(f"training.{name}", getattr(self, name))
        if self.tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise ValueError(
                "training.tensorboard=true needs TensorBoard: pip install 'seq2seq[tensorboard]'"
            )

    def plan(self, one_pass: int | None) -> tuple[int, int]:
        """Updates in all, and updates per epoch; `one_pass` is None for a stream."""
        per_epoch = self.steps_per_epoch or one_pass or STREAM_EPOCH
        total = self.steps or self.epochs * per_epoch
        total = min(total, self.most_steps or total)
        return total, min(per_epoch, total)

    def thin(self, held_out: Sequence[Example]) -> Sequence[Example]:
        """At most `most_held_out` of the examples, spread evenly over them in their order."""
        count, most = len(held_out), self.most_held_out
        if most is None or count <= most:
            return held_out
        return [held_out[place * count // most] for place in range(most)]
