"""Run directories: never overwritten unasked, and `runs/latest` points at the newest."""

import pytest

from seq2seq.training.run_directory import RunDirectory, describe_environment


@pytest.fixture(autouse=True)
def in_an_empty_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_fresh_directories_never_collide(tmp_path):
    one, two = RunDirectory(None, "copy-lstm"), RunDirectory(None, "copy-lstm")
    assert one.path != two.path and one.path.is_dir() and two.path.is_dir()
    assert one.path.parent.as_posix() == "runs/copy-lstm"
    assert (tmp_path / "runs/latest").resolve() == two.path.resolve()


def test_latest_follows_a_directory_that_was_named(tmp_path):
    run = RunDirectory(str(tmp_path / "elsewhere/mine"), "copy-lstm")
    run.write("config.yaml", "here")
    assert (tmp_path / "runs/latest/config.yaml").read_text() == "here"


def test_a_run_is_not_replaced_unless_asked(tmp_path):
    run = RunDirectory("mine", "copy-lstm")
    run.write("summary.json", "{}")
    (run.path / "notes.txt").write_text("keep me")
    with pytest.raises(ValueError, match="run_dir=mine already holds a run .summary.json.*overwr"):
        RunDirectory("mine", "copy-lstm")
    RunDirectory("mine", "copy-lstm", overwrite=True)
    assert [p.name for p in run.path.iterdir()] == ["notes.txt"]


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(ValueError, match="run_dir=mine is a file"):
        RunDirectory("mine", "copy-lstm")


def test_rows_become_csv():
    run = RunDirectory("mine", "copy-lstm")
    run.write_rows("history.csv", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert (run.path / "history.csv").read_text() == "epoch,loss\n1,0.5\n2,0.25\n"


def test_the_environment_is_described():
    found = describe_environment(7)
    assert found["seed"] == 7 and found["packages"]["keras"] and found["command"]
