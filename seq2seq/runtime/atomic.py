"""Files that appear whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

# Errors of file systems without modes, links, or folders that can be synchronised.
UNSUPPORTED = {
    *(errno.EINVAL, errno.EPERM, errno.EACCES, errno.EISDIR, errno.EBADF),
    *(errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS),
}


UMASK = os.umask(0o022)  # file mode mask of this process; it must be set to be read
os.umask(UMASK)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that it appears whole or not at all, also if the machine stops.

    Raises:
        OSError: it can't be written, as when the disk is full; the error names the file.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        where_supported(os.chmod, temporary, 0o666 & ~UMASK)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
    where_supported(_sync_folder, path.parent)  # the new name itself


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def where_supported(action: Callable, *arguments: object) -> None:
    """Do what some file systems can't: exFAT, network drives and others work without it.

    Raises:
        OSError: it failed for another reason, as when the disk is broken.
    """
    try:
        action(*arguments)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
