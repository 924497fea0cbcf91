"""Names and counts for messages."""

from collections.abc import Sequence

_MOST = 20


def listing(names: Sequence[object]) -> str:
    """Write names as a list of bounded length: ``'a', 'b', ... (785 in all)``."""
    text = ", ".join(repr(name) for name in names[:_MOST])
    return text if len(names) <= _MOST else f"{text}, ... ({len(names)} in all)"


def counted(number: int, noun: str) -> str:
    """Format a number of things: ``1 thread``, ``1,797 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
