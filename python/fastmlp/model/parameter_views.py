"""The sequences behind ``net.weights`` etc.: live views of the core's memory, one per layer.

A view is an ordinary NumPy array that borrows the memory and keeps it alive. Nothing is copied or
cached: the sequence gets the view from the core at each access. There is no locking: while another
thread trains, a view may have some elements from before a step and some from after it.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Never, SupportsIndex, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import brief
from fastmlp.data._conversion import numbers
from fastmlp.model.model import Core, Model, refuse_while_fitting
from fastmlp.settings.optimizers import OptimizerKind


class OfLayers:
    """The base of sequences with an item for each layer: their errors name the attribute.

    Parameters
    ----------
    name : str
        The attribute of the network, for messages.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    if not TYPE_CHECKING:  # type checkers see only the members that are defined

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):  # asked by Python and libraries, not by users
                raise AttributeError(name)
            raise AttributeError(f"{self._name}, an item for each layer, has no attribute {name!r}")

    def _refuse_deletion(self) -> Never:
        """Raise for ``del``, which Python otherwise calls an AttributeError of `__delitem__`."""
        raise TypeError(f"items of {self._name} cannot be deleted")

    def _position(self, index: object, count: int, element: str = "") -> int:
        """Convert an index to a position from the start, or raise an error that lists them."""
        if type(index) is int:  # the check of a protocol takes longer than all else here
            position = index
        elif isinstance(index, bool | np.bool_) or not isinstance(index, SupportsIndex):
            raise TypeError(
                f"{self._name} takes an integer or a slice, got {type(index).__name__}{element}"
            )
        else:
            position = operator.index(index)
        if not -count <= position < count:
            raise IndexError(
                f"{self._name}[{position}] does not exist: there are {count}, "
                f"{self._name}[0] to {self._name}[{count - 1}]"
            )
        return position % count


class ArrayViews(OfLayers, Sequence[NDArray[Any]]):
    """A sequence of zero-copy arrays, one per layer.

    ``views[i]`` is the live array of layer i, negative indices count from the end, and a slice is
    a tuple of arrays.

    Parameters
    ----------
    name : str
        The attribute of the network, for messages.
    get : callable
        Returns the array of layer i.
    count : int
        The number of arrays.
    """

    __slots__ = ("_count", "_get")

    def __init__(self, name: str, get: Callable[[int], NDArray[Any]], count: int) -> None:
        super().__init__(name)
        self._get = get
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[NDArray[Any], ...]: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | tuple[NDArray[Any], ...]:
        if isinstance(index, slice):
            return tuple(self._get(i) for i in range(*index.indices(self._count)))
        return self._get(self._place(index))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        # That of Sequence ends by an IndexError, whose message takes longer than all arrays.
        return map(self._get, range(self._count))

    def __repr__(self) -> str:
        try:
            arrays = self[:]
        except RuntimeError:  # nodes and deltas exist after the first forward
            return f"<{self._name}: empty, call forward first>"
        shapes = ", ".join(f"[{i}] {array.shape}" for i, array in enumerate(arrays))
        return f"<{self._name}: {shapes}; {arrays[0].dtype}>"

    def _place(self, index: object) -> int:
        return self._position(index, self._count, f"; an element is {self._name}[i][j, k]")


class WritableArrayViews(ArrayViews):
    """`ArrayViews` whose items can also be assigned: the values are copied in.

    Parameters
    ----------
    name, get, count
        As in `ArrayViews`.
    core : object
        The compiled network, to check whether another thread is fitting it.
    """

    __slots__ = ("_core",)

    def __init__(
        self, name: str, get: Callable[[int], NDArray[Any]], count: int, core: Core
    ) -> None:
        super().__init__(name, get, count)
        self._core = core

    def __delitem__(self, index: object) -> None:
        self._refuse_deletion()

    def __setitem__(self, index: int | slice, value: object) -> None:
        """Copy `value` into the array of layer `index`; shapes must be equal, never broadcast.

        Raises
        ------
        TypeError
            If `index` is a slice, or `value` is not array-like.
        IndexError
            If there is no such layer.
        ValueError
            If the shape differs, or `value` does not hold real numbers.
        RuntimeError
            If another thread is fitting the network.
        """
        if isinstance(index, slice):
            raise TypeError(f"assign the arrays of {self._name} one at a time, not by a slice")
        position = self._place(index)
        copy_into(f"{self._name}[{position}]", self._get(position), value, self._core)


LayerKey: TypeAlias = int | Literal["input"]
"""A layer, or ``"input"``, for the normalization before the first layer."""


class LayerViews(OfLayers, Mapping[LayerKey, NDArray[Any]]):
    """Zero-copy arrays of those layers that have one: ``views[i]`` is that of layer i.

    ``views["input"]`` is that of the normalization before the first layer, if there is one. Items
    can be assigned: the values are copied in.

    Parameters
    ----------
    name : str
        The attribute of the network, for messages.
    get : callable
        Returns the array of layer i.
    get_of_inputs : callable
        Returns that of the input normalization.
    layers : sequence of int or "input"
        The layers that have one.
    core : object
        The compiled network, to check whether another thread is fitting it.
    """

    __slots__ = ("_core", "_get", "_get_of_inputs", "_layers")

    def __init__(
        self,
        name: str,
        get: Callable[[int], NDArray[Any]],
        get_of_inputs: Callable[[], NDArray[Any]],
        layers: Sequence[LayerKey],
        core: Core,
    ) -> None:
        super().__init__(name)
        self._get = get
        self._get_of_inputs = get_of_inputs
        self._layers = layers
        self._core = core

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[LayerKey]:
        return iter(self._layers)

    def __getitem__(self, layer: LayerKey) -> NDArray[Any]:
        if layer not in self._layers:
            there = ", ".join(map(str, self._layers)) or "none"
            raise KeyError(f"{self._name}: layer {brief(layer)} has none; layers that do: {there}")
        return self._get_of_inputs() if layer == "input" else self._get(operator.index(layer))

    def __delitem__(self, layer: LayerKey) -> None:
        self._refuse_deletion()

    def __setitem__(self, layer: LayerKey, value: object) -> None:
        """Copy `value` into the array of a layer; shapes must be equal, never broadcast."""
        copy_into(f"{self._name}[{layer!r}]", self[layer], value, self._core)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{i}: {array.shape}" for i, array in self.items())
        return f"<{self._name}: {shapes or 'none'}>"


def of_layers(name: str, model: Model, get: Callable[[int], NDArray[Any]]) -> WritableArrayViews:
    """Return the views of an attribute that every layer has, such as ``net.weights``."""
    return WritableArrayViews(name, get, len(model.layers), model.core)


def of_normalized(
    name: str,
    model: Model,
    get: Callable[[int], NDArray[Any]],
    get_of_inputs: Callable[[], NDArray[Any]],
    kind: str | None = None,
) -> LayerViews:
    """Return the views of an attribute of layers that are normalized; of one `kind`, or any."""
    layers: list[LayerKey] = [
        i
        for i, layer in enumerate(model.layers)
        if layer.normalization is not None and kind in {None, layer.normalization}
    ]
    if model.input_normalization is not None and kind in {None, model.input_normalization}:
        layers.insert(0, "input")
    return LayerViews(name, get, get_of_inputs, layers, model.core)


def optimizer_state(core: Core) -> Mapping[str, NDArray[Any]]:
    """Return the state of the optimizer; see `Network.optimizer_state`."""
    kind, first, second, _ = core.optimizer_state
    name = "mean" if kind is OptimizerKind.ADAM else "velocity"
    state = {name: first, "mean_square": second}
    return MappingProxyType({key: value for key, value in state.items() if value is not None})


def reset_optimizer(core: Core) -> None:
    """Reset the state of the optimizer; see `Network.reset_optimizer`."""
    core.set_optimizer_state(OptimizerKind.SGD, None, None, 0)


def copy_into(name: str, target: NDArray[Any], value: object, core: Core) -> None:
    """Copy `value` into the live view `target`, after checks; it may be the same view."""
    refuse_while_fitting(core, f"set {name}")  # before other checks
    array = read_values(name, target, value)
    with core.assigning(), np.errstate(over="ignore"):
        target[...] = array


def read_values(name: str, target: NDArray[Any], value: object) -> NDArray[Any]:
    """Return `value` as numbers in the shape of the live view `target`, with which it may overlap.

    Raises
    ------
    TypeError, ValueError
        If it has no real numbers, or another shape.
    """
    array = numbers(name, value)
    if array.shape != target.shape:
        raise ValueError(
            f"{name} has shape {target.shape}, got shape {array.shape}; "
            f"to fill it with one value write {name}[...] = value"
        )
    # For `weights[0] += d`, Python finally assigns the changed view to itself.
    if array is not value or not np.may_share_memory(array, target):
        array = np.array(array)
    return array
