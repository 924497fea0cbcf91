"""Conversion of array-likes to arrays for the core.

The core takes C-contiguous, aligned arrays of its own dtype. Such arrays are returned unchanged
(even if read-only or memory-mapped); anything else is converted here, once, to a new array.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp._extras import imported
from fastmlp._validation import brief, described
from fastmlp.data import _memory
from fastmlp.data._frames import frame_array, is_frame

Scaling = tuple[NDArray[Any], NDArray[Any]]
"""A scale and an offset for each column, of the type of a network."""

_BLOCK: Final = 1 << 22
"""Elements passed to NumPy in one call."""

_REAL: Final = "biuf"
"""The kinds of dtypes that hold real numbers."""

_READABLE_DEVICES: Final = (1, 3)
"""DLPack device types with CPU memory: the CPU itself, and memory pinned for CUDA."""


def numbers(name: str, value: object, advice: str = "encode it as numbers") -> NDArray[Any]:
    """Return any array-like of real numbers as an array of a boolean, integer or float dtype.

    `advice` is the hint for text.

    Raises
    ------
    TypeError, ValueError
        If it is not; also if its own conversion raises another exception, which is then the cause.
    ImportError, MemoryError
        If a library needed to read it is not installed, or there is not enough memory.
    """
    if type(value) is np.ndarray and value.dtype.kind in _REAL:  # the usual case
        return value
    try:
        try:
            return _numbers(name, value, advice)
        except (TypeError, ValueError):
            if hasattr(value, "iloc") and hasattr(value, "columns"):
                _refuse_columns(name, value, advice)
            raise
    except (TypeError, ValueError, ImportError, MemoryError):
        raise
    except Exception as error:
        raise _unreadable(name, value, error) from error


def any_array(name: str, value: object, kind: str = "array") -> NDArray[Any]:
    """Return any array-like as an array of any dtype, also of text or objects.

    `kind` is what a ragged one is not, in the message.

    Raises
    ------
    TypeError, ValueError
        If it is none; also if its own conversion raises another exception, which is then the cause.
    MemoryError
        If there is not enough memory.
    """
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not a rectangular {kind}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(name, value, error) from error


def has_attribute(value: object, name: str) -> bool:
    """Return whether an object has an attribute; False if the lookup raises."""
    try:
        return hasattr(value, name)
    except Exception:  # noqa: BLE001  (whatever a property of the user's raises)
        return False


def _unreadable(name: str, value: object, error: Exception) -> TypeError:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  (an error of the user's that cannot even be written)
        text = type(error).__name__
    kind = type(value).__name__
    return TypeError(f"{name} cannot be converted to an array: {kind} raised {text}")


def _refuse_columns(name: str, frame: Any, advice: str) -> None:
    """Raise for the first column of a pandas data frame that is not numeric or has nulls."""
    for j, label in enumerate(frame.columns):
        column = _numbers(f"{name}: column {brief(label)}", frame.iloc[:, j], advice)
        missing = np.isnan(column)
        if missing.any():
            raise ValueError(
                f"{name} contains null at row {missing.argmax()}, column {brief(label)}"
            )


def _numbers(name: str, value: object, advice: str) -> NDArray[Any]:
    if type(value) is not np.ndarray:
        value = _as_array(name, value, advice)
    array: NDArray[Any] = value
    kind = array.dtype.kind
    if kind == "O":
        array = _from_objects(name, array)
        kind = array.dtype.kind
    if kind in _REAL:
        return array
    if kind == "c":
        raise ValueError(f"{name} is complex ({array.dtype}); complex data is not supported")
    if kind in "USTO":
        raise ValueError(
            f"{name} holds text: could not convert it to numbers (dtype {array.dtype}); {advice}"
        )
    raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")


def _as_array(name: str, value: object, advice: str) -> NDArray[Any]:
    if value is None or isinstance(value, str | bytes | dict | set | frozenset):
        raise TypeError(f"{name} must be an array, a frame or a list, got {described(value)}")
    if is_frame(value):
        return frame_array(name, value, advice)
    _refuse_other_devices(name, value)
    issparse = imported("scipy.sparse", "issparse")
    if issparse is not None and issparse(value):
        raise TypeError(f"{name} is sparse, which is not supported here; pass {name}.toarray()")
    is_masked = imported("numpy.ma", "is_masked")
    if is_masked is not None and isinstance(value, np.ndarray) and is_masked(value):
        raise ValueError(f"{name} has masked values; fill them first: {name}.filled(...)")
    array = any_array(name, value, "array of numbers")
    if array.ndim == 0 and array.dtype.kind == "O":
        raise TypeError(f"{name} must be an array, a frame or a list, got {described(value)}")
    return array


def _refuse_other_devices(name: str, value: Any) -> None:
    if hasattr(value, "__dlpack_device__"):
        kind = int(value.__dlpack_device__()[0])
        if kind not in _READABLE_DEVICES:
            raise TypeError(
                f"{name} is on a device that is not the CPU (DLPack type {kind}): move it first"
            )


def _from_objects(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Convert an object array to the dtype of its items: Python ints stay integers."""
    if array.size == 0:
        return array.astype(np.float64)
    try:
        inferred = np.asarray(array.tolist())
        return inferred if inferred.dtype.kind != "O" else inferred.astype(np.float64)
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{name} holds items that are not real numbers: {error}") from error


def finite(
    name: str, array: NDArray[Any], dtype: np.dtype[Any], scaling: Scaling | None = None
) -> NDArray[Any]:
    """Return a matrix as `converted` does; refuse values not finite before, after or scaled."""
    return all_finite(name, array, converted(array, dtype), scaling)


def all_finite(
    name: str, given: NDArray[Any], read: NDArray[Any], scaling: Scaling | None = None
) -> NDArray[Any]:
    """Return a matrix `read` from one that was `given`; refuse values not finite, or not scaled."""
    index = first_non_finite(read, scaling)
    if index < 0:
        return read
    row, column = divmod(index, given.shape[1])
    rescaled = bool(np.isfinite(read[row, column]))
    raise not_finite(name, given[row, column], row, column, read.dtype, rescaled=rescaled)


def first_non_finite(array: NDArray[Any], scaling: Scaling | None = None) -> int:
    """Return the flat index of the first element that is not finite, -1 if all are.

    With the scale and the offset of each column, also of one that they make too large.
    """
    return _core.first_non_finite(array, *(scaling or ()))


def copied_labels(array: NDArray[Any], classes: int) -> tuple[NDArray[np.int32], int]:
    """Return a copy of integers, and the first row of one that is not in 0 to `classes` - 1, or -1.

    From that row on, the copy has no values.
    """
    _memory.require("{:,} labels", 4 * len(array), len(array))
    labels = np.empty(len(array), np.int32)
    native = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    return labels, _core.read_labels(native, classes, labels)


def not_finite(
    name: str, value: Any, row: int, column: int, dtype: np.dtype[Any], *, rescaled: bool = False
) -> ValueError:
    """Return the error for a value that is not finite in `dtype`, or not after rescaling."""
    if np.isfinite(value):
        problem = "scale and offset make it" if rescaled else "value"
        return ValueError(
            f"{name} holds {value} at row {row}, column {column}: {problem} too large for {dtype}"
        )
    kind = "NaN" if np.isnan(value) else "infinity"
    return ValueError(f"{name} contains {kind} at row {row}, column {column}")


def is_exact(source: np.dtype[Any], dtype: np.dtype[Any]) -> bool:
    """Say whether `dtype` holds every value of the type of an array."""
    return dtype == np.float64 or source == np.float32 or source.itemsize < 4


def is_ready(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Return whether the core takes the array without conversion."""
    return array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned


def converted(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `array` itself if the core can take it, else a C-contiguous copy of `dtype`."""
    if is_ready(array, dtype):
        return array
    size = array.size * dtype.itemsize
    _memory.require("an array of shape {} in {}", size, array.shape, dtype)
    with np.errstate(over="ignore"):
        if array.size <= _BLOCK:
            return np.array(array, dtype=dtype, order="C", copy=True)
        result = np.empty(array.shape, dtype)
        for rows in row_blocks(array):
            result[rows] = array[rows]
    return result


def row_blocks(array: NDArray[Any]) -> Iterator[slice]:
    """Yield the rows of an array in blocks, as signals are not handled within a NumPy call."""
    step = max(1, _BLOCK * len(array) // max(1, array.size))
    for start in range(0, len(array), step):
        yield slice(start, start + step)


def first_outside(array: NDArray[Any], least: float, most: float) -> int:
    """Return the flat index of the first element that is NaN or out of range, or -1."""
    for rows in row_blocks(array):
        block = array[rows]
        wrong = ~((block >= least) & (block <= most))
        if wrong.any():
            before: int = rows.start * (array.size // len(array))
            return before + int(wrong.argmax())
    return -1
