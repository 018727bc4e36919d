"""Dense layers that are built when they are made."""

import keras


def projection(size: int, input_size: int, name: str, dtype, **options) -> keras.layers.Dense:
    """Build a dense layer from `input_size` to `size` features; it can be saved before its use.

    Args:
        size, input_size: output and input features.
        name: of the layer, and of its weights in a file.
        dtype: a policy, as `self.dtype_policy` of the layer that owns it.
        options: of `keras.layers.Dense`.
    """
    layer = keras.layers.Dense(size, name=name, dtype=dtype, **options)
    layer.build((None, input_size))
    return layer
