"""The engine: which there are, and what of the machine it may use."""

import logging
import os

import pytest

from seq2seq.runtime.quiet import cores, filtered_stderr, quiet_engine, read_quota
from tests.conftest import slow_except


@pytest.mark.parametrize(
    "files, quota",
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_is_read(files, quota, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert read_quota(tmp_path) == quota


@pytest.mark.parametrize("quota, expected", [(0.5, 1), (1.0, 1), (1e9, None), (None, None)])
def test_a_quota_counts_as_cores_do(quota, expected, monkeypatch):
    monkeypatch.setattr("seq2seq.runtime.quiet.read_quota", lambda: None)
    all_cores = cores()
    monkeypatch.setattr("seq2seq.runtime.quiet.read_quota", lambda: quota)
    assert cores() == (all_cores if expected is None else expected)


DOORS = {
    "import": ["-c", "import seq2seq; seq2seq.Encoder"],
    "submodule": ["-c", "from seq2seq.layers import Cell"],
    "train in Python": ["-c", "import seq2seq; seq2seq.train('task=copy')"],
    "load in Python": ["-c", "import seq2seq; seq2seq.load('run')"],
    "predict": ["-m", "seq2seq", "predict", "run", "a"],
    "train": ["-m", "seq2seq", "train", "task=copy"],
}


@pytest.mark.parametrize("door", slow_except(["import", "predict"], DOORS))
def test_another_engine_is_refused_in_one_line(door, python):
    done = python(*DOORS[door], KERAS_BACKEND="torch")
    message = (
        "KERAS_BACKEND=torch is no engine of this package: set tensorflow, the default, or jax"
    )
    assert done.stderr.splitlines()[-1].endswith(f"rror: {message}")
    if "-m" in DOORS[door]:
        assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "No module named" not in done.stderr


def test_an_engine_of_kerass_own_configuration_is_refused(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("keras.config.backend", lambda: "torch")
    with pytest.raises(ValueError, match="KERAS_BACKEND=torch is no engine of this package"):
        quiet_engine()


def test_noise_is_held_back_and_errors_pass(capfd, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with filtered_stderr():
        # TensorFlow reads it when it is loaded, be it here by reading data.
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"E0000 00:00:1 cuda_platform.cc:52] failed call to cuInit\n")
        os.write(2, b"E0000 00:00:1 something.cc:1] out of memory\n")
    assert capfd.readouterr().err == "E0000 00:00:1 something.cc:1] out of memory\n"


def test_advice_on_shapes_is_held_back(caplog):
    quiet_engine()
    for message in ("5 out of 6 calls to run triggered tf.function retracing", "something else"):
        logging.getLogger("tensorflow").warning(message)
    assert [record.message for record in caplog.records] == ["something else"]
