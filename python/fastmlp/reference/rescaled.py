"""`Rescaled`: features times a scale plus an offset, row by row."""

import math
from collections.abc import Iterator
from typing import Self

from . import arrays
from .dense import Matrix, Row


class Rescaled:
    """``scale * X + offset``, wherever a network takes X.

    Parameters
    ----------
    X : array-like, shape (n, features)
        Samples.
    scale, offset : float or array-like, shape (features,)
        One number for all features, or one for each; finite.
    """

    def __init__(self, X: object, scale: object = 1.0, offset: object = 0.0) -> None:
        self.X, shape = arrays.nested("X", X)
        if len(shape) != 2:
            raise ValueError(f"X must have 2 dimensions (samples, features), got shape {shape}")
        self.scale = _factors("scale", scale, shape[1])
        self.offset = _factors("offset", offset, shape[1])

    @classmethod
    def standardise(cls, X: object) -> Self:
        """Return X with mean 0 and deviation 1 (over n) in each column; a constant one becomes 0.

        Parameters
        ----------
        X : array-like, shape (n, features)
            Samples, at least 1, finite.
        """
        columns = list(zip(*arrays.features("X", X, _width(X)), strict=True))
        means = [column[0] if len(set(column)) == 1 else _mean(column) for column in columns]
        scale = []
        for column, mean in zip(columns, means, strict=True):
            deviation = math.sqrt(_mean([(x - mean) ** 2 for x in column]))
            scale.append(1 / deviation if deviation > 0 else 1.0)
        return cls(X, scale, [-mean * s for mean, s in zip(means, scale, strict=True)])

    def like(self, X: object) -> Self:
        """Return other samples, by the scale and the offset of these."""
        return type(self)(X, self.scale, self.offset)

    def __iter__(self) -> Iterator[Row]:
        for row in self.X:
            yield [s * x + o for x, s, o in zip(row, self.scale, self.offset, strict=True)]

    def chain(self, derivatives: Row) -> Row:
        """Turn derivatives by what a network reads of a sample into those by X."""
        return [d * s for d, s in zip(derivatives, self.scale, strict=True)]

    def tolist(self) -> Matrix:
        """Return the rows as lists."""
        return list(self)


def _width(X: object) -> int:
    _, shape = arrays.nested("X", X)
    if len(shape) != 2:
        raise ValueError(f"X must have 2 dimensions (samples, features), got shape {shape}")
    return shape[1]


def _mean(values: tuple[float, ...] | list[float]) -> float:
    return math.fsum(values) / len(values)


def _factors(name: str, value: object, features: int) -> Row:
    """Return a number for each feature."""
    items, shape = arrays.nested(name, value)
    if shape not in ((), (features,)):
        raise ValueError(f"{name} must be a number or have shape ({features},), got {shape}")
    factors = [float(items)] * features if shape == () else [float(item) for item in items]
    for factor in factors:
        if not math.isfinite(factor):
            raise ValueError(f"{name} must be finite, got {factor}")
    return factors
