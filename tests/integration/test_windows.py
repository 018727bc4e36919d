"""Everything works without the parts of this system that Windows lacks: they are taken away.

Each process of these tests begins with `WINDOWS`. It is no Windows: what is there and behaves
otherwise (paths, open files that can't be replaced) is not tried.
"""

import json
import os

import pytest

from tests.conftest import ROOT

WINDOWS = """
import errno, os, shutil, signal, subprocess, sys
if "site" not in sys.argv[0]:
    import concurrent.futures.thread, random, tempfile  # they look for what is taken away below
    for module in ("fcntl", "pwd", "grp", "resource", "termios"):
        sys.modules[module] = None
    for name in ("SIGHUP", "SIGUSR1", "SIGALRM", "pthread_sigmask"):
        delattr(signal, name)
    for name in ("sched_setaffinity", "sched_getaffinity", "fork", "geteuid", "getuid"):
        delattr(os, name)

    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, "A required privilege is not held by the client")

    os.symlink = refuse
    real_open, real_popen = os.open, subprocess.Popen.__init__

    def open_file(path, *arguments, **options):
        if not isinstance(path, int) and os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real_open(path, *arguments, **options)

    def start(self, *arguments, preexec_fn=None, pass_fds=(), **options):
        if preexec_fn is not None or pass_fds:
            raise ValueError("preexec_fn is not supported on Windows platforms")
        return real_popen(self, *arguments, **options)

    os.open, subprocess.Popen.__init__ = open_file, start
    shutil._use_fd_functions = False
"""
RUN = ["task=copy", "task.symbols=3", "task.max_length=4", "task.test_examples=5"]
RUN += ["task.validation_examples=3", "model.encoder.units=8", "training.batch_size=8"]


@pytest.fixture
def windows(python, tmp_path):
    """Run Python without what Windows lacks."""
    (tmp_path / "simulated").mkdir()
    (tmp_path / "simulated/sitecustomize.py").write_text(WINDOWS)
    path = os.pathsep.join([str(tmp_path / "simulated"), str(ROOT)])

    def run(*arguments, **options):
        done = python(*arguments, PYTHONPATH=path, **options)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def test_the_simulation_removes_fcntl_sighup_and_fork(windows):
    code = "import os, signal\ntry:\n import fcntl\nexcept ImportError:\n print('none')\n"
    done = windows("-c", f"{code}print(hasattr(signal, 'SIGHUP'), hasattr(os, 'fork'))")
    assert done.stdout == "none\nFalse False\n", done.stderr


@pytest.mark.slow
def test_a_run_is_trained_resumed_and_used(windows, tmp_path):
    done = windows("-m", "seq2seq", "train", *RUN, "training.steps=4", "run_dir=run")
    assert done.returncode == 0, done.stderr
    assert "note: runs/latest can't point at this run" in done.stderr.replace("\\", "/")
    done = windows("-m", "seq2seq", "train", "run", "--resume", "training.steps=6")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/summary.json").read_text())["train"]["steps"] == 6
    for arguments in (
        ("predict", "run", "abc"),
        ("evaluate", "run"),
        ("export", "run", "-o", "model.npz"),
        ("export", "run", "--format", "saved_model", "-o", "graphs"),
        ("inspect", "run", "abc", "-o", "shown"),
        ("report", "run", "-o", "reported"),
        ("ablate", "run", "-o", "ablated"),
    ):
        done = windows("-m", "seq2seq", *arguments)
        assert done.returncode == 0 and done.stdout, (arguments, done.stderr)
    assert (tmp_path / "shown/inspect.html").is_file() and (tmp_path / "graphs").is_dir()
    done = windows("-m", "seq2seq", "score", "run", stdin="abc\tabc\nb\ta\n")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr
    done = windows("-m", "seq2seq", "reproduce", "run", "-o", "again")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_several_runs_are_trained(windows, tmp_path):
    grid = ["-m", *RUN, "training.steps=4", "seed=0,1", "run_dir=grid", "--jobs", "2"]
    done = windows("-m", "seq2seq", "train", *grid)
    assert done.returncode == 0, done.stderr
    assert len([*(tmp_path / "grid").glob("*/summary.json")]) == 2 and "| 2 " in done.stdout
