"""Checks of settings: one function per kind.

Each returns the accepted value in a plain type, or raises: TypeError for a wrong type, ValueError
for a wrong value, naming the argument, the value and what is allowed.
"""

import difflib
import math
import operator
import secrets
from collections.abc import Sequence
from numbers import Real


def integer(
    name: str,
    value: object,
    minimum: int,
    maximum: int | None = None,
    *,
    alternative: str = "",
) -> int:
    """Return an integer of any integer type; a bool or a float is not one.

    Parameters
    ----------
    name : str
        The argument, for messages.
    value : object
        The value passed.
    minimum, maximum : int
        The smallest and the largest value allowed.
    alternative : str, optional
        What else the caller accepts, for the message.
    """
    kinds = f"an integer or {alternative}" if alternative else "an integer"
    if isinstance(value, bool):
        raise TypeError(f"{name} must be {kinds}, got {brief(value)}")
    try:
        result = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be {kinds}, got {brief(value)}") from None
    if result < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {brief(result)}")
    if maximum is not None and result > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {brief(result)}")
    return result


def positive(name: str, value: object) -> float:
    """Return a real number, finite and above 0, as a float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {brief(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not 0.0 < result < math.inf:
        raise ValueError(f"{name} must be finite and above 0, got {brief(value)}")
    return result


def not_negative(name: str, value: object) -> float:
    """Return a real number, finite and at least 0."""
    return 0.0 if value == 0 and not isinstance(value, bool) else positive(name, value)


def share(name: str, value: object) -> float:
    """Return a real number, at least 0 and below 1, as a float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {brief(value)}")
    if not 0.0 <= float(value) < 1.0:
        raise ValueError(f"{name} must be at least 0 and below 1, got {brief(value)}")
    return float(value)


def choice(name: str, value: object, allowed: Sequence[str]) -> str:
    """Return `value` if it is one of the names `allowed`; suggest the nearest if not."""
    names = ", ".join(map(repr, allowed))
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {names}, got {brief(value)}")
    if value not in allowed:
        nearest = difflib.get_close_matches(value.lower(), allowed, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"{name} must be one of {names}, got {brief(value)}{hint}")
    return value


def own(name: str, value: str, kind: type, attribute: str) -> None:
    """Refuse a name with numbers that another package made, which would be lost."""
    if hasattr(value, attribute) and not isinstance(value, kind):
        raise TypeError(
            f"{name} is {brief(str(value))} of {type(value).__module__}, whose numbers would be "
            "lost; use the class of fastmlp.reference"
        )


def dtype(value: object) -> str:
    """Return "float32" or "float64", from a name, a NumPy type or a dtype."""
    name = getattr(value, "name", None) or getattr(value, "__name__", value)
    return choice("dtype", "float64" if value is float else name, ("float32", "float64"))


def seed(value: object) -> int:
    """Return a seed in [0, 2^64); None draws one from the operating system."""
    if value is None:
        return secrets.randbits(64)
    return integer("seed", value, 0, 2**64 - 1, alternative="None")


def n_threads(value: object) -> None:
    """Check an upper limit of threads; there is one thread here."""
    if value is not None:
        integer("n_threads", value, 1, alternative="None")


def switch(name: str, value: object) -> bool:
    """Return True or False; 1 and 0 are accepted."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    kind = ValueError if isinstance(value, int) else TypeError
    raise kind(f"{name} must be True, False, 1 or 0, got {brief(value)}")


def brief(value: object) -> str:
    """Format a value for a message; truncated if long, only its type if it has no repr."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (a repr of the user's; an integer of too many digits)
        kind = type(value).__name__
        return f"an {kind}" if kind[0] in "aeioAEIO" or kind == "ndarray" else f"a {kind}"
    return text if len(text) <= 60 else f"{text[:60]}..."
