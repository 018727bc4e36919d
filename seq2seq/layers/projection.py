"""A dense layer that has its weights from the beginning."""

import keras


def projection(size: int, input_size: int, name: str, dtype, **options) -> keras.layers.Dense:
    """A dense layer from `input_size` to `size` features, built: it can be saved before it is used.

    Args:
        size, input_size: features out and in.
        name: of the layer, and of its weights in a file.
        dtype: a policy, as `self.dtype_policy` of the layer that owns it.
        options: of `keras.layers.Dense`.
    """
    layer = keras.layers.Dense(size, name=name, dtype=dtype, **options)
    layer.build((None, input_size))
    return layer
