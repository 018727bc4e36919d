"""What tests of training share."""

import contextlib

import keras
import pytest


@contextlib.contextmanager
def without_graphs():
    """A training of a few steps is over before a graph is built."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly():
    """The whole test without graphs."""
    with without_graphs():
        yield
