"""Run directories: never overwritten unasked, and `runs/latest` points at the newest."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seq2seq.runs.directory import RunDirectory, _create_fresh
from seq2seq.runs.environment import read_environment
from seq2seq.runtime.atomic import write_whole


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_fresh_directories_never_collide(tmp_path):
    first, second = RunDirectory(None, "copy-lstm"), RunDirectory(None, "copy-lstm")
    assert first.path != second.path and first.path.is_dir() and second.path.is_dir()
    assert first.path.parent.as_posix() == "runs/copy-lstm"
    assert (tmp_path / "runs/latest").resolve() == second.path.resolve()


def test_latest_follows_a_directory_that_was_named(tmp_path):
    run = RunDirectory(str(tmp_path / "elsewhere/mine"), "copy-lstm")
    run.write("config.yaml", "here")
    assert (tmp_path / "runs/latest/config.yaml").read_text() == "here"


def test_a_run_is_not_replaced_by_default():
    with RunDirectory("mine", "copy-lstm") as run:
        run.write("summary.json", "{}")
    (run.path / "notes.txt").write_text("keep me")
    with pytest.raises(ValueError, match="run_dir=mine already holds a run .summary.json.*resume"):
        RunDirectory("mine", "copy-lstm")
    with pytest.raises(ValueError, match="overwrite must be true or false, got 'no'"):
        RunDirectory("mine", "copy-lstm", overwrite="no")


def test_a_replaced_run_is_kept_until_the_new_one_is_complete():
    with RunDirectory("mine", "copy-lstm") as run:
        run.write_json("environment.json", environment())
        run.checkpoints.write(1, {}, {})
        run.complete({"test": 1})
    (run.path / "notes.txt").write_text("keep me")
    for _ in range(2):  # a second try after one that was never completed changes nothing
        with RunDirectory("mine", "copy-lstm", overwrite=True) as run:
            run.write("config.yaml", "new")
            run.write_json("environment.json", environment())
            run.checkpoints.write(2, {}, {})
            names = {p.name for p in run.path.iterdir()} - {"config.yaml", "environment.json"}
            assert names == {".lock", "checkpoints", "notes.txt", "previous"}
            assert (run.path / "previous/summary.json").read_text() == '{\n  "test": 1\n}\n'
            (checkpoint,) = (run.path / "previous/checkpoints").iterdir()
            assert checkpoint.name == "step-000000001.npz"
    with RunDirectory("mine", "copy-lstm", resume=True) as run:
        run.complete({"test": 2})
    assert not (run.path / "previous").exists()


def test_resuming_latest_does_not_let_it_point_at_itself(tmp_path):
    with RunDirectory("mine", "copy-lstm"):
        pass
    with RunDirectory("runs/latest", "copy-lstm", resume=True) as run:
        assert run.path.as_posix() == "mine"
    assert (tmp_path / "runs/latest").resolve() == tmp_path / "mine"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((None, "a-run", False, True), "resume=true needs the run"),
        (("mine", "a-run", True, True), "choose"),
        (("mine", "a-run", False, "yes"), "resume must be true or false"),
    ],
)
def test_what_resume_needs(arguments, message):
    with pytest.raises(ValueError, match=message):
        RunDirectory(*arguments)


def environment(**changes):
    return {"data": "x", "command": ["a"], "started": "now", "cpus": 2, "packages": {}, **changes}


def test_a_run_without_a_checkpoint_begins_again(caplog):
    with RunDirectory("mine", "a-run") as run:
        run.describe("old", environment())
        for file in ("history.csv", "model.npz", ".history.csv.x1"):
            run.write(file, "old")
    with RunDirectory("mine", "a-run", resume=True) as run:
        run.describe("new", environment(cpus=3))
    assert "mine holds no checkpoint yet; training starts from the beginning" in caplog.text
    names = {path.name for path in run.path.iterdir()}
    assert names == {"config.yaml", "environment.json", "manifest.json", ".lock", "previous"}
    assert read_environment(run.path)["cpus"] == 3
    assert (run.path / "previous/model.npz").read_text() == "old"
    assert "note: earlier files are in mine/previous until this run is complete: " in caplog.text


def test_a_resumed_run_notes_what_changed(caplog):
    with RunDirectory("mine", "a-run") as run:
        run.describe("old", environment())
        run.checkpoints.write(7, {}, {})
        run.complete({})
    with RunDirectory("mine", "a-run", resume=True) as run:
        run.describe("new", environment(cpus=3, started="later"), {"training.steps": [7, 9]})
    assert "another environment" in caplog.text and "cpus: 2 -> 3" in caplog.text
    recorded = read_environment(run.path)
    assert recorded["cpus"] == 2 and recorded["started"] == "now"
    start = {"step": 7, "command": ["a"], "started": "later"}
    changed = {"config": {"training.steps": [7, 9]}, "environment": {"cpus": [2, 3]}}
    assert recorded["resumed"] == [start | changed]


def test_a_run_is_not_resumed_with_other_examples():
    with RunDirectory("mine", "a-run") as run:
        run.describe("old", environment())
        run.checkpoints.write(7, {}, {})
        run.complete({})
    with RunDirectory("mine", "a-run", resume=True) as run:
        with pytest.raises(ValueError, match="the examples are not those that the run in mine"):
            run.describe("new", environment(data="y"))
    assert (run.path / "config.yaml").read_text() == "old"
    assert (run.path / "summary.json").exists()


@pytest.mark.parametrize("where", ["runs", "runs/latest"])
def test_a_named_run_works_where_latest_can_not_be_a_link(tmp_path, where, caplog):
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("mine")
    with RunDirectory("elsewhere/run", "copy-lstm") as run:
        assert run.path == Path("elsewhere/run")
    assert "note: runs/latest can't point at this run (" in caplog.text
    assert (tmp_path / where).read_text() == "mine"
    if where == "runs":
        with pytest.raises(ValueError, match="runs is a file; name another directory"):
            RunDirectory(None, "copy-lstm")


def test_a_link_that_can_not_be_replaced_is_named_and_nothing_is_left(
    tmp_path, monkeypatch, caplog
):
    RunDirectory("one", "copy-lstm").close()
    monkeypatch.setattr(Path, "replace", refuse(errno.EACCES))
    RunDirectory("two", "copy-lstm").close()
    assert f"the run is two; it still points at {tmp_path / 'one'}" in caplog.text
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["latest"]


@pytest.mark.parametrize("path", ["", ["a"], True, False, 1.5])
def test_a_run_dir_is_a_path(path):
    with pytest.raises(ValueError, match="run_dir must be the path"):
        RunDirectory(path, "copy-lstm")


def test_runs_that_start_together_get_directories_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: _create_fresh("copy-lstm"), range(40)))
    assert len(set(paths)) == 40


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(ValueError, match="run_dir=mine is a file"):
        RunDirectory("mine", "copy-lstm")


def test_rows_become_csv():
    run = RunDirectory("mine", "copy-lstm")
    run.write_rows("history.csv", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert (run.path / "history.csv").read_text() == "epoch,loss\n1,0.5\n2,0.25\n"


def refuse(number):
    def action(*_, **__):
        raise OSError(number, os.strerror(number))

    return action


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EROFS])
def test_without_links_a_run_is_trained_and_latest_is_a_note(number, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "symlink_to", refuse(number))
    with RunDirectory("mine", "name"):
        pass
    assert (
        f"runs/latest can't point at this run ({os.strerror(number)}); the run is mine"
        in caplog.text
    )


@pytest.mark.parametrize("name", ["chmod", "fsync"])
def test_modes_and_synchronised_folders_are_extras(name, tmp_path, monkeypatch):
    original = getattr(os, name)

    def without_extras(target, *arguments):
        if name == "chmod" or os.path.isdir(f"/proc/self/fd/{target}"):
            raise OSError(errno.EINVAL, "no such thing here")
        return original(target, *arguments)

    monkeypatch.setattr(os, name, without_extras)
    write_whole(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_another_error_of_a_file_is_no_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        write_whole(tmp_path / "a.txt", "whole")
    assert list(tmp_path.iterdir()) == []


FOREIGN = {
    "another environment.json": {"environment.json": '{"name": "x"}', "history.csv": "a"},
    "no environment.json": {"config.yaml": "learning_rate: 1", "model.npz": "theirs"},
    "directories": {"checkpoints/epoch-1/model.pt": "theirs", "history.csv": "a"},
}


@pytest.mark.parametrize("held", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}, {}], ids=str)
def test_a_directory_of_another_program_is_not_touched(held, options, tmp_path):
    for name, content in held.items():
        (tmp_path / "theirs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "theirs" / name).write_text(content)
    with pytest.raises(ValueError, match="no run of this program|already holds a run"):
        RunDirectory("theirs", "copy-lstm", **options)
    for name, content in held.items():
        assert (tmp_path / "theirs" / name).read_text() == content


def test_a_finished_run_whose_checkpoints_are_gone_is_not_begun_anew_by_resuming(tmp_path):
    with RunDirectory("mine", "a-run") as run:
        run.describe("old", environment())
        run.write("model.npz", "learned")
        run.complete({"test": 1})
    with pytest.raises(ValueError, match="mine has ended, and has no checkpoint to resume"):
        RunDirectory("mine", "a-run", resume=True)
    assert (tmp_path / "mine/model.npz").read_text() == "learned"


def test_what_others_put_into_a_run_stays(tmp_path):
    with RunDirectory("mine", "a-run") as run:
        run.describe("old", environment())
        run.checkpoints.write(1, {}, {})
        for name in ("thesis.txt", "step-notes.npz.txt", ".step-000000001.npz.abc123"):
            (run.path / "checkpoints" / name).write_text("mine")
        for step in (2, 3, 4):
            run.checkpoints.write(step, {}, {})
        names = {path.name for path in (run.path / "checkpoints").iterdir()}
        steps = {"step-000000003.npz", "step-000000004.npz"}
        assert names == {*steps, "step-notes.npz.txt", "thesis.txt"}
        run.complete({"test": 1})
    with RunDirectory("mine", "a-run", overwrite=True) as run:
        (run.path / "previous/notes.txt").write_text("mine")
        run.describe("new", environment())
        run.complete({"test": 2})
    left = {path.relative_to(run.path).as_posix() for path in run.path.glob("previous/*/*")}
    assert left == {"previous/checkpoints/thesis.txt", "previous/checkpoints/step-notes.npz.txt"}
    assert (run.path / "previous/notes.txt").exists()


FOLDERS = ["checkpoints", "previous", "kept_data", "tensorboard"]


@pytest.mark.parametrize("name", [".lock", "config.yaml", "model.npz", *FOLDERS])
@pytest.mark.parametrize("options", [{"resume": True}, {"overwrite": True}], ids=str)
def test_links_inside_a_run_are_not_followed(name, options, tmp_path):
    with RunDirectory("mine", "a-run") as run:
        run.describe("old", environment())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/step-000000001.npz").write_text("theirs")
    (tmp_path / "elsewhere/file").write_text("theirs")
    (tmp_path / "mine" / name).unlink(missing_ok=True)
    goal = "elsewhere" if name in FOLDERS else "elsewhere/file"
    (tmp_path / "mine" / name).symlink_to(tmp_path / goal)
    with pytest.raises(ValueError, match=rf"mine/{name} is a link, and is not followed"):
        RunDirectory("mine", "a-run", **options)
    assert [path.read_text() for path in (tmp_path / "elsewhere").iterdir()] == ["theirs"] * 2
