"""Conversion of array-likes, nested sequences and arrays, to nested lists.

Every function returns new lists, so the caller's data is never written, or raises: TypeError for
anything not array-like, ValueError for wrong shapes and values.
"""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from . import validation
from .dense import Matrix, Row

Shape = tuple[int, ...]


def nested(name: str, value: Any) -> tuple[Any, Shape]:
    """Return an array-like of real numbers as nested lists, and its shape.

    Parameters
    ----------
    name : str
        The argument, for messages.
    value : array-like
        Nested sequences of equal lengths, or an object with ``tolist`` (NumPy) or ``to_numpy``
        (pandas).

    Returns
    -------
    lists : list or number
        Integers stay integers.
    shape : tuple of int
        An empty list has the shape (0,).
    """
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Real):
        return value, ()
    if isinstance(value, str | bytes | dict | set | frozenset) or not isinstance(value, Iterable):
        raise TypeError(
            f"{name} must be an array or nested lists of real numbers, "
            f"got {validation.brief(value)}"
        )
    try:
        items = [nested(name, item) for item in value]
    except TypeError as error:
        raise ValueError(f"{name} holds what is not a real number: {error}") from None
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply to be an array") from None
    shapes = {shape for _, shape in items}
    if len(shapes) > 1:
        raise ValueError(f"{name} is ragged: its rows have the shapes {sorted(shapes)}")
    return [item for item, _ in items], (len(items), *(shapes.pop() if shapes else ()))


def features(name: str, X: object, n_features: int, *, minimum: int = 1) -> Matrix:
    """Return samples as lists of floats (B, n_features), at least `minimum`, all finite."""
    rows, shape = nested(name, X)
    if shape == (0,):
        shape = (0, n_features)
    if len(shape) != 2:
        hint = f"; one sample is a list of one row: [{name}]" if shape == (n_features,) else ""
        raise ValueError(
            f"{name} must have 2 dimensions (samples, {n_features}), got shape {shape}{hint}"
        )
    if shape[1] != n_features:
        raise ValueError(
            f"{name} has {shape[1]} features (shape {shape}), but the network takes {n_features}"
        )
    if shape[0] < minimum:
        raise ValueError(f"{name} has {shape[0]} samples, needs at least {minimum}")
    return _floats(name, rows)


def targets(name: str, y: object, rows: int, outputs: int, loss: str) -> Matrix:
    """Return targets as lists of floats (rows, outputs); class labels become rows of 0 and 1.

    Integers of shape (rows,) are class labels with cross-entropy, and only there. With any other
    loss (rows,) means (rows, 1), for a network with one output; it is never broadcast.
    """
    items, shape = nested(name, y)
    if shape[:1] != (rows,):
        raise ValueError(f"{name} has the shape {shape}, but there are {rows} samples")
    if loss == "custom":
        return list(items)  # whatever the function accepts
    if loss == "cross_entropy" and len(shape) == 1:
        return [_one_hot(name, label, outputs) for label in items]
    if outputs == 1 and len(shape) == 1:
        items, shape = [[item] for item in items], (rows, 1)
    if shape != (rows, outputs):
        raise ValueError(f"{name} must have the shape ({rows}, {outputs}), got {shape}")
    values = _floats(name, items)
    least = 0.0 if loss in ("cross_entropy", "binary_cross_entropy", "poisson") else -math.inf
    most = 1.0 if loss == "binary_cross_entropy" else math.inf
    if any(not least <= v <= most for row in values for v in row):
        allowed = "in [0, 1]" if most == 1.0 else "at least 0"
        raise ValueError(f"{name} must be {allowed} for {loss}")
    return values


def outer_gradient(name: str, value: object, rows: int, outputs: int) -> Matrix:
    """Return the derivatives of a loss by the outputs as lists of floats (rows, outputs)."""
    items, shape = nested(name, value)
    if shape == (rows,) and outputs == 1:
        items, shape = [[item] for item in items], (rows, 1)
    if shape != (rows, outputs):
        raise ValueError(
            f"{name} must have the shape ({rows}, {outputs}) of the network's outputs, got {shape}"
        )
    return _floats(name, items)


def weights(name: str, value: object, rows: int) -> Row:
    """Return weights of samples as floats (rows,): finite, at least 0, not all 0."""
    items, shape = nested(name, value)
    if shape != (rows,):
        raise ValueError(f"{name} must have the shape ({rows},), one per sample, got {shape}")
    result = _row(name, items)
    for i, weight in enumerate(result):
        if not 0.0 <= weight < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {weight} at row {i}")
    if not any(result):
        raise ValueError(f"{name} must not be 0 for all samples")
    return result


def orders(order: object, rows: int, epochs: int) -> list[list[int]]:
    """Return custom orders of samples, shape (rows,) or (epochs, rows), one list for each."""
    items, shape = nested("shuffle", order)
    if shape not in ((rows,), (epochs, rows)):
        raise ValueError(
            f"shuffle must be True, False or row indices of shape ({rows},) or ({epochs}, {rows}), "
            f"got shape {shape}"
        )
    lists = [items] if len(shape) == 1 else items
    if any(isinstance(i, bool) or not isinstance(i, Integral) for row in lists for i in row):
        raise TypeError("shuffle must be True, False or an array of integer row indices")
    if any(not 0 <= i < rows for row in lists for i in row):
        raise ValueError(f"shuffle must hold row indices in [0, {rows})")
    return [[int(i) for i in row] for row in lists]


def matching(name: str, value: object, wanted: Shape) -> Any:
    """Return `value` as nested lists of floats if it has the shape `wanted`."""
    items, shape = nested(name, value)
    if shape != wanted:
        raise ValueError(f"{name} must have the shape {wanted}, got {shape}")
    return [_row(name, row) for row in items] if len(wanted) == 2 else _row(name, items)


def _one_hot(name: str, label: object, outputs: int) -> list[float]:
    if not isinstance(label, Integral):
        raise ValueError(
            f"{name} must hold integer labels, or have one target per output; "
            f"got {validation.brief(label)}"
        )
    if not 0 <= int(label) < outputs:
        raise ValueError(
            f"{name} contains label {label}, but with {outputs} outputs labels are "
            f"0 to {outputs - 1}"
        )
    return [1.0 if n == label else 0.0 for n in range(outputs)]


def _row(name: str, values: Iterable[Real]) -> list[float]:
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise ValueError(f"{name} holds an integer too large for a float") from None


def _floats(name: str, rows: Iterable[Iterable[Real]]) -> Matrix:
    result = [_row(name, row) for row in rows]
    for i, row in enumerate(result):
        for j, value in enumerate(row):
            if not math.isfinite(value):
                kind = "NaN" if math.isnan(value) else "infinity"
                raise ValueError(f"{name} contains {kind} at row {i}, column {j}")
    return result
