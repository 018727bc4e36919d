import pytest

from tests.cli.calls import load_once


@pytest.fixture
def cached_run(trained, replace_load_run):
    """The run, loaded and compiled once for all tests that only predict."""
    replace_load_run(load_once)
    return trained
