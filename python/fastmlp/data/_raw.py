"""Features of another type or layout than the core's, which converts them as it reads rows."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core
from fastmlp.data._conversion import not_finite


class RawRows(_core.RawRows):
    """A matrix whose elements are read as T(x), or as fma(T(x), scales[j], offsets[j]).

    Parameters
    ----------
    values : ndarray, shape (n, features)
        Borrowed, in any layout, of a type for which `is_readable` is true.
    dtype : dtype
        T, the type that values are converted to.
    scales, offsets : ndarray of `dtype`, shape (features,), optional
        Both or neither.
    """

    def __init__(
        self,
        values: NDArray[Any],
        dtype: np.dtype[Any],
        scales: NDArray[Any] | None = None,
        offsets: NDArray[Any] | None = None,
    ) -> None:
        super().__init__(values, scales, offsets)
        self.dtype = dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: NDArray[np.intp]) -> Self:
        """Return a copy of some rows."""
        return type(self)(self.values.take(rows, axis=0), self.dtype, self.scales, self.offsets)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.values.shape

    def copy(self) -> Self:
        """Return a copy that shares no memory with this."""
        return type(self)(self.values.copy(), self.dtype, self.scales, self.offsets)

    def read(self) -> NDArray[Any]:
        """Return all rows as an array (n, features) of `dtype`."""
        return _core.read_rows32(self) if self.dtype == np.float32 else _core.read_rows64(self)

    def count_finite(self) -> int:
        """Return the number of rows before the first that is not read as finite numbers."""
        if self._is_always_finite():
            return len(self)
        count = _core.count_finite_rows32 if self.dtype == np.float32 else _core.count_finite_rows64
        return count(self)

    def _is_always_finite(self) -> bool:
        """Return whether no value of the type can be read as infinity or NaN."""
        kind = self.values.dtype.kind
        if kind == "f" or self.scales is None or self.offsets is None:
            return kind != "f"
        of_type = np.iinfo(self.values.dtype) if kind != "b" else None
        limits = (0, 1) if of_type is None else (of_type.min, of_type.max)
        with np.errstate(over="ignore"):
            ends = [self.dtype.type(limit) * self.scales + self.offsets for limit in limits]
        return bool(np.isfinite(ends).all())


def is_readable(array: NDArray[Any]) -> bool:
    """Return whether the core can read the type of an array of real numbers."""
    return array.dtype.isnative and array.dtype.itemsize <= 8


def refuse_not_finite(name: str, rows: RawRows) -> None:
    """Raise unless all elements are read as finite numbers; checks without a copy."""
    row = rows.count_finite()
    if row == len(rows):
        return
    column = int(np.isfinite(rows[np.array([row])].read()[0]).argmin())
    value = rows.values[row, column]
    with np.errstate(over="ignore"):
        rescaled = bool(np.isfinite(rows.dtype.type(value)))
    raise not_finite(name, value, row, column, rows.dtype, rescaled=rescaled)
