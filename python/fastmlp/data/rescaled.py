"""`Rescaled`: features times a scale plus an offset, without a copy."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data._conversion import numbers
from fastmlp.data._frames import column_names
from fastmlp.data._raw import RawRows, is_readable, refuse_not_finite
from fastmlp.data.moments import ColumnMoments
from fastmlp.data.rounding import refuse_rounded_integers

_BLOCK = 1 << 16  # elements that `standardize` processes together


class Rescaled:
    """``scale * X + offset``, computed while the network reads it: X is not copied.

    It can be passed as X to ``fit``, ``predict`` and ``evaluate``, also as validation data. Bytes
    with ``scale=1/255`` train as fast as float32 and take a quarter of the memory.

    Parameters
    ----------
    X : array-like, shape (n, features)
        Samples of any real type; not copied.
    scale, offset : float or array-like, shape (features,)
        One number for all features, or one per feature; finite. Both are rounded to the network's
        type T, and a feature is read as ``fma(x, T(scale), T(offset))``, rounded to T once: float64
        and integers of 4 and 8 bytes are scaled in float64.

    Raises
    ------
    TypeError, ValueError
        If X is not a matrix of numbers, or scale or offset is not finite or has another shape.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = Rescaled(np.array([[0, 51], [255, 102]], np.uint8), scale=1 / 255)
    >>> np.asarray(pixels)
    array([[0. , 0.2],
           [1. , 0.4]])
    """

    def __init__(self, X: ArrayLike, scale: ArrayLike = 1.0, offset: ArrayLike = 0.0) -> None:
        if isinstance(X, Rescaled):
            raise TypeError("X is already Rescaled: rescale the original array, X.X")
        self.X = numbers("X", X)
        self.feature_names = column_names(X)
        if self.X.ndim != 2:
            raise ValueError(
                f"X must have 2 dimensions (samples, features), got shape {self.X.shape}"
            )
        self.scale = _factors("scale", scale, self.X.shape[1])
        self.offset = _factors("offset", offset, self.X.shape[1])

    @classmethod
    def standardize(cls, X: ArrayLike) -> Self:
        """Return X with mean 0 and standard deviation 1 in each column; constant columns become 0.

        Mean and standard deviation (divided by n) are computed in float64, in one pass over
        blocks of rows. Use `like` to rescale other samples in the same way.

        Parameters
        ----------
        X : array-like, shape (n, features)
            Samples, at least 1, finite.

        Raises
        ------
        TypeError, ValueError
            If X is not a matrix of numbers, has no rows, or it or its squares are not finite.
        """
        given = cls(X)
        refuse_rounded_integers("X", given.X)
        result = cls(given.X, *standardization("X", given))
        result.feature_names = given.feature_names
        return result

    @classmethod
    def standardise(cls, X: ArrayLike) -> Self:
        """Return `standardize` of X, its name since 0.2; this one will go."""
        warnings.warn(
            "Rescaled.standardise is now called Rescaled.standardize",
            FutureWarning,
            stacklevel=2,
        )
        return cls.standardize(X)

    def like(self, X: ArrayLike) -> Self:
        """Return other samples with the same scale and offset."""
        return type(self)(X, self.scale, self.offset)

    def rows(self, dtype: np.dtype[Any]) -> RawRows:
        """Return the rows as the core reads them for a network of `dtype`.

        Raises
        ------
        ValueError
            If a scale or an offset is too large for `dtype`.
        """
        factors = []
        for name in ("scale", "offset"):
            given = getattr(self, name)
            with np.errstate(over="ignore"):
                factor = np.broadcast_to(given, self.shape[1:]).astype(dtype)
            if not np.isfinite(factor).all():
                raise ValueError(f"{name} holds {np.abs(given).max():g}: too large for {dtype}")
            factors.append(np.ascontiguousarray(factor))
        values = self.X if is_readable(self.X) else self.X.astype(dtype)
        return RawRows(values, dtype, *factors)

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Return a copy, float64 by default; float32 as a network of that type reads it."""
        if copy is False:
            raise ValueError("Rescaled is computed when it is read and cannot be a view")
        read_as = np.dtype(np.float32 if dtype == np.float32 else np.float64)
        rows = self.rows(read_as).read()
        return rows if dtype is None else rows.astype(dtype, copy=False)

    def __getitem__(self, rows: slice) -> Self:
        """Return some of the samples, without a copy."""
        result = self.like(self.X[rows])
        result.feature_names = self.feature_names
        return result

    def chain(self, derivatives: NDArray[Any]) -> NDArray[Any]:
        """Turn derivatives with respect to the rescaled features into those by X, in place.

        Each is multiplied by the scale of its feature, rounded to the network's type.

        Parameters
        ----------
        derivatives : ndarray, shape (..., features)
            Of the network's type.
        """
        with np.errstate(all="ignore"):
            derivatives *= self.scale.astype(derivatives.dtype)
        return derivatives

    def __len__(self) -> int:
        return len(self.X)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples and features."""
        return self.X.shape

    def __repr__(self) -> str:
        factors = f"scale={_factor_text(self.scale)}, offset={_factor_text(self.offset)}"
        return f"Rescaled({self.X.dtype} {self.shape}, {factors})"


def standardization(
    name: str, samples: Rescaled
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scale and the offset that give each column mean 0 and standard deviation 1.

    Both are 0 for a constant column. `samples` have neither yet; messages call them `name`.

    Raises
    ------
    ValueError
        If there are no rows, or something is not finite, or its square is not.
    """
    array = samples.X
    refuse_not_finite(name, samples.rows(np.dtype(np.float64)))
    moments = ColumnMoments(array.shape[1])
    step = max(1, _BLOCK // max(1, array.shape[1]))
    for first in range(0, len(array), step):
        moments.add(array[first : first + step].astype(np.float64))
    return moments.standardization(name)


def _factors(name: str, value: ArrayLike, features: int) -> NDArray[np.float64]:
    array = numbers(name, value).astype(np.float64)
    if array.shape not in ((), (features,)):
        raise ValueError(f"{name} must be a number or have shape ({features},), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    array.flags.writeable = False
    return array


def _factor_text(factor: NDArray[np.float64]) -> str:
    return f"{factor:g}" if factor.ndim == 0 else f"({factor.size} numbers)"
