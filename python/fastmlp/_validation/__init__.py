"""Checks of settings: one function per kind of argument. Arrays are checked in `data._arrays`.

Every function returns the accepted value in a plain type, or raises: TypeError for a wrong type,
ValueError for a wrong value, naming the argument, the value and what is allowed.
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from functools import cache
from numbers import Real
from typing import Any, Final, Literal, TypeAlias, TypeVar

import numpy as np

from fastmlp._validation.foreign_names import suggestion

FloatType: TypeAlias = (
    Literal["float32", "float64"]
    | type[np.float32 | np.float64 | float]
    | np.dtype[np.float32]
    | np.dtype[np.float64]
)
"""The types of the argument `dtype` of `Network`."""

_Name = TypeVar("_Name", bound=str)

_BOOLS: Final = (bool, np.bool_)

_MOST_THREADS: Final = 2**31 - 1


def integer(
    name: str, value: object, *, minimum: int, maximum: int | None = None, alternative: str = ""
) -> int:
    """Return an integer of any integer type; a bool or a float is not one.

    Parameters
    ----------
    name : str
        The argument, for messages.
    value : object
        The value passed.
    minimum, maximum : int
        The smallest and largest value allowed.
    alternative : str, optional
        What else the caller accepts, for the message: ``"None"``.
    """
    if isinstance(value, _BOOLS):
        raise TypeError(f"{name} must be {_integer_or(alternative)}, got {brief(value)}")
    try:
        result = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"{name} must be {_integer_or(alternative)}, got {described(value)}"
        ) from None
    if result < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {brief(result)}")
    if maximum is not None and result > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {brief(result)}")
    return result


def _integer_or(alternative: str) -> str:
    return f"an integer or {alternative}" if alternative else "an integer"


def real(name: str, value: object) -> float:
    """Return a real number as a float; NaN and infinities pass."""
    if type(value) is float:  # the usual case, which needs no search for abstract types
        return value
    if isinstance(value, _BOOLS) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {described(value)}")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def returned_number(name: str, value: Any) -> float:
    """Return the number that a user's function returned: anything but text that float() takes."""
    if not isinstance(value, str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise TypeError(f"{name} must be a real number, got {described(value)}")


def positive(name: str, value: object) -> float:
    """Return a real number, finite and above 0, as a float."""
    result = real(name, value)
    if not 0.0 < result < math.inf:
        raise ValueError(f"{name} must be finite and above 0, got {brief(value)}")
    return result


def not_negative(name: str, value: object) -> float:
    """Return a real number, finite and at least 0, as a float."""
    result = real(name, value)
    if not 0.0 <= result < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {brief(value)}")
    return result


def finite(name: str, value: object) -> float:
    """Return a real number that is finite, as a float."""
    result = real(name, value)
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, got {brief(value)}")
    return result


def share(
    name: str, value: object, *, zero: bool = True, one: bool = True, alternative: str = ""
) -> float:
    """Return a real number from 0 to 1 as a float; `zero` and `one` allow the ends.

    The message names what else the caller accepts, the `alternative`.
    """
    result = real(name, value)
    if not 0.0 <= result <= 1.0 or (result == 0.0 and not zero) or (result == 1.0 and not one):
        low, high = "at least 0" if zero else "above 0", "at most 1" if one else "below 1"
        other = f", or {alternative}" if alternative else ""
        raise ValueError(f"{name} must be {low} and {high}{other}, got {brief(value)}")
    return result


def items(name: str, value: object, kind: str) -> list[Any]:
    """Return the items of `value`, which must be `kind`; text, mappings and sets are refused."""
    no_items = isinstance(value, str | bytes | Mapping | Set) or getattr(value, "ndim", 1) == 0
    if isinstance(value, Iterable) and not no_items:
        with suppress(NotImplementedError):  # of a memoryview of several dimensions
            return list(value)
    raise TypeError(f"{name} must be {kind}, got {described(value)}")


def learning_rate(value: object, dtype: np.dtype[np.floating]) -> float:
    """Return a learning rate that is still finite and above 0 when rounded to `dtype`."""
    rate = positive("learning_rate", value)
    return representable_rate(rate, value, dtype)


def representable_rate(rate: float, given: object, dtype: np.dtype[np.floating]) -> float:
    """Return the rate above 0 that was `given` if rounding to `dtype` leaves it so, and finite."""
    least, most = _limits(dtype)
    if not least <= rate <= most:
        raise ValueError(f"learning_rate={brief(given)} is not a positive finite number in {dtype}")
    return rate


@cache
def _limits(dtype: np.dtype[np.floating]) -> tuple[float, float]:
    """Return the least number above 0 of a type, and the largest one."""
    limits = np.finfo(dtype)
    return float(limits.smallest_subnormal), float(limits.max)


def representable(name: str, value: float, dtype: np.dtype[np.floating]) -> float:
    """Return a number above 0 that rounding to `dtype` makes neither infinite nor 0."""
    least, most = _limits(dtype)
    if not least <= value <= most:
        raise ValueError(f"{name}={value!r} is beyond the range of {dtype}")
    return value


def choice(name: str, value: object, allowed: Sequence[_Name]) -> _Name:
    """Return `value` if it is one of the names `allowed`; suggest the nearest if not."""
    if not isinstance(value, str):
        hint = suggestion(value, allowed)
        raise TypeError(f"{name} must be {either(allowed)}, got {described(value)}{hint}")
    if value not in allowed:
        hint = suggestion(value, allowed)
        raise ValueError(f"{name} must be {either(allowed)}, got {brief(value)}{hint}")
    return value  # type: ignore[return-value]  # it is one of them


def own(name: str, value: object, kind: type, attribute: str) -> None:
    """Refuse a name with numbers that another package made, which would be lost."""
    if isinstance(value, str) and hasattr(value, attribute) and not isinstance(value, kind):
        raise TypeError(
            f"{name} is {brief(str(value))} of {type(value).__module__}, whose numbers would be "
            "lost; use the class of fastmlp"
        )


def dtype(value: object) -> np.dtype[np.floating]:
    """Return the dtype float32 or float64, from a name, a NumPy type or a dtype."""
    allowed = (np.dtype(np.float32), np.dtype(np.float64))
    try:
        result = None if value is None else np.dtype(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        result = None
    if result is not None and result in allowed:
        return result  # type: ignore[no-any-return]
    kind = TypeError if result is None and not isinstance(value, str) else ValueError
    hint = suggestion(value, ("float32", "float64"))
    raise kind(f"dtype must be 'float32' or 'float64', got {described(value)}{hint}")


def seed(value: object) -> int:
    """Return a seed in [0, 2^64); None draws one from the operating system."""
    if value is None:
        import secrets  # noqa: PLC0415  (it brings hashlib along)

        return secrets.randbits(64)
    return integer("seed", value, minimum=0, maximum=2**64 - 1, alternative="None")


def n_threads(value: object) -> int:
    """Return an upper limit of threads; None is 0, the limit of the process."""
    return 0 if value is None else threads("n_threads", value, alternative="None")


def threads(name: str, value: object, *, alternative: str = "") -> int:
    """Return a number of threads, at least 1, limited to the range of the core's int."""
    return min(integer(name, value, minimum=1, alternative=alternative), _MOST_THREADS)


def switch(name: str, value: object) -> bool:
    """Return True or False; 1 and 0 are accepted."""
    if isinstance(value, _BOOLS) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    if isinstance(value, int):
        raise ValueError(f"{name} must be True, False, 1 or 0, got {brief(value)}")
    raise TypeError(f"{name} must be True, False, 1 or 0, got {described(value)}")


def verbosity(value: object) -> int:
    """Return the verbosity 0, 1 or 2 of a fit; True and False are 1 and 0."""
    if isinstance(value, _BOOLS):
        return int(value)
    return integer("verbose", value, minimum=0, maximum=2)


def either(names: Sequence[str]) -> str:
    """Format names as a choice: ``'a', 'b' or 'c'``."""
    return joined(names, "or")


def joined(names: Sequence[str], conjunction: str) -> str:
    """Format names as a list: ``'a', 'b' and 'c'``."""
    quoted = [repr(name) for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} {conjunction} {quoted[-1]}"


def counted(count: int, noun: str) -> str:
    """Format a number of things: ``1 sample``, ``2 samples``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def with_article(kind: str) -> str:
    """Return the name of a type after its indefinite article: ``an int``, ``a list``."""
    sounds_like_vowel = kind[0] in "aeioAEIO" or kind == "ndarray"
    return f"an {kind}" if sounds_like_vowel else f"a {kind}"


def brief(value: object) -> str:
    """Format a value for a message; truncated if long, only its type if it has no repr."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (a repr of the user's; an integer of too many digits)
        return with_article(type(value).__name__)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def described(value: object) -> str:
    """Format a value and its type for a message; only its type if the value is long."""
    text, kind = brief(value), type(value).__name__
    alone = text == with_article(kind) or text.endswith("...")
    return with_article(kind) if alone else f"{text} ({kind})"


_MOST_TEXT: Final = 60
