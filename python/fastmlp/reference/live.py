"""The sequences behind ``net.weights`` etc.: the network's own lists, one per layer."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, overload

from . import arrays

Part = TypeVar("Part", bound=list[Any])


class LiveLists(Sequence[Part], Generic[Part]):
    """One live list per layer: ``lists[i]`` is used by the network itself.

    Items can be written, as in ``weights[i][j][k] = 0.5``, and assigned: ``weights[i] = values``
    copies in an array-like of the same shape. Lists are not arrays, so ``weights[i] += values``,
    which would make them longer, is refused.

    Parameters
    ----------
    name : str
        The attribute of the network, for messages.
    parts : list of list
        Rows (N,) or matrices (K, N), one per layer.
    """

    def __init__(self, name: str, parts: list[Part]) -> None:
        self._name = name
        self._parts = parts
        self._lengths = [len(part) for part in parts]

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> list[Part]: ...
    def __getitem__(self, index: int | slice) -> Part | list[Part]:
        return self._parts[index]

    def __setitem__(self, index: int, value: object) -> None:
        part, length = self._parts[index], self._lengths[index]
        if len(part) > length:
            del part[length:]  # what += has appended
            raise TypeError(
                f"{self._name}[{index}] is a list, for which += appends instead of adding; "
                "assign new values, or write its items"
            )
        copy_into(f"{self._name}[{index}]", part, value)

    def __repr__(self) -> str:
        return f"<{self._name}: {self._parts!r}>"


def copy_into(name: str, part: list[Any], value: object) -> None:
    """Copy an array-like of the same shape into a matrix or a row, in place.

    Parameters
    ----------
    name : str
        The name of the target, for messages.
    part : list
        A row (N,) or a matrix (K, N).
    value : array-like
        The new values.

    Raises
    ------
    TypeError
        If `value` is not array-like.
    ValueError
        If the shape differs, or an item is not a real number.
    """
    if isinstance(part[0], list):
        rows = arrays.matching(name, value, (len(part), len(part[0])))
        for row, new in zip(part, rows, strict=True):
            row[:] = new
    else:
        part[:] = arrays.matching(name, value, (len(part),))
