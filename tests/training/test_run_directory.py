"""Run directories: never overwritten unasked, and `runs/latest` points at the newest."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2seq.training.run_directory import (
    RunDirectory,
    _create_fresh,
    describe_environment,
)


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
    with pytest.raises(ValueError, match="overwrite must be true or false, got 'no'"):
        RunDirectory("mine", "copy-lstm", overwrite="no")


def test_a_replaced_run_is_kept_until_the_new_one_is_complete(tmp_path):
    run = RunDirectory("mine", "copy-lstm")
    run.complete({"test": 1})
    (run.path / "notes.txt").write_text("keep me")
    for _ in range(2):  # a second try after one that was never completed changes nothing
        run = RunDirectory("mine", "copy-lstm", overwrite=True)
        run.write("config.yaml", "new")
        names = sorted(p.name for p in run.path.iterdir())
        assert names == ["config.yaml", "notes.txt", "previous"]
        assert (run.path / "previous/summary.json").read_text() == '{\n  "test": 1\n}\n'
    run.complete({"test": 2})
    assert not (run.path / "previous").exists()


@pytest.mark.parametrize("where", ["runs", "runs/latest"])
def test_nothing_is_touched_where_latest_can_not_be(tmp_path, where):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/summary.json").write_text("{}")
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("")
    with pytest.raises(ValueError, match="must be free"):
        RunDirectory("mine", "copy-lstm", overwrite=True)
    assert (tmp_path / "mine/summary.json").exists()


@pytest.mark.parametrize("path", ["", ["a"], True, False, 1.5])
def test_a_run_dir_is_a_path(path):
    with pytest.raises(ValueError, match="run_dir must be the path"):
        RunDirectory(path, "copy-lstm")


def test_runs_that_start_together_get_directories_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: _create_fresh("copy-lstm"), range(40)))
    assert len(set(made)) == 40


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
