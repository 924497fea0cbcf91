"""The error that ended a fit on one rank, as the other ranks raise it."""

from typing import Final

_PLAIN: Final = {
    kind.__name__: kind
    for kind in (TypeError, ValueError, OSError, RuntimeError, MemoryError, KeyboardInterrupt)
}
"""The errors that are the same on all ranks, as are those of their kinds; others are a RuntimeError
that names them."""


def sent(error: BaseException) -> tuple[str, str]:
    """Return the name of the plain error that an error is, and its message."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  (of an exception of the user)
        message = ""
    name = type(error).__name__
    if name not in _PLAIN:
        message = f"{name}: {message}"
    kinds = (kind.__name__ for kind in type(error).__mro__ if kind in _PLAIN.values())
    return next(kinds, "RuntimeError"), message


def received(rank: int, name: str, message: str) -> BaseException:
    """Return the error of another rank."""
    return _PLAIN[name](f"rank {rank}: {message}" if message else f"rank {rank}")
