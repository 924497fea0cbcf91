"""``coefs_`` and ``intercepts_``: views of a network's memory, or arrays that were assigned."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import described
from fastmlp.data._conversion import any_array
from fastmlp.network import Network

NAMES: Final = ("coefs_", "intercepts_")

_KINDS: Final = {"coefs_": (2, "a matrix"), "intercepts_": (1, "a vector")}


class LayerArrays(list[NDArray[Any]]):
    """The weights or the biases of each layer.

    Arrays of the same shapes are copied into the memory. After any other change the list has arrays
    of its own, and its estimator creates another network from them before it uses them.

    Parameters
    ----------
    name : {"coefs_", "intercepts_"}
        Which of them they are.
    arrays : iterable of array-like
        The arrays, which are copied.

    Attributes
    ----------
    network : Network or None
        The network whose memory the arrays are, if any.
    """

    def __init__(self, name: str, arrays: Iterable[Any]) -> None:
        self._name = name
        self.network: Network | None = None
        super().__init__(self._read(i, array) for i, array in enumerate(_items(name, arrays)))

    @classmethod
    def of(cls, name: str, network: Network) -> "LayerArrays":
        """Return the live views of a network."""
        self = cls(name, ())
        self.show(network)
        return self

    def show(self, network: Network) -> None:
        """Become the live views of a network."""
        self.network = network
        views = network.weights if self._name == "coefs_" else network.biases
        super().__setitem__(slice(None), views)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Replace one array or several, in memory if no shape changes."""
        arrays: list[Any] = list(self)
        arrays[index] = value
        arrays = [
            array if i < len(self) and array is self[i] else self._read(i, array)
            for i, array in enumerate(arrays)
        ]
        if [array.shape for array in arrays] == [array.shape for array in self]:
            for own, array in zip(self, arrays, strict=True):
                if array is not own:
                    own[...] = array
            return
        if self.network is not None:  # whose memory stays as it is
            arrays = [np.array(array) for array in arrays]
        self.network = None
        super().__setitem__(slice(None), arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        """Make copies and pickles lists of independent arrays, as those of scikit-learn."""
        return list, ([array.copy() for array in self],)

    def _read(self, i: int, value: Any) -> NDArray[Any]:
        """Return a copy of an array in float32 or float64."""
        dimensions, shape = _KINDS[self._name]
        array = any_array(f"{self._name}[{i}]", value)
        if array.ndim != dimensions or array.dtype.kind not in "fiub" or not array.size:
            raise ValueError(
                f"{self._name}[{i}] must be {shape} of numbers, got {described(value)}"
                f" of shape {array.shape} and {array.dtype}"
            )
        single = array.dtype in (np.float16, np.float32)
        return np.array(array, np.float32 if single else np.float64)


def _edit(name: str) -> Callable[..., Any]:
    """Return a method of a list that changes it through ``__setitem__``."""

    def edit(self: LayerArrays, *arguments: Any) -> Any:
        arrays = list(self)
        result = getattr(arrays, name)(*arguments)
        self[:] = arrays
        return self if name == "__iadd__" else result

    return edit


for _name in ("append", "clear", "extend", "insert", "pop", "reverse", "__delitem__", "__iadd__"):
    setattr(LayerArrays, _name, _edit(_name))


def _items(name: str, arrays: Any) -> list[Any]:
    try:
        return list(arrays)
    except TypeError:
        raise TypeError(
            f"{name} must be a list with an array for each layer, got {described(arrays)}"
        ) from None
