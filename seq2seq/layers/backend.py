"""Engine-specific code: compilation, loops over time, random masks, threads and data sets."""

import collections
import contextlib
import os
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from seq2seq.layers.structure import flatten_tensors, map_tensors
from seq2seq.runtime.quiet import cores

COMPILE_AFTER = 50  # calls with the same shapes after which compiling them by XLA pays
MAX_COMPILED_SHAPES = 8  # compiled shapes of a function, since each holds some 30 MiB for good
_COUNTING = threading.Lock()  # calls come from any thread


class CallCounts:
    """Number of calls of each compiled function by shape, which decides what XLA compiles.

    Compiled code may differ in the last bits, so a checkpoint includes the counts.

    Attributes:
        jit_compile: whether XLA compiles a shape: `"auto"`, once it has come often; True, at its
            first call; False, never. JAX compiles each shape at its first call.
    """

    def __init__(self):
        self._counts: dict[str, collections.Counter] = {}
        self.jit_compile: bool | str = "auto"

    def of(self, name: str) -> collections.Counter:
        """Counts of a function, by shapes as text."""
        return self._counts.setdefault(name, collections.Counter())

    def state_dict(self) -> dict:
        """All counts, for JSON."""
        return {name: dict(counts) for name, counts in self._counts.items()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from the counts of a `state_dict`."""
        for name, counts in state.items():
            self.of(name).update(counts)


def should_compile(counts: collections.Counter, shapes: str, threshold: int, limit: int) -> bool:
    """Count a call with these shapes; True after `threshold` calls.

    Counts stop at `threshold` once `limit` shapes are compiled.
    """
    with _COUNTING:
        if (
            counts[shapes] != threshold
            or sum(count > threshold for count in counts.values()) < limit
        ):
            counts[shapes] += 1
        return counts[shapes] > threshold


def compiled(
    function: Callable, variables: list, calls: CallCounts | None = None, name: str = ""
) -> Callable:
    """Compile `function` for the engine that runs Keras.

    The result takes tensors (or nested structures of them) by position, and static sizes by
    keyword (JAX compiles anew for each). On TensorFlow tensors of any batch and time run through
    one graph; shapes that are called more than `COMPILE_AFTER` times are compiled by XLA, which
    takes a second or two each and is then two to four times as fast; `MAX_COMPILED_SHAPES` of them
    at most. The count decides, not the clock, so that the same calls always give the same bits.

    Args:
        function: written in `keras.ops`, without side effects.
        variables: all variables it reads; their values at the time of a call are used.
        calls: counts of its calls; None: counts of its own.
        name: its name in `calls`.
    """
    engine = keras.backend.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        graph = tf.function(function, reduce_retracing=True, autograph=False)
        machine_code = tf.function(function, jit_compile=True, autograph=False)
        calls = CallCounts() if calls is None else calls

        def to_tensor(array):
            return None if array is None else tf.convert_to_tensor(array)

        def run(*tensors, **sizes):
            tensors = tree.map_structure(to_tensor, tensors)
            shapes = tuple(tuple(np.shape(tensor)) for tensor in tree.flatten(tensors))
            shapes = str(shapes + tuple(sizes.values()))
            is_frequent = should_compile(calls.of(name), shapes, COMPILE_AFTER, MAX_COMPILED_SHAPES)
            if is_frequent if calls.jit_compile == "auto" else calls.jit_compile:
                return machine_code(*tensors, **sizes)
            sizes = {name: tf.constant(value, "int32") for name, value in sizes.items()}
            return graph(*tensors, **sizes)

        return run
    if engine == "jax":
        import functools

        import jax

        def with_values(values, *tensors, **sizes):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(*tensors, **sizes)

        @functools.cache
        def jitted(*names):
            return jax.jit(with_values, static_argnames=names)

        def run(*tensors, **sizes):
            values = [variable.value for variable in variables]
            return jitted(*sorted(sizes))(values, *tensors, **sizes)

        return run
    return function


def on_cpu() -> bool:
    """Whether this engine computes on a CPU, where our loops are faster than Keras's."""
    engine = keras.backend.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        return not tf.config.list_logical_devices("GPU")
    if engine == "jax":
        import jax

        return jax.default_backend() == "cpu"
    return False


def retain_freed_memory() -> None:
    """Let the C library retain freed memory, which the next update needs again.

    Otherwise large arrays return to the system and are mapped page by page at every update. Does
    nothing where the C library is not GNU's.
    """
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold, limit = -1, -3, 2**30
        for setting in (trim_threshold, mmap_threshold):
            ctypes.CDLL(None).mallopt(setting, limit)


def to_dataset(batches: Iterator[tuple]):
    """Convert `batches` of (inputs, targets, weights) for `keras.Model.fit`.

    On TensorFlow to a dataset that prepares the next batches while a step runs, with free batch and
    time sizes, so that one graph serves all lengths.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import itertools

    import tensorflow as tf

    first = next(batches)
    all_batches = itertools.chain([first], batches)
    dataset = tf.data.Dataset.from_generator(
        lambda: all_batches, output_signature=batch_signature(first)
    )
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune, and its thread may take a minute to end
    return dataset.prefetch(4).with_options(options)


def batch_signature(batch: tuple):
    """TensorFlow's specification of a batch (inputs, targets[, weights]), of any batch and time."""
    import tensorflow as tf

    def specify(array):
        return tf.TensorSpec((None, None, *array.shape[2:])[: len(array.shape)], array.dtype)

    signature = tree.map_structure(specify, batch)
    if "tags" in batch[0]:  # the only array without a time axis
        signature[0]["tags"] = tf.TensorSpec((None, batch[0]["tags"].shape[1]), "float32")
    return signature


def draw_mask(shape: tuple, rate: float, seed: keras.random.SeedGenerator, dtype: str) -> Any:
    """Draw a dropout mask of `shape`: 0 with probability `rate`, else 1 / (1 - rate)."""
    ones = ops.ones(shape, dtype)
    if keras.backend.backend() != "tensorflow":
        return keras.random.dropout(ones, rate, seed=seed)
    import tensorflow as tf

    # Keras leaves the choice of the generator to XLA, whose own takes 375 ns a number on a CPU.
    # Philox takes 2, and is the one that Keras gets outside XLA.
    drawn = tf.cast(tf.math.floormod(seed.next(), tf.int32.max - 1), "int32")
    return tf.nn.experimental.stateless_dropout(ones, rate, drawn, rng_alg="philox")


def scan(
    step: Callable,
    state: Any,
    inputs: Any,
    time_major: bool = False,
    reverse: bool = False,
    reuse: bool = False,
) -> tuple[Any, Any]:
    """Call `step` for each time in turn, as `jax.lax.scan` does.

    Args:
        step: `step(state, inputs at one time) -> (state, outputs at that time)`, a pure function;
            all are structures of tensors (absent parts are None), and the state keeps its
            structure, shapes and dtypes.
        state: before the first step.
        inputs: (batch, time, ...) each.
        time_major: whether inputs and outputs are (time, batch, ...) instead.
        reverse: whether it runs from the last time to the first.
        reuse: whether outputs may be written over inputs of their shape, step by step, which saves
            memory that would have to be allocated and cleared.

    Returns:
        The state after the last step, and the outputs, (batch, time, ...) each.
    """
    if not time_major:
        inputs = map_tensors(_swap_time, inputs)  # (time, batch, ...)
    engine = keras.backend.backend()
    if engine == "tensorflow":
        state, outputs = _scan_tensorflow(step, state, inputs, reverse, reuse)
    elif engine == "jax":
        import jax

        state, outputs = jax.lax.scan(step, state, inputs, reverse=reverse)
    else:
        steps = []
        times = range(flatten_tensors(inputs)[0][0].shape[0])
        for time in reversed(times) if reverse else times:
            step_inputs = map_tensors(lambda tensor, time=time: tensor[time], inputs)
            state, outputs = step(state, step_inputs)
            steps.append(outputs)
        steps = steps[::-1] if reverse else steps
        outputs = map_tensors(lambda *tensors: ops.stack(tensors), *steps)
    return state, outputs if time_major else map_tensors(_swap_time, outputs)


def while_loop(condition: Callable, body: Callable, state: tuple, max_iterations: Any) -> tuple:
    """`keras.ops.while_loop` over any structure of tensors, in which absent parts are None.

    Args:
        condition, body: `condition(*state)`, and `body(*state) -> state`; all parts keep their
            shapes and dtypes.
        state: before the first iteration.
        max_iterations: number of iterations at most.
    """
    tensors, pack = flatten_tensors(state)

    def flat_body(*tensors):
        # The shapes are the same, and are set for an engine that can't infer them.
        results, _ = flatten_tensors(body(*pack(tensors)))
        pairs = zip(results, tensors, strict=True)
        return [ops.reshape(result, ops.shape(tensor)) for result, tensor in pairs]

    def flat_condition(*tensors):
        return condition(*pack(tensors))

    return pack(
        ops.while_loop(flat_condition, flat_body, tensors, maximum_iterations=max_iterations)
    )


def pull_back(function: Callable, arguments: tuple, upstream: tuple) -> tuple:
    """Vector-Jacobian product: gradients of `arguments` from those of `function(*arguments)`.

    Args:
        function: of tensors, to a tuple of tensors, in operations that the engine differentiates.
        arguments: of the function.
        upstream: gradient of each result.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.vjp(function, *arguments)[1](tuple(upstream))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(arguments)
        results = function(*arguments)
    return tape.gradient(
        results, arguments, output_gradients=list(upstream), unconnected_gradients="zero"
    )


def _swap_time(tensor: Any) -> Any:
    return ops.transpose(tensor, (1, 0, *range(2, len(tensor.shape))))


def _scan_tensorflow(
    step: Callable, state: Any, inputs: Any, reverse: bool, reuse: bool
) -> tuple[Any, Any]:
    import tensorflow as tf

    state, inputs = map_tensors(tf.convert_to_tensor, (state, inputs))
    tensors, pack_inputs = flatten_tensors(inputs)
    state_tensors, pack_state = flatten_tensors(state)
    count = tf.shape(tensors[0])[0]
    arrays = [
        tf.TensorArray(
            tensor.dtype, count, element_shape=tensor.shape[1:], clear_after_read=False
        ).unstack(tensor)
        for tensor in tensors
    ]
    # The outputs at time 0 have structure and dtypes of all; the graph drops the computation.
    _, sample = step(state, map_tensors(lambda tensor: tensor[0], inputs))
    sample_tensors, pack_outputs = flatten_tensors(sample)
    written, replaced = [], {}  # input number: number of the output that replaces it
    for number, tensor in enumerate(sample_tensors):
        free = [n for n in range(len(arrays)) if reuse and n not in replaced]
        position = next((n for n in free if _is_same_type(tensors[n][0], tensor)), None)
        if position is None:
            new = tf.TensorArray(tensor.dtype, count, element_shape=tensor.shape)
        else:
            replaced[position], new = number, arrays[position]
        written.append(new)

    def advance(number, flat, written):
        time = count - 1 - number if reverse else number
        step_inputs = [
            (written[replaced[position]] if position in replaced else array).read(time)
            for position, array in enumerate(arrays)
        ]
        next_state, outputs = step(pack_state(flat), pack_inputs(step_inputs))
        next_state, _ = flatten_tensors(next_state)
        outputs, _ = flatten_tensors(outputs)
        next_state = [tf.ensure_shape(t, s.shape) for t, s in zip(next_state, flat, strict=True)]
        written = [a.write(time, o) for a, o in zip(written, outputs, strict=True)]
        return number + 1, next_state, written

    _, state_tensors, written = tf.while_loop(
        lambda number, *_: number < count,
        advance,
        (0, state_tensors, written),
        maximum_iterations=count,
    )
    return pack_state(state_tensors), pack_outputs([array.stack() for array in written])


def _is_same_type(first: Any, second: Any) -> bool:
    return first.dtype == second.dtype and first.shape.as_list() == second.shape.as_list()


@contextlib.contextmanager
def restored_settings() -> Iterator[None]:
    """Restore, when the block ends, the process-wide settings that training changes.

    They are the dtype policy, deterministic operations, and the global random generators of Python
    and NumPy. Those of Keras and its engine can't be read: they keep the seed of the training.
    """
    policy, python_state = keras.config.dtype_policy(), random.getstate()
    numpy_state = np.random.get_state()
    was_deterministic = _is_deterministic()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if not was_deterministic and _is_deterministic():
            from tensorflow.python.framework import config  # public is only the way to enable it

            config.disable_op_determinism()


def _is_deterministic() -> bool:
    """Whether TensorFlow's operations are deterministic; False with another engine."""
    if keras.backend.backend() != "tensorflow":
        return False
    from tensorflow.python.framework import config

    return config.is_op_determinism_enabled()


def make_deterministic() -> None:
    """Enable deterministic operations in this process; `restored_settings` disables them again.

    JAX on a CPU is always deterministic; on a GPU it needs an environment variable before it
    starts: `XLA_FLAGS=--xla_gpu_deterministic_ops=true`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def count_threads() -> dict[str, int | str | None]:
    """Thread settings of the engine; 0 or None where unset."""
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS")}
    threads["cores"] = cores()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        threads["intra_op"] = tf.config.threading.get_intra_op_parallelism_threads()
        threads["inter_op"] = tf.config.threading.get_inter_op_parallelism_threads()
    return threads
