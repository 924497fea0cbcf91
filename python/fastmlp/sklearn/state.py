"""Estimators as plain values: what pickles, skops and other stores keep of them."""

from dataclasses import fields, is_dataclass
from typing import Any, Final

import fastmlp
from fastmlp.history import History
from fastmlp.layers import Activation
from fastmlp.sklearn.optimizer import Optimizer

_KIND: Final = "__fastmlp__"
"""The key of the name of a class of `fastmlp`, beside its arguments."""

_PARTS: Final = {"history_": History, "_optimizer": Optimizer}
"""The attributes that are objects of this library, besides the network and parameters."""


def to_plain(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an estimator without objects of this library but its network.

    So a store that reads only types it trusts needs to trust the estimator and `Network` alone.
    """
    state = {}
    for name, value in attributes.items():
        if name in _PARTS and isinstance(value, _PARTS[name]):
            state[name] = _described(value.__getstate__())
        else:
            state[name] = _described(value)
    return state


def from_plain(state: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of `to_plain`; older pickles have the objects, which are kept."""
    attributes = {name: _built(value) for name, value in state.items()}
    for name, kind in _PARTS.items():
        if isinstance(attributes.get(name), dict):
            part: Any = object.__new__(kind)
            getattr(part, "__setstate__", vars(part).update)(attributes[name])
            attributes[name] = part
    return attributes


def _described(value: Any) -> Any:
    """Return settings such as ``AdamW(CosineDecay(1e-3))`` as a name and arguments."""
    kind = type(value)
    if kind in (list, tuple):
        return kind(map(_described, value))
    if kind is dict:
        return {name: _described(item) for name, item in value.items()}
    if not kind.__module__.startswith("fastmlp.") or kind.__name__ not in fastmlp.__all__:
        return value
    if isinstance(value, Activation):
        return {_KIND: kind.__name__, "arguments": value.__reduce__()[1]}
    if is_dataclass(value):
        arguments = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        return {_KIND: kind.__name__, **_described(arguments)}
    return value


def _built(value: Any) -> Any:
    kind = type(value)
    if kind in (list, tuple):
        return kind(map(_built, value))
    if kind is not dict:
        return value
    arguments = {name: _built(item) for name, item in value.items()}
    if not isinstance(arguments.get(_KIND), str):  # a number belongs to a label, in class_weight
        return arguments
    return getattr(fastmlp, arguments.pop(_KIND))(*arguments.pop("arguments", ()), **arguments)
