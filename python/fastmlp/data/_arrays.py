"""Checks of arrays: one function per kind of array argument. `_conversion` converts them.

Features have a module of their own, `copying`, which decides whether they are copied.

Every function returns an array for the core, or raises before anything has changed: TypeError for
a wrong type, ValueError for a wrong value or shape.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import counted
from fastmlp.data._conversion import (
    converted,
    copied_labels,
    finite,
    first_outside,
    numbers,
    row_blocks,
)

_ENCODE_LABELS: Final = (
    "classes, y = np.unique(y, return_inverse=True) encodes labels as numbers of classes; "
    "fastmlp.sklearn.MLPClassifier takes them as they are"
)


def targets(
    name: str, y: object, rows: int, outputs: int, loss: str, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return `y` as labels (B,) of int32, or as targets (B, outputs) of `dtype`.

    Integers of shape (B,) mean class labels with cross-entropy, and only there. With any other
    loss (B,) means (B, 1), for a network with one output; it is never broadcast.

    Parameters
    ----------
    name : str
        The argument, for messages.
    y : array-like
        Labels (B,) of an integer type or bool, or targets (B, outputs) of any real type.
    rows : int
        The number of samples B.
    outputs : int
        The number of outputs of the network.
    loss : str
        The name of the loss.
    dtype : dtype
        The dtype of the network.
    """
    array = numbers(name, y, advice_for_targets(loss))
    if array.ndim and array.shape[0] != rows:
        raise ValueError(
            f"{name} has {counted(array.shape[0], 'sample')}, but its X has {rows}: "
            f"inconsistent numbers of samples, [{rows}, {array.shape[0]}]"
        )
    if loss == "custom":  # whatever the function accepts
        if array.ndim == 0:
            raise ValueError(f"{name} must have one target per sample, got a single number")
        return _finite_of_any_shape(name, array)
    if loss == "cross_entropy" and array.ndim == 1:
        return _labels(name, array, outputs)
    if array.ndim == 1 and outputs == 1:
        array = array.reshape(rows, 1)
    if array.shape != (rows, outputs):
        labels = f" or integer labels of shape ({rows},)" if loss == "cross_entropy" else ""
        raise ValueError(
            f"{name} must have the shape ({rows}, {outputs}) of the network's outputs{labels}, "
            f"got shape {array.shape}"
        )
    values = finite(name, array, dtype)
    if loss in _TARGET_RANGES:
        _refuse_outside(name, values, loss)
    return values


def gradient(
    name: str, value: object, rows: int, outputs: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return the derivatives of a loss by the outputs as an array (rows, outputs), all finite.

    (rows,) means (rows, 1), for a network with one output.
    """
    array = numbers(name, value)
    if array.ndim == 1 and outputs == 1:
        array = array.reshape(len(array), 1)
    if array.shape != (rows, outputs):
        raise ValueError(
            f"{name} must have the shape ({rows}, {outputs}) of the network's outputs, "
            f"got shape {array.shape}"
        )
    return finite(name, array, dtype)


def advice_for_targets(loss: str) -> str:
    """Return the advice for targets that are text."""
    classes = loss in ("cross_entropy", "binary_cross_entropy", "custom")
    return _ENCODE_LABELS if classes else "encode it as numbers"


def orders(order: object, rows: int, epochs: int) -> NDArray[np.uint32]:
    """Return a custom order of samples as a C-contiguous array (1 or epochs, rows) of uint32.

    Parameters
    ----------
    order : array-like of int, shape (rows,) or (epochs, rows)
        Row indices of X: the same order for each epoch, or one for each. An index may occur more
        than once, as in a bootstrap.
    rows : int
        The number of samples.
    epochs : int
        The number of epochs of this fit.
    """
    array = numbers("shuffle", order)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"shuffle must be True, False or an array of row indices, got dtype {array.dtype}"
        )
    if array.shape not in ((rows,), (epochs, rows)):
        raise ValueError(
            f"shuffle must have the shape ({rows},) or ({epochs}, {rows}), got {array.shape}"
        )
    if array.min() < 0 or array.max() >= rows:
        raise ValueError(
            f"shuffle must hold row indices in [0, {rows}), "
            f"got values from {array.min()} to {array.max()}"
        )
    return np.ascontiguousarray(np.atleast_2d(array), dtype=np.uint32)


_HEADROOM: Final = 2.0**-20
"""The fraction of the largest number that weights may sum to: losses are multiplied by them."""


def weights(
    name: str, value: object, rows: int, dtype: np.dtype[Any], *, all_zero: bool = False
) -> NDArray[Any]:
    """Return weights of samples as a C-contiguous array (rows,): finite, at least 0.

    Not all of them are 0, unless `all_zero`.
    """
    array = numbers(name, value)
    if array.shape != (rows,):
        raise ValueError(f"{name} must have the shape ({rows},), got {array.shape}")
    result = converted(array, dtype)
    row = first_outside(result, 0, np.finfo(dtype).max)
    if row >= 0:
        raise ValueError(
            f"{name} must be at least 0 and finite in {dtype}, got {array[row]} at row {row}"
        )
    if not result.any():
        if all_zero:
            return result
        rounded = f" in {dtype}" if array.any() else ""
        raise ValueError(f"{name} is 0{rounded} for every sample; at least one must be above 0")
    sums = [result[rows].sum(dtype=np.longdouble) for rows in row_blocks(result)]
    limits, whole = np.finfo(dtype), float(sum(sums))
    least, most = float(limits.tiny), _HEADROOM * float(limits.max)
    if not least <= whole <= most:
        raise ValueError(
            f"{name} must have a sum of {least:.2g} to {most:.2g} in {dtype}, got {whole:.2g}"
        )
    return result


def output(out: object, rows: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `out` if the core can write (rows, outputs) directly into it."""
    if type(out) is not np.ndarray:
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    if out.shape != (rows, outputs) or out.dtype != dtype:
        raise ValueError(
            f"out must have shape ({rows}, {outputs}) and dtype {dtype}, "
            f"got shape {out.shape} and dtype {out.dtype}"
        )
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError("out must be C-contiguous, aligned and writable")
    return out


def flat(name: str, value: object, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `value` as a flat array (size,) of `dtype`, which need not be finite."""
    array = numbers(name, value)
    if array.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},), got {array.shape}")
    return converted(array, dtype)


def _finite_of_any_shape(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the same shape and type; refuse values that are not finite."""
    wrong = ~np.isfinite(array)
    if wrong.any():
        first = np.unravel_index(wrong.argmax(), array.shape)
        kind = "NaN" if np.isnan(array[first]) else "infinity"
        raise ValueError(f"{name} contains {kind} at {[*map(int, first)]}")
    return np.array(array)


def _labels(name: str, array: NDArray[Any], outputs: int) -> NDArray[np.int32]:
    """Return a copy, always: labels are used as indices, so no callback may change them."""
    if array.dtype.kind == "f":
        raise _no_labels(name, array, outputs)
    labels, row = copied_labels(array, outputs)
    if row >= 0:
        raise ValueError(
            f"{name} contains label {array[row]} at row {row}, but with {outputs} outputs "
            f"labels are 0 to {outputs - 1}"
        )
    return labels


def _no_labels(name: str, array: NDArray[Any], outputs: int) -> ValueError:
    """Return the error for labels (B,) of floats: what is wrong with them besides their type."""
    most = float(np.finfo(array.dtype).max)
    row = first_outside(array, -most, most)
    if row >= 0:
        kind = "NaN or null" if np.isnan(array[row]) else "infinity"
        return ValueError(f"{name} contains {kind} at row {row}, which is no label")
    fractions = array != np.rint(array)
    row = int(fractions.argmax())
    more = (
        f", with {array[row]} at row {row}" if fractions.any() else "; for labels use astype(int)"
    )
    return ValueError(
        f"{name} must hold integer labels or have shape ({len(array)}, {outputs}), "
        f"got shape {array.shape} of {array.dtype}{more}"
    )


_TARGET_RANGES: Final = {
    "cross_entropy": (0.0, np.inf, "at least 0"),
    "binary_cross_entropy": (0.0, 1.0, "in [0, 1]"),
    "poisson": (0.0, np.inf, "at least 0"),
}
"""The targets allowed for a loss, if not all finite numbers."""


def _refuse_outside(name: str, array: NDArray[Any], loss: str) -> None:
    least, most, allowed = _TARGET_RANGES[loss]
    index = first_outside(array, least, most)
    if index >= 0:
        row, column = divmod(index, array.shape[1])
        raise ValueError(
            f"{name} must be {allowed} for {loss}, "
            f"got {array[row, column]} at row {row}, column {column}"
        )
