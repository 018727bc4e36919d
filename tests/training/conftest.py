import pytest


@pytest.fixture
def empty_directory(tmp_path, monkeypatch, eagerly):
    """The current directory is empty, and nothing is compiled."""
    monkeypatch.chdir(tmp_path)
