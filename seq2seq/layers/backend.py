"""What is written for one engine: compiling, looping over time, and feeding batches to `fit`."""

import collections
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from seq2seq.runtime.quiet import cores

HOT = 50  # calls with the same shapes after which compiling them by XLA pays
MAX_COMPILED_SHAPES = (
    8  # shapes of a function that are compiled so: each takes some 30 MiB for good
)
_COUNTING = threading.Lock()  # calls come from any thread


class CallCounts:
    """How often each compiled function was called with each shape: what XLA compiles follows it.

    Other code may compute other bits, so a checkpoint keeps the counts.

    Attributes:
        jit_compile: whether XLA compiles a shape: `"auto"`, once it has come often; True, at its
            first call; False, never. JAX compiles each shape at its first call.
    """

    def __init__(self):
        self._counts: dict[str, collections.Counter] = {}
        self.jit_compile: bool | str = "auto"

    def of(self, name: str) -> collections.Counter:
        """The counts of one function, by shapes as text."""
        return self._counts.setdefault(name, collections.Counter())

    def record(self) -> dict:
        """All counts, as JSON knows them."""
        return {name: dict(counts) for name, counts in self._counts.items()}

    def restore(self, record: dict) -> None:
        """Go on from the counts of `record`."""
        for name, counts in record.items():
            self.of(name).update(counts)


def should_compile(counts: collections.Counter, shapes: str, threshold: int, limit: int) -> bool:
    """Count a call with these shapes; whether it came more than `threshold` times and is compiled.

    The first `limit` that reach the threshold are compiled; the counts of later ones stay at it.
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
    """`function` compiled for the engine that runs Keras.

    It takes tensors (or nested structures of them) by position, and by keyword values that shape
    the computation (JAX compiles anew for each). On TensorFlow tensors of any batch and time run
    through one graph; shapes that come again and again (`HOT` times) are compiled by XLA, which
    takes a second or two each and is then two to four times as fast. The first
    `MAX_COMPILED_SHAPES` are. It goes by the count, not by the clock, so that the same calls always
    give the same bits.

    Args:
        function: written in `keras.ops`, without side effects.
        variables: all variables it reads; their values at the time of a call are used.
        calls: where its calls are counted; None: by itself.
        name: what it is called there.
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
            is_frequent = should_compile(calls.of(name), shapes, HOT, MAX_COMPILED_SHAPES)
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
    """Whether this engine computes on a CPU, where a loop of ours is faster than Keras's."""
    engine = keras.backend.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        return not tf.config.list_logical_devices("GPU")
    if engine == "jax":
        import jax

        return jax.default_backend() == "cpu"
    return False


def retain_freed_memory() -> None:
    """Let the C library keep what is freed: the next update needs it again, and at once.

    Otherwise large arrays go back to the system and come again page by page, at every update. There
    is nothing to do where the C library is not GNU's.
    """
    import ctypes
    import platform

    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold, limit = -1, -3, 2**30
        for setting in (trim_threshold, mmap_threshold):
            ctypes.CDLL(None).mallopt(setting, limit)


def feed(batches: Iterator[tuple]):
    """`batches` of (inputs, targets, weights) as `keras.Model.fit` takes them.

    On TensorFlow a dataset that prepares the next batches while a step runs, and whose shapes
    leave batch and time free, so that one graph serves all lengths.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import itertools

    import tensorflow as tf

    first = next(batches)

    def specify(array):
        free = (None, None, *array.shape[2:])
        return tf.TensorSpec(free, array.dtype)

    signature = tree.map_structure(specify, first)
    if "tags" in first[0]:  # the one array without time
        signature[0]["tags"] = tf.TensorSpec((None, first[0]["tags"].shape[1]), "float32")
    everything = itertools.chain([first], batches)
    dataset = tf.data.Dataset.from_generator(lambda: everything, output_signature=signature)
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune, and its thread may take a minute to end
    return dataset.prefetch(4).with_options(options)


def draw_mask(shape: tuple, rate: float, seed: keras.random.SeedGenerator, dtype: str) -> Any:
    """A dropout mask of `shape`: 0 with a probability of `rate`, else 1 / (1 - rate)."""
    ones = ops.ones(shape, dtype)
    if keras.backend.backend() != "tensorflow":
        return keras.random.dropout(ones, rate, seed=seed)
    import tensorflow as tf

    # Keras leaves the choice of a generator to XLA, whose own takes 375 ns a number on a CPU.
    # Philox takes 2, and is what Keras gets outside XLA.
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
    """Call `step` for each time, one after the other.

    Args:
        step: `step(state, inputs at one time) -> (state, outputs at that time)`, a pure function;
            all are structures of tensors, and the state keeps its structure, shapes and dtypes.
        state: before the first step.
        inputs: (batch, time, ...) each.
        time_major: whether inputs and outputs are (time, batch, ...) instead.
        reverse: whether it goes from the last time to the first.
        reuse: whether outputs may be written over inputs of their shape, step by step, which saves
            memory that would have to be made and cleared.

    Returns:
        The state after the last step, and the outputs, (batch, time, ...) each.
    """
    if not time_major:
        inputs = tree.map_structure(_swap_time, inputs)  # (time, batch, ...)
    engine = keras.backend.backend()
    if engine == "tensorflow":
        state, outputs = _scan_tensorflow(step, state, inputs, reverse, reuse)
    elif engine == "jax":
        import jax

        state, outputs = jax.lax.scan(step, state, inputs, reverse=reverse)
    else:
        steps = []
        times = range(tree.flatten(inputs)[0].shape[0])
        for time in reversed(times) if reverse else times:
            step_inputs = tree.map_structure(lambda tensor, time=time: tensor[time], inputs)
            state, outputs = step(state, step_inputs)
            steps.append(outputs)
        steps = steps[::-1] if reverse else steps
        outputs = tree.map_structure(lambda *tensors: ops.stack(tensors), *steps)
    return state, outputs if time_major else tree.map_structure(_swap_time, outputs)


def pull_back(function: Callable, arguments: tuple, upstream: tuple) -> tuple:
    """The gradients of `arguments`, given those of the results of `function(*arguments)`.

    Args:
        function: of tensors, to a tuple of tensors, in operations that the engine differentiates.
        arguments: what it is called with.
        upstream: a gradient for each result.
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

    state, inputs = tree.map_structure(tf.convert_to_tensor, (state, inputs))
    tensors = tree.flatten(inputs)
    count = tf.shape(tensors[0])[0]
    arrays = [
        tf.TensorArray(
            tensor.dtype, count, element_shape=tensor.shape[1:], clear_after_read=False
        ).unstack(tensor)
        for tensor in tensors
    ]
    # What the step returns at time 0 tells structure and dtypes; the graph drops the computation.
    _, sample = step(state, tree.map_structure(lambda tensor: tensor[0], inputs))
    written, replaced = [], {}  # the number of an input: the number of the output that replaces it
    for number, tensor in enumerate(tree.flatten(sample)):
        free = [n for n in range(len(arrays)) if reuse and n not in replaced]
        position = next((n for n in free if _alike(tensors[n][0], tensor)), None)
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
        next_state, outputs = step(
            tree.pack_sequence_as(state, flat), tree.pack_sequence_as(inputs, step_inputs)
        )
        next_state = [
            tf.ensure_shape(t, b.shape) for t, b in zip(tree.flatten(next_state), flat, strict=True)
        ]
        outputs = tree.flatten(outputs)
        return (
            number + 1,
            next_state,
            [a.write(time, o) for a, o in zip(written, outputs, strict=True)],
        )

    _, next_state, written = tf.while_loop(
        lambda number, *_: number < count,
        advance,
        (0, tree.flatten(state), written),
        maximum_iterations=count,
    )
    outputs = [array.stack() for array in written]
    return tree.pack_sequence_as(state, next_state), tree.pack_sequence_as(sample, outputs)


def _alike(first: Any, second: Any) -> bool:
    return first.dtype == second.dtype and first.shape.as_list() == second.shape.as_list()


def make_deterministic() -> None:
    """Let this process compute only what gives the same bits every time; it can't be undone.

    On a CPU JAX always does; on a GPU it must be told before it starts:
    `XLA_FLAGS=--xla_gpu_deterministic_ops=true`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def count_threads() -> dict[str, int | str | None]:
    """What says how many threads the engine computes with: 0 or None where nobody does."""
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS")}
    threads["cores"] = cores()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        threads["intra_op"] = tf.config.threading.get_intra_op_parallelism_threads()
        threads["inter_op"] = tf.config.threading.get_inter_op_parallelism_threads()
    return threads
