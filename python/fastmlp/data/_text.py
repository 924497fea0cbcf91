"""`listing`: a list of names for a message."""

from collections.abc import Sequence

_MOST = 20


def listing(names: Sequence[object]) -> str:
    """Write names as a list of bounded length: ``'a', 'b', ... (785 in all)``."""
    text = ", ".join(repr(name) for name in names[:_MOST])
    return text if len(names) <= _MOST else f"{text}, ... ({len(names)} in all)"
