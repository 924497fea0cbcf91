"""Features for the core: which are copied, and which are read in place. Only decided here.

What the core reads, for ``fit``, ``predict``, ``evaluate`` and the steps:

- a C-contiguous, aligned array of the network's dtype: that array (``predict`` accepts it in
  `bind_inference.cpp` already, without a call of this module);
- a sparse matrix: its stored elements in place;
- an array of another type or layout whose copy would have at least 16 MB: the array in place, of
  which the core converts one batch at a time (`RawRows`), unless that would be slower;
- for a network that scales its features, an array of a type that the network's dtype does not
  hold: the array in place, of any size, as it is scaled before it is rounded;
- anything else, such as a list, a frame or a smaller array: a converted copy.
"""

from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from fastmlp._validation import counted
from fastmlp.data import _memory
from fastmlp.data._conversion import Scaling, all_finite, finite, is_exact, is_ready, numbers
from fastmlp.data._raw import RawRows, is_readable, refuse_not_finite
from fastmlp.data._sparse import SparseRows, is_sparse, sparse_rows
from fastmlp.data.rescaled import Rescaled

WORTH_BORROWING: Final = 1 << 24
"""Bytes from which on a copy is avoided; below, one conversion is faster than many."""

RESULTS: Final = "the results for the {:,} samples of {}"
"""What the caller needs memory for, in addition to the features."""

ENCODE_FEATURES: Final = (
    "encode it as numbers, categories as a column of 0 and 1 for each (pandas.get_dummies, "
    "sklearn.preprocessing.OneHotEncoder); fastmlp.TabularModel reads text itself"
)


def features(
    name: str,
    X: object,
    n_features: int,
    dtype: np.dtype[Any],
    *,
    minimum: int,
    per_row: int = 0,
    scaling: Scaling | None = None,
) -> NDArray[Any] | RawRows:
    """Return `X` as a C-contiguous array (B, n_features) of `dtype`, all finite.

    For a network that scales its features, types that `dtype` does not hold are returned as they
    are, for they are scaled before they are rounded.

    Parameters
    ----------
    name : str
        The argument, for messages.
    X : array-like or Rescaled, shape (B, n_features)
        Real numbers of any dtype and layout.
    n_features : int
        The number of features of the network.
    dtype : dtype
        The dtype of the network. float64 beyond the range of float32 is refused, not rounded to
        infinity; integers beyond 2^24 are rounded to the nearest float32.
    minimum : int
        The fewest rows allowed.
    per_row : int, optional
        Bytes that the caller will need in addition for each row.
    scaling : tuple of ndarray, shape (n_features,), optional
        The scale and the offset of each feature, if the network has them.

    Raises
    ------
    MemoryError
        If there is not enough memory; raised before the values are read.
    """
    given = X if isinstance(X, Rescaled) else numbers(name, X, ENCODE_FEATURES)
    _check_features(name, given.shape, n_features, minimum, per_row)
    if not isinstance(given, Rescaled):
        if scaling is not None and not is_exact(given.dtype, dtype):
            return _to_scale(name, given, dtype, scaling)
        return finite(name, given, dtype, scaling)
    refuse_rescaled(name, scaling)
    rows = given.rows(dtype)
    refuse_not_finite(name, rows)
    return rows.read()


def features_as_given(
    name: str,
    X: object,
    n_features: int,
    dtype: np.dtype[Any],
    *,
    minimum: int,
    shuffled: bool,
    per_row: int = 0,
    scaling: Scaling | None = None,
    sparse: bool = True,
) -> NDArray[Any] | RawRows | SparseRows:
    """Return features as the core reads them best: in place or, like `features`, as an array.

    `shuffled` says that they will be read repeatedly, in any order; `sparse`, whether they may be
    sparse: a network that normalizes its features needs all of them.
    """
    if type(X) is np.ndarray and is_ready(X, dtype):  # the usual case: nothing to convert
        _check_features(name, X.shape, n_features, minimum, per_row)
        return all_finite(name, X, X, scaling)
    if is_sparse(X):
        if not sparse:
            raise ValueError(
                f"{name} is sparse, and the network has an input_normalization, which needs every "
                "feature; pass an array"
            )
        _check_features(name, cast("Any", X).shape, n_features, minimum, per_row)
        if scaling is not None and scaling[1].any():
            raise ValueError(
                f"{name} is sparse, and the network adds an offset to its features; pass an array, "
                "or set net.input_offset = 0"
            )
        return sparse_rows(name, X, dtype, None if scaling is None else scaling[0])
    given = X if isinstance(X, Rescaled) else numbers(name, X, ENCODE_FEATURES)
    if isinstance(given, Rescaled):
        _check_features(name, given.shape, n_features, minimum, per_row)
        refuse_rescaled(name, scaling)
        rows = read = given.rows(dtype)
    elif scaling is not None and not is_exact(given.dtype, dtype):
        _check_features(name, given.shape, n_features, minimum, per_row)
        return _to_scale(name, given, dtype, scaling)
    elif is_ready(given, dtype) or not is_readable(given) or given.ndim != 2:
        return features(
            name, given, n_features, dtype, minimum=minimum, per_row=per_row, scaling=scaling
        )
    else:
        rows = RawRows(given, dtype)
        read = rows if scaling is None else RawRows(given, dtype, *scaling)
    if not worth_borrowing(rows, shuffled=shuffled):
        return features(
            name, given, n_features, dtype, minimum=minimum, per_row=per_row, scaling=scaling
        )
    _check_features(name, given.shape, n_features, minimum, per_row)
    refuse_not_finite(name, read)
    return rows


def worth_borrowing(rows: RawRows, *, shuffled: bool) -> bool:
    """Return whether to read rows in place, instead of converting all of them beforehand.

    Shuffled rows are read repeatedly: if their elements are not adjacent, each is a cache miss, and
    an epoch takes three times as long.
    """
    apart = rows.shape[1] > 1 and rows.values.strides[1] != rows.values.itemsize
    large = rows.values.size * rows.dtype.itemsize >= WORTH_BORROWING
    return large and not (shuffled and apart)


def check_shape(name: str, shape: tuple[int, ...], n_features: int, minimum: int = 1) -> None:
    """Refuse features of another shape than (B, n_features), B at least the `minimum`."""
    _check_features(name, shape, n_features, minimum, 0)


def refuse_rescaled(name: str, scaling: Scaling | None) -> None:
    """Raise for `Rescaled` features of a network that scales them itself."""
    if scaling is not None:
        raise ValueError(
            f"{name} is Rescaled, and the network scales its features itself: pass what was "
            "rescaled, X.X, or set net.input_scale = None"
        )


def to_scale(array: NDArray[Any], dtype: np.dtype[Any]) -> RawRows:
    """Return features of any real type as the core reads them for a network that scales them."""
    return RawRows(array if is_readable(array) else array.astype(np.float64), dtype)


def _to_scale(name: str, array: NDArray[Any], dtype: np.dtype[Any], scaling: Scaling) -> RawRows:
    rows = to_scale(array, dtype)
    refuse_not_finite(name, RawRows(rows.values, dtype, *scaling))
    return rows


def _check_features(
    name: str, shape: tuple[int, ...], n_features: int, minimum: int, per_row: int
) -> None:
    if len(shape) != 2:
        raise ValueError(_not_two_dimensional(name, shape, n_features))
    rows, columns = shape
    if columns != n_features:
        raise ValueError(
            f"{name} has {counted(columns, 'feature')} (shape {shape}), "
            f"but the network takes {n_features}"
        )
    if rows < minimum:
        raise ValueError(
            f"{name} has {counted(rows, 'sample')} (shape {shape}), needs at least {minimum}"
        )
    _memory.require(RESULTS, rows * per_row, rows, name)


def _not_two_dimensional(name: str, shape: tuple[int, ...], n_features: int) -> str:
    if len(shape) == 1 and shape[0] == n_features:
        hint = f"; for one sample pass {name}.reshape(1, -1)"
    elif len(shape) == 1 and n_features == 1:
        hint = f"; for one feature pass {name}.reshape(-1, 1)"
    elif len(shape) > 2:
        hint = f"; flatten each sample: {name}.reshape(len({name}), -1)"
    else:
        hint = ""
    return f"{name} must have 2 dimensions (samples, {n_features}), got shape {shape}{hint}"
