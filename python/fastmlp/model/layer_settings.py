"""`Network.trainable` and `Network.rate_factors`: how each layer is trained, live."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar, overload

from fastmlp import _validation
from fastmlp.model.model import Model
from fastmlp.model.parameter_views import OfLayers

_Value = TypeVar("_Value", bool, float)

_ATTRIBUTES: Final = {"trainable": "trainable", "rate_factor": "rate_factors"}
"""The attribute of `Network` for each field of `Dense`."""


class LayerSettings(OfLayers, Sequence[_Value], Generic[_Value]):
    """A setting of each layer, live: ``settings[i] = value`` changes that of layer i.

    Parameters
    ----------
    model : Model
        Whose layers these are.
    name : {"trainable", "rate_factor"}
        The field of `Dense`.
    """

    __slots__ = ("_field", "_model")

    def __init__(self, model: Model, name: Literal["trainable", "rate_factor"]) -> None:
        super().__init__(_ATTRIBUTES[name])
        self._model = model
        self._field = name

    def __len__(self) -> int:
        return len(self._model.layers)

    @overload
    def __getitem__(self, index: int) -> _Value: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Value]: ...
    def __getitem__(self, index: int | slice) -> _Value | list[_Value]:
        if isinstance(index, slice):
            return self._values()[index]
        return self._values()[self._position(index, len(self))]

    def __delitem__(self, index: object) -> None:
        self._refuse_deletion()

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
            values[index] = _for_each(f"{self._name}[i:j]", value, len(values[index]))
        else:
            values[self._position(index, len(self))] = value
        set_all(self._model, self._field, values)

    def __eq__(self, other: object) -> bool:
        return self._values() == list(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        raise TypeError(f"{self._name} can change: it has no hash")

    def __repr__(self) -> str:
        return repr(self._values())

    def _values(self) -> list[_Value]:
        return [getattr(layer, self._field) for layer in self._model.layers]


def set_all(model: Model, name: Literal["trainable", "rate_factor"], values: object) -> None:
    """Change a setting of all layers, to one value for all or one for each.

    Raises
    ------
    TypeError, ValueError
        If it is no such value, or not one for each; nothing has changed then.
    RuntimeError
        If the network is being fitted.
    """
    attribute = _ATTRIBUTES[name]
    check: Callable[[str, object], Any] = (
        _validation.switch if name == "trainable" else _validation.positive
    )
    given = _for_each(attribute, values, len(model.layers))
    checked = [check(f"{attribute}[{i}]", value) for i, value in enumerate(given)]
    setattr(model.core, attribute, checked)
    model.layers = tuple(
        layer.having(**{name: value}) for layer, value in zip(model.layers, checked, strict=True)
    )


def _for_each(name: str, value: object, count: int) -> list[Any]:
    """Return a value for each of `count` layers, from one for all or one for each."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        return [value] * count
    kind = f"one value, or one for each of {count} layers"
    values = _validation.items(name, value, kind)
    if len(values) != count:
        raise ValueError(f"{name} must be {kind}, got {_validation.brief(value)}")
    return values
