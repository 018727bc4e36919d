"""The environment of a run: described, and compared."""

import re
import subprocess

import pytest

import seq2seq.runs.environment as module
from seq2seq.runs.environment import (
    Checkout,
    describe_environment,
    environment_changes,
    read_checkout,
    read_environment,
    shorten_patch,
)


def test_the_environment_is_described():
    facts = describe_environment(7, "data", Checkout("abc", "patch"))
    assert facts["git_commit"] == "abc" and len(facts["git_changes"]) == 16
    assert facts["seed"] == 7 and facts["packages"]["keras"] and facts["command"]
    assert facts["data"] == "data" and "intra_op" in facts["threads"] and facts["devices"]


def test_two_starts_on_one_machine_have_one_environment():
    first, second = (describe_environment(7, "data", Checkout()) for _ in range(2))
    second |= {"started": "later", "command": ["other"]}
    assert environment_changes(first, second) == {}
    second["packages"] = {**first["packages"], "keras": "0"}
    assert environment_changes(first, second) == {
        "packages.keras": [first["packages"]["keras"], "0"]
    }


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_what_can_not_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "environment.json").write_text(content)
    with pytest.raises(ValueError, match="environment.json"):
        read_environment(tmp_path)


@pytest.fixture
def checkout(tmp_path):
    """A repository of a package, and git in it."""

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    for path, text in (
        ("seq2seq/__init__.py", "a = 1\n"),
        ("train.py", "b\n"),
        ("notes.md", "c\n"),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path, git


def test_what_was_changed_since_the_commit_is_a_patch_that_makes_it_again(checkout):
    directory, git = checkout
    package = directory / "seq2seq"
    commit = git("rev-parse", "HEAD")
    for name in ("notes.md", "seq2seq/left.pyc", "my.tsv"):  # no part of the program
        (directory / name).write_text("other\n")
    assert read_checkout(package) == Checkout(commit, "")
    assert Checkout(commit).digest is None
    (package / "__init__.py").write_text("a = 2\n")
    (package / "größe.py").write_text("new\n")
    modified = read_checkout(package)
    assert modified.commit == commit and re.fullmatch("[0-9a-f]{16}", modified.digest)
    assert modified == read_checkout(package)  # it changes nothing itself
    git("stash", "-q")
    (package / "größe.py").unlink()
    (directory / "changes.patch").write_text(modified.patch)
    git("apply", "changes.patch")
    assert (package / "__init__.py").read_text() == "a = 2\n"
    assert (package / "größe.py").read_text() == "new\n"
    assert read_checkout(package) == modified


def test_outside_of_a_checkout_nothing_is_known(checkout, tmp_path_factory, monkeypatch):
    directory, _ = checkout
    alone = tmp_path_factory.mktemp("alone")
    (alone / "__init__.py").touch()
    assert read_checkout(alone) == Checkout(None, "")
    (directory / "venv/seq2seq").mkdir(parents=True)  # installed inside of another repository
    (directory / "venv/seq2seq/__init__.py").touch()
    assert read_checkout(directory / "venv/seq2seq") == Checkout(None, "")
    monkeypatch.setenv("PATH", "")
    assert read_checkout(directory / "seq2seq") == Checkout(None, "")


def test_a_long_patch_is_reduced_to_its_file_names(monkeypatch):
    patch = "diff --git a/x b/x\n+1\ndiff --git a/y b/y\n+2\n"
    assert shorten_patch(patch) == patch
    monkeypatch.setattr(module, "LONGEST_PATCH", 20)
    short = shorten_patch(patch)
    assert (
        short.startswith("# left out: ") and "diff --git a/y b/y\n" in short and "+1" not in short
    )
