"""Sparse features: SciPy matrices in compressed sparse rows, for the core."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp._extras import imported
from fastmlp.data._conversion import (
    converted,
    first_non_finite,
    is_exact,
    not_finite,
    numbers,
)


class SparseRows(_core.SparseRows):
    """A matrix in compressed sparse rows: row i has the elements ``offsets[i]:offsets[i + 1]``.

    Parameters
    ----------
    offsets : ndarray of int64, shape (n + 1,)
        The starts and ends of the rows.
    columns : ndarray of int32, shape (count,)
        The column of each element, ascending within a row.
    values : ndarray, shape (count,)
        The value of each element; all others are 0.
    n_features : int
        The number of columns.
    exact : ndarray of float64, shape (count,), optional
        What `values` were rounded from: scales of features multiply these.
    """

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: NDArray[np.intp]) -> Self:
        """Return a copy of some rows."""
        first = self.offsets[rows]
        counts = self.offsets[rows + 1] - first
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        elements = np.repeat(first - offsets[:-1], counts) + np.arange(offsets[-1])
        exact = None if self.exact is None else self.exact[elements]
        values = self.values[elements]
        return type(self)(offsets, self.columns[elements], values, self.n_features, exact)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values."""
        return self.values.dtype

    @property
    def density(self) -> float:
        """The fraction of the elements that is stored; 1 without rows."""
        return len(self.values) / (len(self) * self.n_features) if len(self) else 1.0

    def copy(self) -> Self:
        """Return a copy that shares no memory with this."""
        arrays = (self.offsets.copy(), self.columns.copy(), self.values.copy())
        exact = None if self.exact is None else self.exact.copy()
        return type(self)(*arrays, self.n_features, exact)


def is_sparse(value: object) -> bool:
    """Return whether `value` is a sparse array or matrix of SciPy."""
    issparse = imported("scipy.sparse", "issparse")
    return issparse is not None and bool(issparse(value))


def sparse_rows(
    name: str, X: Any, dtype: np.dtype[Any], scale: NDArray[Any] | None = None
) -> SparseRows:
    """Return a sparse matrix as rows of `dtype`, all finite; copies only what must change.

    Parameters
    ----------
    name : str
        The argument, for messages.
    X : sparse matrix or array of SciPy
        The matrix, in any format.
    dtype : dtype
        The dtype of the network.
    scale : ndarray, shape (n_features,), optional
        The scale of each feature, if the network has them. The values are then kept as they were,
        too.

    Raises
    ------
    ValueError
        If its indices are invalid for its shape, or a value is not finite, or not after scaling.
    """
    try:
        if X.format in ("csr", "csc"):
            # In a new object: SciPy trusts flags that may be outdated, and may trim arrays.
            X = type(X)((X.data, X.indices, X.indptr), shape=X.shape, copy=False)
            X.check_format(full_check=True)
        rows = X.tocsr()
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{name} is not a valid sparse matrix: {error}") from error
    given = numbers(name, rows.data)
    result = SparseRows(
        converted(rows.indptr, np.dtype(np.int64)),
        converted(rows.indices, np.dtype(np.int32)),
        converted(given, dtype),
        rows.shape[1],
        None
        if scale is None or is_exact(given.dtype, dtype)
        else converted(given, np.dtype(np.float64)),
    )
    if scale is not None and result.exact is None:
        largest = np.abs(scale).max(keepdims=True)
        if first_non_finite(result.values[:, np.newaxis], (largest, 0 * largest)) < 0:
            return result  # finite with the largest scale, and so with each
    _refuse_not_finite(name, given, result, result.values, rescaled=False)
    if scale is not None:
        exact = result.values if result.exact is None else result.exact
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (exact * scale[result.columns]).astype(dtype, copy=False)
        _refuse_not_finite(name, given, result, scaled, rescaled=True)
    return result


def _refuse_not_finite(
    name: str, given: NDArray[Any], rows: SparseRows, read: NDArray[Any], *, rescaled: bool
) -> None:
    """Raise unless what is read of the values that were given is finite."""
    index = first_non_finite(read)
    if index >= 0:
        row = int(np.searchsorted(rows.offsets, index, side="right")) - 1
        column = int(rows.columns[index])
        raise not_finite(name, given[index], row, column, rows.dtype, rescaled=rescaled)
