"""Base class of the package's layers, and freezing of weights."""

from typing import Self

import keras


class Layer(keras.layers.Layer):
    """Layer whose weights may be created after it was frozen, as those of a decoder are.

    Args:
        kwargs: of `keras.layers.Layer`: `name`, `dtype`, `trainable`.

    Raises:
        ValueError: the dtype policy keeps the weights themselves in 16 bits.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if self.variable_dtype.endswith("float16"):
            policy = self.variable_dtype
            raise ValueError(
                f"the dtype policy {policy!r} keeps weights in 16 bits, in which no engine draws "
                f"recurrent kernels; choose 'mixed_{policy}'"
            )
        self.supports_masking = True  # masks are arguments here, never attached to tensors

    def get_config(self) -> dict:
        """Arguments of `keras.layers.Layer`, with the name of the dtype policy for the policy."""
        return {**super().get_config(), "dtype": self.dtype_policy.name}

    def mark_built(self) -> None:
        """Mark this layer as built; a summary then shows its `output_shape`, if it has one."""
        self.built = True
        self._build_shapes_dict = {"input_shape": None}

    def freeze_weights(self) -> Self:
        """Freeze weights created after this layer, or a layer inside it, was frozen."""
        for layer in self._flatten_layers():
            if not layer.trainable:
                # Keras's setter hands it to the weights; TensorFlow's assignment of a value that
                # is there already would not reach the setter.
                keras.layers.Layer.trainable.fset(layer, False)
        return self


def frozen_weights(model: keras.Model) -> list[str]:
    """Paths of the weights that are not trained, in order."""
    return [weight.path for weight in model.weights if not weight.trainable]


def freeze_weights(model: keras.Model, paths: list[str]) -> None:
    """Freeze the weights at `paths`, and every layer that has no other weights.

    Raises:
        ValueError: the model has no such weight.
    """
    missing = sorted(set(paths) - {weight.path for weight in model.weights})
    if missing:
        raise ValueError(f"frozen names {missing[0]!r}, which is no weight of this model")
    for weight in model.weights:
        if weight.path in paths:
            weight.trainable = False
    for layer in model._flatten_layers(include_self=False):
        if layer.weights and not any(weight.trainable for weight in layer.weights):
            layer.trainable = False
