"""One update of the weights: Keras's own step, or the same step as machine code on all cores.

Small products do not keep several cores busy: what they gain is lost in waiting for each other at
every step of every sequence. So the batch is split, each part runs from its tokens to its gradients
as one program of XLA on one core, and the gradients are added. The result is Keras's, but for the
order in which numbers are added.
"""

import collections
from collections.abc import Iterator

import keras

from seq2seq.layers.backend import on_cpu, retain_freed_memory, should_compile
from seq2seq.runtime.quiet import cores
from seq2seq.training.losses import divisor

COMPILE_AFTER = 100  # updates with the same shapes after which compiling them by XLA pays
MAX_COMPILED_SHAPES = (
    16  # shapes that are compiled so: each takes some five seconds, and 70 MiB for good
)
MIN_SHARD_SIZE = 8  # examples that are worth a core


def parts(batch: int, cores: int) -> int:
    """Into how many equal parts a batch is split.

    >>> [parts(batch, 2) for batch in (1, 15, 16, 33, 64)]
    [1, 1, 2, 1, 2]
    """
    fitting = (n for n in range(1, cores + 1) if batch % n == 0 and batch // n >= MIN_SHARD_SIZE)
    return max(fitting, default=1)


class ShardedTrainStep:
    """What Keras calls for each batch, its `train_function`: updates `model`, returns its metrics.

    Shapes with more than `COMPILE_AFTER` updates are compiled. The count decides, not the clock, so
    that the same run always computes the same bits.

    Args:
        model: compiled by Keras, with no metrics but its loss.
        loss: a mean over what `divisor` counts, so that means of parts can be joined.
        seen: how often each shape came so far; a resumed run must go on from it.
    """

    def __init__(
        self, model: keras.Model, loss: keras.losses.Loss, shape_counts: collections.Counter[str]
    ):
        import tensorflow as tf

        retain_freed_memory()
        self.model, self.loss = model, loss
        self.seen = shape_counts
        self._by_keras = None
        # Traced for each shape: XLA wants to know every size.
        self._in_parts = tf.function(self._update, autograph=False)
        self._gradients = tf.function(self._learn, jit_compile=True, autograph=False)
        self._apply = tf.function(self._add_and_apply, jit_compile=True, autograph=False)

    def __call__(self, iterator: Iterator) -> dict:
        """Update by the next batch of `iterator`: a dataset's (inputs, targets, weights)."""
        batch = next(iterator)
        inputs, _, weights = batch
        shape = ",".join(map(str, (*inputs["source"].shape[:2], weights.shape[1])))
        if should_compile(self.seen, shape, COMPILE_AFTER, MAX_COMPILED_SHAPES):
            return self._in_parts(*batch, count=parts(weights.shape[0], cores()))
        if self._by_keras is None:  # one graph for all shapes
            import tensorflow as tf

            signature = [iterator.element_spec]
            self._by_keras = tf.function(
                self.model.train_step, input_signature=signature, autograph=False
            )
        return self._by_keras(batch)

    def _update(self, *batch, count: int):
        import tensorflow as tf

        model = self.model
        trainable = [tf.identity(v.value) for v in model.trainable_variables]
        split = [tf.split(array, count) for array in tf.nest.flatten(batch)]
        results = []
        for number, part in enumerate(zip(*split, strict=True)):
            others = [_fork_seed(v, number) for v in model.non_trainable_variables]
            part = tf.nest.pack_sequence_as(batch, part)
            results.append(self._gradients(trainable, others, *part))
        losses, totals, gradients, others = zip(*results, strict=True)
        total = tf.add_n(totals)
        self._apply(gradients, total)
        for variable, value in zip(model.non_trainable_variables, others[0], strict=True):
            variable.assign(value)
        model.metrics[0].update_state(tf.add_n(losses) / total, sample_weight=batch[-1].shape[0])
        return model.get_metrics_result()

    def _learn(self, trainable, others, inputs, targets, weights):
        """Of a part: sum of the losses, what it is divided by, gradients of it, new seeds."""
        import tensorflow as tf

        model, total = self.model, divisor(self.loss, weights)
        state = [
            *zip(model.trainable_variables, trainable, strict=True),
            *zip(model.non_trainable_variables, others, strict=True),
        ]
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            with keras.StatelessScope(state, collect_losses=True) as scope:
                said = model(inputs, training=True)
                mean = self.loss(targets, said, weights) + sum(scope.losses)
            loss = mean * total
        gradients = tape.gradient(loss, trainable, unconnected_gradients="zero")
        others = [scope.get_current_value(v) for v in model.non_trainable_variables]
        return loss, total, [tf.convert_to_tensor(g) for g in gradients], others

    def _add_and_apply(self, gradients, total):
        means = [sum(parts) / total for parts in zip(*gradients, strict=True)]
        self.model.optimizer.apply(means, self.model.trainable_variables)


def _fork_seed(variable: keras.Variable, number: int):
    """The value of `variable` for a part: seeds differ, so that each part has its own noise."""
    import tensorflow as tf

    value = tf.identity(variable.value)
    if number == 0 or "seed" not in variable.path:
        return value
    return value + tf.constant([number * 0x9E3779B9 % 2**32, 0], value.dtype)


def make_train_step(
    model: keras.Model, loss: keras.losses.Loss, shape_counts: collections.Counter[str]
) -> ShardedTrainStep | None:
    """`ShardedTrainStep` of a compiled model; None where Keras's own step is the right one.

    That is on other engines, which compile the step themselves, on a GPU, and in half precision.
    """
    if keras.backend.backend() != "tensorflow" or not on_cpu():
        return None
    return ShardedTrainStep(model, loss, shape_counts) if model.compute_dtype == "float32" else None
