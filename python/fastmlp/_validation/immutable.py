"""What never changes: plain values, and settings, which say so to whoever tries."""

from dataclasses import FrozenInstanceError
from types import NoneType
from typing import Final, NoReturn, TypeVar

_Class = TypeVar("_Class", bound=type)

UNCHANGING: Final = frozenset[type]({NoneType, bool, int, float, str})
"""Types, without subclasses, of values that are the same as long as they are the same object."""


def immutable(cls: _Class) -> _Class:
    """Decorate a frozen dataclass: changing any attribute is an error that names the remedy.

    The methods that ``dataclass(frozen=True, slots=True)`` makes know only the class before it got
    its slots: an attribute that is no field ends there in an error about ``super``.
    """
    cls.__setattr__ = _refuse_change  # type: ignore[method-assign]
    cls.__delattr__ = _refuse_change  # type: ignore[assignment]
    return cls


def _refuse_change(self: object, name: str, *_value: object) -> NoReturn:
    kind = type(self).__name__
    raise FrozenInstanceError(
        f"{kind}.{name} cannot be changed or added: make another {kind} with other arguments"
    )
