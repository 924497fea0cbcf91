"""`Rescaled`: features times a scale plus an offset, row by row."""

import math
from collections.abc import Iterator
from typing import Self

from . import arrays
from .dense import Matrix, Row


class Rescaled:
    """``scale * X + offset``, accepted wherever X is.

    Parameters
    ----------
    X : array-like, shape (n, features)
        Samples.
    scale, offset : float or array-like, shape (features,)
        One number for all features, or one per feature; finite.
    """

    def __init__(self, X: object, scale: object = 1.0, offset: object = 0.0) -> None:
        self.X, shape = arrays.nested("X", X)
        if len(shape) != 2:
            raise ValueError(f"X must have 2 dimensions (samples, features), got shape {shape}")
        self.scale = factors_of("scale", scale, shape[1])
        self.offset = factors_of("offset", offset, shape[1])

    @classmethod
    def standardize(cls, X: object) -> Self:
        """Return X with mean 0 and standard deviation 1 in each column; constant columns become 0.

        Parameters
        ----------
        X : array-like, shape (n, features)
            Samples, at least 1, finite.
        """
        return cls(X, *standardization(arrays.features("X", X, _width(X))))

    def like(self, X: object) -> Self:
        """Return other samples with the same scale and offset."""
        return type(self)(X, self.scale, self.offset)

    def __iter__(self) -> Iterator[Row]:
        for row in self.X:
            yield [s * x + o for x, s, o in zip(row, self.scale, self.offset, strict=True)]

    def chain(self, derivatives: Row) -> Row:
        """Turn derivatives with respect to the rescaled features of a sample into those by X."""
        return [d * s for d, s in zip(derivatives, self.scale, strict=True)]

    def tolist(self) -> Matrix:
        """Return the rows as lists."""
        return list(self)


def standardization(rows: Matrix) -> tuple[Row, Row]:
    """Return scale and offset of each column: mean 0 and deviation 1, or 0 of a constant."""
    scale, offset = [], []
    for column in zip(*rows, strict=True):
        mean = _mean(column)
        deviation = math.sqrt(_mean([(x - mean) ** 2 for x in column]))
        is_constant = len(set(column)) == 1
        scale.append(0.0 if is_constant else 1 / deviation)
        offset.append(-mean * scale[-1])
    return scale, offset


def _width(X: object) -> int:
    _, shape = arrays.nested("X", X)
    if len(shape) != 2:
        raise ValueError(f"X must have 2 dimensions (samples, features), got shape {shape}")
    return shape[1]


def _mean(values: tuple[float, ...] | list[float]) -> float:
    return math.fsum(values) / len(values)


def factors_of(name: str, value: object, features: int) -> Row:
    """Return a number for each feature."""
    items, shape = arrays.nested(name, value)
    if shape not in ((), (features,)):
        raise ValueError(f"{name} must be a number or have shape ({features},), got {shape}")
    factors = [float(items)] * features if shape == () else [float(item) for item in items]
    for factor in factors:
        if not math.isfinite(factor):
            raise ValueError(f"{name} must be finite, got {factor}")
    return factors
