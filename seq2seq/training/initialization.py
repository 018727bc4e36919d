"""Initial weights as PyTorch draws them, to reproduce results of models trained there."""

import keras
import numpy as np

INITIALIZATIONS = ("keras", "pytorch")


def initialize_as_pytorch(model: keras.Model, seed: int) -> None:
    """Draw the weights of `model` anew, as PyTorch's layers do (their documentation, "Variables").

    - Embeddings: normal, of standard deviation 1 (Keras: uniform, up to 0.05).
    - Recurrent layers: all uniform, up to 1 / sqrt(units); where PyTorch has two biases and Keras
      one, their sum. The forget gate has no head start (Keras: Glorot's, orthogonal, and a forget
      bias of 1).
    - Dense layers: uniform, up to 1 / sqrt(inputs), biases too (Keras: Glorot's, and zeros).

    Other weights (of layer normalizations, and those of attentions and bridges outside dense
    layers) stay.

    Args:
        model: built.
        seed: the same seed draws the same weights, on every engine.
    """
    rng = np.random.default_rng((seed, 2))
    layers: dict[str, dict[str, keras.Variable]] = {}
    for variable in model.trainable_variables:
        layer_path, name = variable.path.rsplit("/", 1)
        layers.setdefault(layer_path, {})[name] = variable
    for layer in layers.values():
        if set(layer) == {"embeddings"}:
            layer["embeddings"].assign(rng.normal(size=layer["embeddings"].shape))
        elif "recurrent_kernel" in layer:
            limit = layer["recurrent_kernel"].shape[0] ** -0.5
            for name, variable in layer.items():
                drawn = rng.uniform(-limit, limit, variable.shape)
                if name == "bias" and len(variable.shape) == 1:  # where PyTorch has two
                    drawn = drawn + rng.uniform(-limit, limit, variable.shape)
                variable.assign(drawn)
        elif "kernel" in layer:
            limit = layer["kernel"].shape[0] ** -0.5
            for variable in layer.values():
                variable.assign(rng.uniform(-limit, limit, variable.shape))
