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


def nearest(name: str, names: Sequence[str]) -> str:
    """Write which of the names may be meant: ``"; did you mean 'label'?"``, or nothing."""
    import difflib  # noqa: PLC0415  (2 ms that only a mistake pays)

    by_letters = {folded(other): other for other in names}
    found = difflib.get_close_matches(folded(name), by_letters, n=1)
    return f"; did you mean {by_letters[found[0]]!r}?" if found else ""


def folded(name: str) -> str:
    """Return a name without the case of its letters, and without blanks around it."""
    return name.strip().casefold()
