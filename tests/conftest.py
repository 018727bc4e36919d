"""Fixtures and helpers of all tests."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parents[1]


def slow_except(quick, values):
    """The `values` of a parametrization: those that are not among the `quick` ones are slow."""
    parameters = []
    for value in values:
        if value not in quick:
            arguments = value if isinstance(value, tuple) else (value,)
            value = pytest.param(*arguments, marks=pytest.mark.slow)
        parameters.append(value)
    return parameters


def run_python(*arguments, cwd, stdin=None, timeout=900, **environment):
    """Run `python ARGUMENTS` in a fresh process; the finished process with its text."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def run_on_terminal(command, stream=1, **options):
    """Run `command` with `stream`, 1 or 2, on a terminal; the status, and the bytes shown there."""
    import pty  # Windows has none

    reader, terminal = pty.openpty()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    streams["stdout" if stream == 1 else "stderr"] = terminal
    process = subprocess.Popen(command, **streams, **options)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux reports that the other end was closed
        while part := os.read(reader, 65536):
            shown += part
    os.close(reader)
    return process.wait(), shown


@pytest.fixture
def python(tmp_path):
    """`run_python` in an empty directory."""
    return lambda *arguments, **options: run_python(*arguments, cwd=tmp_path, **options)


@contextlib.contextmanager
def without_compiling():
    """Small models train and answer sooner than their loops are compiled."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eager(request):
    """Nothing is compiled, but in tests of what is "compiled"."""
    with contextlib.nullcontext() if "compiled" in request.node.name else without_compiling():
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run directory of a tiny model, trained once by the command line, for all workers."""
    directory = tmp_path_factory.getbasetemp()
    directory = directory.parent if "PYTEST_XDIST_WORKER" in os.environ else directory
    words = ["task=copy", "task.symbols=3", "task.max_length=6", "task.validation_examples=3"]
    words += ["task.test_examples=5", "model.encoder.units=16", "training.steps=40"]
    with FileLock(directory / "trained.lock"):
        if not (directory / "trained/run").exists():
            (directory / "trained").mkdir()
            done = run_python(ROOT / "train.py", *words, "run_dir=run", cwd=directory / "trained")
            assert done.returncode == 0, done.stderr
    return directory / "trained/run"


@pytest.fixture
def no_extensions():
    """No module is allowed, as in a new process; a function that undoes what the test allowed."""
    import keras

    from seq2seq.runtime import extensions

    def undo():
        extensions._allowed.clear()
        for modules in (sys.modules, keras.saving.get_custom_objects()):
            for name in [name for name in modules if name.startswith("my_")]:
                del modules[name]

    undo()
    yield undo
    undo()


@pytest.fixture
def eagerly():
    """The whole test without graphs."""
    with without_compiling():
        yield


@pytest.fixture
def replace_load_run(monkeypatch):
    """Let every verb get its run from `load(run)` in place of a file."""
    from seq2seq.cli.main import VERBS

    def replace(load):
        for verb in VERBS.values():
            if hasattr(verb, "load_run"):
                monkeypatch.setattr(verb, "load_run", lambda run, others=(): load(run))

    return replace
