"""The verb `export`."""

import pytest

from tests.cli.calls import call


def test_export_writes_a_file_that_answers_alike(capsys, trained, tmp_path):
    for weights in ("float32", "float16", "int8"):
        path = tmp_path / f"{weights}.npz"
        status, out, _ = call(capsys, "export", trained, "-o", path, "--weights", weights)
        assert status == 0 and f"written to {path}" in out
        assert ("exact_match" in out and "5 held-out examples" in out) == (weights != "float32")
    sizes = [(tmp_path / f"{weights}.npz").stat().st_size for weights in ("float16", "int8")]
    assert sizes[1] < sizes[0] < (tmp_path / "float32.npz").stat().st_size
    _, answers_there, _ = call(capsys, "predict", tmp_path / "float32.npz", "abc", "c", "--scores")
    assert answers_there == call(capsys, "predict", trained, "abc", "c", "--scores")[1]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-o", "nowhere/model.npz"], "must name a file in a folder that is there"),
        (["-o", ".", "--format", "onnx"], "exists already"),
        (
            ["-o", "x", "--format", "onnx", "--weights", "int8"],
            "--weights int8 is for --format numpy",
        ),
    ],
)
def test_exports_that_can_not_be_are_refused(
    capsys, cached_run, monkeypatch, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    status, _, err = call(capsys, "export", cached_run, *arguments)
    assert status == 2 and message in err
