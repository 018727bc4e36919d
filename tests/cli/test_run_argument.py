"""The argument RUN of the verbs."""

import pytest

from tests.cli.calls import call


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_what_is_no_run_is_named(capsys, verb, tmp_path):
    status, _, err = call(capsys, verb, tmp_path / "nowhere")
    assert status == 2 and "error: no such run" in err and err.count("\n") == 1
    status, _, err = call(capsys, verb, tmp_path)
    assert status == 2 and "model.npz is missing" in err
