"""Update of the weights: Keras's own step, or the same step sharded over all cores by XLA.

Small matrix products do not keep several cores busy: the gain is lost in waiting for each other at
every step of every sequence. So the batch is split into shards; each runs from its tokens to its
gradients as one program of XLA on one core, and the gradients are added. The result is Keras's, but
for the order in which numbers are added.
"""

import collections
from collections.abc import Iterator
from typing import Any

import keras

from seq2seq.layers.backend import batch_signature, on_cpu, retain_freed_memory, should_compile
from seq2seq.layers.lstm import Tensor
from seq2seq.runtime.quiet import cores

COMPILE_AFTER = 100  # updates with the same shapes after which compiling them by XLA pays
MAX_COMPILED_SHAPES = 16  # compiled shapes, since each takes some five seconds, and 70 MiB for good
MIN_SHARD_SIZE = 8  # examples that are worth a core
MEANS = ("mean_with_sample_weight", "sum_over_batch_size", "mean")  # reductions that can be joined


def shard_count(batch: int, cores: int) -> int:
    """Number of equal shards of a batch.

    >>> [shard_count(batch, 2) for batch in (1, 15, 16, 33, 64)]
    [1, 1, 2, 1, 2]
    """
    fitting = (n for n in range(1, cores + 1) if batch % n == 0 and batch // n >= MIN_SHARD_SIZE)
    return max(fitting, default=1)


def make_train_step(
    model: keras.Model, shape_counts: collections.Counter[str]
) -> "ShardedTrainStep | None":
    """Make the train step of a compiled model; None where Keras's own step is better.

    Keras's own serves other engines, which compile the step themselves, GPUs, half precision, eager
    execution, losses that are no mean, and regularizers of activities, which are sums over a batch.

    Args:
        model: compiled.
        shape_counts: number of updates of each shape so far, which decides what XLA compiles.
    """
    if keras.backend.backend() != "tensorflow" or not on_cpu():
        return None
    if model.compute_dtype != "float32" or model.run_eagerly or model.steps_per_execution != 1:
        return None
    if any(layer.activity_regularizer is not None for layer in model._flatten_layers()):
        return None
    try:
        loss = keras.losses.get(model.loss)
    except (ValueError, TypeError):  # several losses
        return None
    is_mean = hasattr(loss, "normalizer") or getattr(loss, "reduction", None) in MEANS
    return ShardedTrainStep(model, loss, shape_counts) if is_mean else None


class ShardedTrainStep:
    """`train_function` of a Keras model on TensorFlow, for CPUs.

    Shapes with more than `COMPILE_AFTER` updates are compiled. The count decides, not the clock, so
    that the same run always computes the same bits.

    Args:
        model: compiled.
        loss: its loss, a mean over `normalizer`, so that means of shards can be joined.
        shape_counts: number of updates of each shape so far; a resumed run must continue from it.
    """

    def __init__(
        self, model: keras.Model, loss: keras.losses.Loss, shape_counts: collections.Counter[str]
    ):
        import tensorflow as tf

        retain_freed_memory()
        self.model, self.loss = model, loss
        self.shape_counts = shape_counts
        self.has_metrics = len(model.metrics) > 1
        self._keras_step = None
        # Traced for each shape: XLA needs to know every size.
        self._sharded = tf.function(self._update, autograph=False)
        self._gradients = tf.function(self._shard_gradients, jit_compile=True, autograph=False)
        self._apply = tf.function(self._add_and_apply, jit_compile=True, autograph=False)

    def __call__(self, iterator: Iterator) -> dict:
        """Update by the next batch of `iterator`, and return the model's metrics."""
        return self.update(next(iterator))

    def update(self, batch: tuple) -> dict:
        """Update by a batch (inputs, targets[, weights]), and return the model's metrics."""
        import tensorflow as tf

        batch = tuple(part for part in batch if part is not None)  # no weights
        batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
        shapes = [tensor.shape for tensor in tf.nest.flatten(batch)]
        shape = ",".join(map(str, (*batch[0]["source"].shape[:2], batch[1].shape[1])))
        is_frequent = should_compile(self.shape_counts, shape, COMPILE_AFTER, MAX_COMPILED_SHAPES)
        if is_frequent and all(len(shape) > 1 for shape in shapes):
            return self._sharded(*batch, count=shard_count(shapes[0][0], cores()))
        if self._keras_step is None:  # one graph for all shapes
            signature = [batch_signature(batch)]
            self._keras_step = tf.function(
                self.model.train_step, input_signature=signature, autograph=False
            )
        return self._keras_step(batch)

    def _update(self, inputs, targets, weights=None, *, count: int):
        import tensorflow as tf

        model, batch = self.model, (inputs, targets, weights)
        trainable = [tf.identity(v.value) for v in model.trainable_variables]
        tensors = [tensor for tensor in tf.nest.flatten(batch) if tensor is not None]
        shards = zip(*(tf.split(tensor, count) for tensor in tensors), strict=True)
        results = []
        for number, shard in enumerate(shards):
            states = [_fork_seed(v, number) for v in model.non_trainable_variables]
            shard = iter(shard)
            shard = [None if tensor is None else next(shard) for tensor in tf.nest.flatten(batch)]
            shard = tf.nest.pack_sequence_as(batch, shard)
            results.append(self._gradients(trainable, states, *shard))
        losses, normalizers, gradients, states, outputs = zip(*results, strict=True)
        normalizer = tf.add_n(normalizers)
        self._apply(gradients, normalizer)
        for variable, value in zip(model.non_trainable_variables, states[0], strict=True):
            variable.assign(value)
        loss = tf.add_n(losses) / normalizer
        model.metrics[0].update_state(loss, sample_weight=targets.shape[0])
        if self.has_metrics:
            model.compute_metrics(inputs, targets, tf.concat(outputs, 0), weights)
        return model.get_metrics_result()

    def _shard_gradients(self, trainable, states, inputs, targets, weights):
        """Loss times normalizer of a shard, the normalizer, gradients of the former, new states."""
        import tensorflow as tf

        model, total = self.model, normalizer(self.loss, targets, weights)
        mapping = [
            *zip(model.trainable_variables, trainable, strict=True),
            *zip(model.non_trainable_variables, states, strict=True),
        ]
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            with keras.StatelessScope(mapping, collect_losses=True) as scope:
                outputs = model(inputs, training=True)
                # Regularizers, and what `add_loss` was called with, beside the loss.
                mean = self.loss(targets, outputs, weights) + sum(model.losses)
            loss = mean * total
        gradients = tape.gradient(loss, trainable, unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        states = [scope.get_current_value(v) for v in model.non_trainable_variables]
        return loss, total, gradients, states, outputs if self.has_metrics else ()

    def _add_and_apply(self, gradients, normalizer):
        means = [sum(shards) / normalizer for shards in zip(*gradients, strict=True)]
        self.model.optimizer.apply(means, self.model.trainable_variables)


def normalizer(loss: keras.losses.Loss, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Divisor of `loss`: real steps, or what its own `normalizer(targets, weights)` returns.

    Args:
        loss: a mean.
        targets: (batch, time, ...).
        weights: (batch, time), or None.
    """
    ops = keras.ops
    if hasattr(loss, "normalizer"):
        return loss.normalizer(targets, weights)
    if weights is not None and loss.reduction == "mean_with_sample_weight":
        return ops.sum(weights)
    return ops.cast(ops.shape(targets)[0] * ops.shape(targets)[1], "float32")


def _fork_seed(variable: keras.Variable, number: int) -> Any:
    """Value of `variable` for a shard: seeds differ, so that each has its own dropout masks."""
    import tensorflow as tf

    value = tf.identity(variable.value)
    if number == 0 or "seed" not in variable.path:
        return value
    return value + tf.constant([number * 0x9E3779B9 % 2**32, 0], value.dtype)
