"""The memory there is: what cannot fit is refused before any of it is allocated.

A system may allow allocations of any size, and kill the process when the memory is used.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_UNASKED: Final = 1 << 26
"""Bytes that are allocated without a check: finding the limit takes 0.1 ms."""

_ROOT: Path = Path("/")
"""The root of the system's files; tests replace it."""

_GROUPS: Final = {
    "": (("sys/fs/cgroup", "sys/fs/cgroup/unified"), "memory.max"),
    "memory": (("sys/fs/cgroup/memory",), "memory.limit_in_bytes"),
}
"""By controller, of version 2 (which names none) and 1: the usual mount point, and the file."""


class Limit(NamedTuple):
    """The maximum memory of this process, and what sets the limit."""

    size: int
    name: str


def require(what: str, needed: int, *parts: object) -> None:
    """Raise if more memory is needed than there can be.

    Parameters
    ----------
    what : str
        The beginning of the message: "the outputs".
    needed : int
        Bytes; exact for any product of sizes, as Python's integers do not overflow.
    *parts : object
        What ``what.format`` takes, so that nothing is formatted where there is enough.

    Raises
    ------
    MemoryError
        If that is above `limit`; the message names both.
    """
    if needed > _UNASKED and needed > limit().size:
        raise error(what.format(*parts) if parts else what, needed)


def error(what: str, needed: int) -> MemoryError:
    """Return the error for an allocation that is too large."""
    least = limit()
    size = f"{needed:,}" if needed < 2**128 else "more than 2^128"  # some have too many digits
    return MemoryError(f"{what} would need {size} bytes; {least.name} is {least.size:,} bytes")


def limit() -> Limit:
    """Return the smallest limit: of the machine, the control group, or the process."""
    return min(_limits())


def _limits() -> Iterator[Limit]:
    yield Limit(sys.maxsize, "the address space")
    with suppress(AttributeError, ValueError, OSError):
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if size > 0:
            yield Limit(size, "the physical memory")
    with suppress(ImportError):
        import resource  # noqa: PLC0415  (not on every system)

        size = resource.getrlimit(resource.RLIMIT_AS)[0]
        if size != resource.RLIM_INFINITY:
            yield Limit(size, "the limit of the process (RLIMIT_AS)")
    for size in _group_limits():
        yield Limit(size, "the limit of the control group (cgroup)")


def _group_limits() -> Iterator[int]:
    """Yield the limits of the control groups of this process and of their parents."""
    with suppress(OSError):
        for line in (_ROOT / "proc/self/cgroup").read_text().splitlines():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            parts = [part for part in path.split("/") if part not in ("", "..")]
            for controller in controllers.split(","):
                folders, name = _GROUPS.get(controller, ((), ""))
                for folder in folders:
                    for depth in range(len(parts) + 1):
                        with suppress(OSError, ValueError):  # not there, or "max"
                            yield int(Path(_ROOT, folder, *parts[:depth], name).read_text())
