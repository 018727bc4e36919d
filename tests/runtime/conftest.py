import pytest

from tests.conftest import without_compiling


@pytest.fixture(scope="module")
def eager_module():
    """Small models predict sooner than their loops are compiled."""
    with without_compiling():
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, eager_module):
    """A small model: its predictor and its runtime."""
    from tests.runtime.small_models import export, make_tiny

    predictor = make_tiny()
    return predictor, export(predictor, tmp_path_factory.mktemp("tiny"))
