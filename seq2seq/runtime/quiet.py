"""Import and start of the engine without its start-up messages; other messages are passed on."""

import contextlib
import importlib
import io
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from seq2seq.runtime.escaping import Terminal
from seq2seq.runtime.progress import progress
from seq2seq.runtime.verbosity import logger

ENGINES = ("tensorflow", "jax")
EXPECTED_MESSAGES = re.compile(
    rb"^(WARNING: All log messages before absl|[IW]\d{4} |E\d{4} .*(cuInit|DT_BOOL))"
)


def import_engine() -> None:
    """Import Keras and its engine without their start-up messages; others are passed on.

    TensorFlow does not warn of functions compiled for several shapes, which are few by design. No
    device is initialized, so a program may still select one.

    Raises:
        ValueError: Keras is configured for another engine than TensorFlow and JAX.
    """
    check_engine(os.environ.get("KERAS_BACKEND"))  # it may not be installed
    logging.getLogger("tensorflow").addFilter(_is_news)
    if "keras" not in sys.modules:
        with filtered_stderr():
            importlib.import_module("keras")
    check_engine(sys.modules["keras"].config.backend())


def check_engine(name: str | None) -> None:
    """Raise a ValueError unless Keras's backend `name` is an engine of this package, or not set."""
    if name and name not in ENGINES:
        raise ValueError(
            f"KERAS_BACKEND={name} is no engine of this package: set tensorflow, the default, or "
            "jax"
        )


def quiet_engine() -> None:
    """Start the engine without its start-up messages; others are passed on."""
    with progress("loading the engine"), filtered_stderr():
        import_engine()
        import keras

        # The first tensor initializes devices, the first transposed mask oneDNN: both log it.
        keras.ops.transpose(keras.ops.zeros((2, 2), "bool"))


def log_engine() -> None:
    """Log the engine, which has started, and the cores."""
    import keras

    logger.info("Keras %s with %s, %d cores", keras.__version__, keras.backend.backend(), cores())


def cores() -> int:
    """Cores that this process may use: by its affinity, and by the quota of its control group."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = read_quota()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def read_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPU quota of the control group of this process, in cores; None: unlimited."""
    try:
        if (root / "cpu.max").is_file():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = (
                (root / f"cpu/cpu.cfs_{name}_us").read_text().strip()
                for name in ("quota", "period")
            )
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError):  # no control groups, or "max"
        return None


def _is_news(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in str(record.msg)


def set_output_encoding() -> None:
    """Make standard output and standard error accept every character.

    Files and pipes are UTF-8, as inputs are, whatever the locale; a terminal that lacks a character
    shows a question mark.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):  # closed, or another program's
            continue
        if stream.isatty():
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8")
    if type(sys.stdout) is io.TextIOWrapper and sys.stdout.isatty():
        options = {"encoding": sys.stdout.encoding, "errors": "replace", "line_buffering": True}
        sys.stdout = Terminal(sys.stdout.detach(), **options)


@contextlib.contextmanager
def filtered_stderr() -> Iterator[None]:
    """Capture standard error, and write at the end what is not an expected message.

    If TensorFlow is loaded meanwhile, it logs errors only from then on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryFile() as captured:
        try:
            with redirected_stderr(captured):
                yield
        finally:
            captured.seek(0)
            lines = captured.read().splitlines(True)
            os.write(2, b"".join(line for line in lines if not EXPECTED_MESSAGES.match(line)))


@contextlib.contextmanager
def redirected_stderr(file: IO) -> Iterator[None]:
    """Write the standard error of the whole process, compiled code included, to `file`."""
    sys.stderr.flush()
    original = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
