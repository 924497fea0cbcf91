"""`Network.trainable` and `Network.rate_factors`: how each layer is trained, live."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar, overload

from fastmlp import _validation
from fastmlp.model.model import Model

_Value = TypeVar("_Value", bool, float)


class LayerSettings(Sequence[_Value], Generic[_Value]):
    """A setting of each layer, live: ``settings[i] = value`` changes that of layer i.

    Parameters
    ----------
    model : Model
        Whose layers these are.
    name : {"trainable", "rate_factor"}
        The field of `Dense`.
    """

    __slots__ = ("_model", "_name")

    def __init__(self, model: Model, name: Literal["trainable", "rate_factor"]) -> None:
        self._model = model
        self._name = name

    def __len__(self) -> int:
        return len(self._model.layers)

    @overload
    def __getitem__(self, index: int) -> _Value: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Value]: ...
    def __getitem__(self, index: int | slice) -> _Value | list[_Value]:
        return self._values()[index]

    def __setitem__(self, index: int | slice, value: _Value | Iterable[_Value]) -> None:
        """Change the setting of a layer, or of several: one value for all, or one for each.

        Raises
        ------
        TypeError, ValueError
            If it is no such value, or not one for each; nothing has changed then.
        IndexError
            If there is no such layer.
        RuntimeError
            If the network is being fitted.
        """
        values: list[Any] = self._values()
        if isinstance(index, slice):
            count = len(values[index])
            given = list(value) if isinstance(value, Iterable) else [value] * count
            if len(given) != count:
                raise ValueError(f"{self._name} has {count} layers there, got {len(given)} values")
            values[index] = given
        else:
            values[index] = value
        set_all(self._model, self._name, values)

    def __eq__(self, other: object) -> bool:
        return self._values() == list(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        raise TypeError(f"{self._name} can change: it has no hash")

    def __repr__(self) -> str:
        return repr(self._values())

    def _values(self) -> list[_Value]:
        return [getattr(layer, self._name) for layer in self._model.layers]


def set_all(model: Model, name: Literal["trainable", "rate_factor"], values: object) -> None:
    """Change a setting of all layers, to one value for all or one for each.

    Raises
    ------
    TypeError, ValueError
        If it is no such value, or not one for each; nothing has changed then.
    RuntimeError
        If the network is being fitted.
    """
    count = len(model.layers)
    given = list(values) if isinstance(values, Iterable) else [values] * count
    if isinstance(values, str) or len(given) != count:
        raise ValueError(
            f"{name} must be one value, or one for each of the {count} layers, "
            f"got {_validation.brief(values)}"
        )
    check: Callable[[str, object], Any] = (
        _validation.switch if name == "trainable" else _validation.positive
    )
    checked = [check(f"{name}[{i}]", value) for i, value in enumerate(given)]
    setattr(model.core, "trainable" if name == "trainable" else "rate_factors", checked)
    model.layers = tuple(
        replace(layer, **{name: value}) for layer, value in zip(model.layers, checked, strict=True)
    )
