"""Weights and dropout masks are the same in every run of these tests."""

import keras
import pytest


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)
