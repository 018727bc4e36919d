"""What is written for one engine: compiling a function, and feeding batches to `fit`."""

from collections.abc import Callable, Iterator

import keras


def compiled(function: Callable, variables: list) -> Callable:
    """`function` compiled for the engine that runs Keras.

    It takes tensors (or nested structures of them) by position, and by keyword values that shape
    the computation (JAX compiles anew for each). On TensorFlow tensors of any batch and time run
    through one graph.

    Args:
        function: written in `keras.ops`, without side effects.
        variables: all variables it reads; their values at the time of a call are used.
    """
    engine = keras.backend.backend()
    if engine == "tensorflow":
        import tensorflow as tf

        graph = tf.function(function, reduce_retracing=True)

        def run(*tensors, **sizes):
            sizes = {name: tf.constant(value, "int32") for name, value in sizes.items()}
            return graph(*keras.tree.map_structure(tf.convert_to_tensor, tensors), **sizes)

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

    signature = keras.tree.map_structure(specify, first)
    everything = itertools.chain([first], batches)
    dataset = tf.data.Dataset.from_generator(lambda: everything, output_signature=signature)
    return dataset.prefetch(4)
