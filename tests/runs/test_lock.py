"""The lock of a run directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.runs.directory import RunDirectory
from seq2seq.runs.lock import LOCK, is_in_use, lock

LOCKER = """
import filelock, sys
file = open("mine/.lock", "w")
filelock.lock_descriptor(file.fileno())
print(" 123", file=file, flush=True)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").touch()
    (tmp_path / LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="is a link, and is not followed; remove it"):
        lock(tmp_path)
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_directory_is_in_use_while_its_lock_is_held(tmp_path):
    assert not is_in_use(tmp_path)
    handle = lock(tmp_path)
    assert is_in_use(tmp_path)
    os.close(handle)
    assert not is_in_use(tmp_path)


def test_a_directory_belongs_to_one_process_until_it_dies():
    RunDirectory("mine", "copy-lstm").close()
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(ValueError, match=r"run_dir=mine is in use by another process \(123\)"):
            RunDirectory("mine", "copy-lstm", **options)
    process.kill()
    process.wait()
    with RunDirectory("mine", "copy-lstm"):
        assert (Path("mine") / ".lock").read_text() == f" {os.getpid()}\n"
        with pytest.raises(ValueError, match="in use"):
            RunDirectory("mine", "copy-lstm")
    RunDirectory("mine", "copy-lstm").close()
