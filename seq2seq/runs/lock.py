"""The lock of a run directory, held by one process; needs no engine."""

import errno
import logging
import os
from pathlib import Path

from filelock import lock_descriptor

LOCK = ".lock"
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)
logger = logging.getLogger("seq2seq")


def lock(path: Path) -> int:
    """Lock the directory for this process, until it ends.

    Raises:
        ValueError: another process has it, or the lock is a link, which could lead to any file.
    """
    if (path / LOCK).is_symlink():
        raise ValueError(f"{path / LOCK} is a link, and is not followed; remove it")
    no_link = getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | no_link, 0o644)
    try:
        is_ours = lock_descriptor(handle, blocking=False)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            os.close(handle)
            raise
        logger.warning("warning: %s can't be locked: let no other process train there", path)
        return handle
    if not is_ours:
        os.lseek(handle, 1, os.SEEK_SET)  # Windows locks the first byte, which nobody can read then
        owner = os.read(handle, 20).decode("ascii", "replace").strip()
        os.close(handle)
        raise ValueError(f"run_dir={path} is in use by another process ({owner})")
    os.ftruncate(handle, 0)
    os.write(handle, f" {os.getpid()}\n".encode())
    return handle


def is_in_use(path: Path) -> bool:
    """Whether another process trains in a directory."""
    if not (path / LOCK).is_file():
        return False
    try:
        os.close(lock(path))
    except ValueError:
        return True
    return False
