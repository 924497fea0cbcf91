"""How much memory there is: what cannot fit is refused before a page of it is touched.

A system may promise any amount of memory, and end the process when it is used.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_UNASKED: Final = 1 << 26
"""Bytes that are allocated without a look: finding the limit takes 0.1 ms."""

_ROOT: Path = Path("/")
"""Where the system's files are; tests have their own."""

_GROUPS: Final = {
    "": (("sys/fs/cgroup", "sys/fs/cgroup/unified"), "memory.max"),
    "memory": (("sys/fs/cgroup/memory",), "memory.limit_in_bytes"),
}
"""By controller, of version 2 (which names none) and 1: the usual mount points, and the file."""


class Limit(NamedTuple):
    """The most memory that this process can have, and what sets the limit."""

    size: int
    name: str


def require(what: str, needed: int) -> None:
    """Refuse what needs more memory than there can be.

    Parameters
    ----------
    what : str
        The beginning of the message: "the outputs".
    needed : int
        Bytes. Python's integers do not overflow, so any product of sizes is exact.

    Raises
    ------
    MemoryError
        If that is above `limit`; it names both.
    """
    if needed > _UNASKED and needed > limit().size:
        raise error(what, needed)


def error(what: str, needed: int) -> MemoryError:
    """Return the error for what needs too much memory."""
    least = limit()
    size = f"{needed:,}" if needed < 2**128 else "more than 2^128"  # some have too many digits
    return MemoryError(f"{what} would need {size} bytes; {least.name} is {least.size:,} bytes")


def limit() -> Limit:
    """Return the least of the limits: of the machine, of the control group, of the process."""
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
    """Yield the limits of the groups this process is in, and of the groups these are in."""
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
