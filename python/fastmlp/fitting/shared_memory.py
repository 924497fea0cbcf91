"""Memory that several processes of one machine map: a file without a name in memory."""

import mmap
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

FOLDER: Final = "/dev/shm"

_TOKEN: Final = 16


@contextmanager
def created(size: int) -> Iterator[tuple[str, bytes] | None]:
    """Create zeroed memory, and return where other processes find it, until the end of the block.

    None if this system has none, or too little.
    """
    place = None
    try:
        place = _create(size)
        yield place
    finally:
        if place is not None:
            os.unlink(place[0])  # noqa: PTH108  (processes that have mapped it keep it)


def opened(place: tuple[str, bytes] | None, size: int) -> NDArray[np.uint64] | None:
    """Map the memory that another process has created; None if it runs on another machine."""
    if place is None:
        return None
    name, token = place
    try:
        with open(name, "r+b") as file:  # noqa: PTH123
            mapped = mmap.mmap(file.fileno(), size + _TOKEN)
    except (OSError, ValueError):
        return None
    if mapped[size:] != token:
        return None
    return np.frombuffer(mapped, np.uint64, size // 8)


def _create(size: int) -> tuple[str, bytes] | None:
    if not hasattr(os, "posix_fallocate"):
        return None
    token = secrets.token_bytes(_TOKEN)
    try:
        descriptor, name = tempfile.mkstemp(prefix="fastmlp-", dir=FOLDER)
    except OSError:
        return None
    try:
        os.posix_fallocate(descriptor, 0, size + _TOKEN)  # else a full folder ends the process
        os.pwrite(descriptor, token, size)
    except OSError:
        os.unlink(name)  # noqa: PTH108
        return None
    finally:
        os.close(descriptor)
    return name, token
