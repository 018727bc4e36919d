import pytest

from tests.inference.small_predictor import make


@pytest.fixture(scope="module")
def predictor():
    return make()
