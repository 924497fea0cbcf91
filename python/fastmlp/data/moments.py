"""Means and standard deviations of columns, in one pass over blocks of rows."""

import numpy as np
from numpy.typing import NDArray

_MANY_DEVIATIONS = 2.0**17
"""Where an offset is beyond it, rounding to float32 moves the mean by up to 1/128 deviation."""


class ColumnMoments:
    """Mean, deviation and range of each column, in float64.

    The moments of a block are computed in two passes and merged with those before it (Chan, Golub
    and LeVeque 1979), so no digits are lost if the mean is large.

    Attributes
    ----------
    count : int
        Rows so far.
    mean : ndarray, shape (columns,)
        Means of the columns.
    squares : ndarray, shape (columns,)
        Sums of (x - mean)^2.
    lowest, highest : ndarray, shape (columns,)
        The range of each column.
    """

    def __init__(self, columns: int) -> None:
        self.count = 0
        self.mean = np.zeros(columns)
        self.squares = np.zeros(columns)
        self.lowest = np.full(columns, np.inf)
        self.highest = np.full(columns, -np.inf)

    def add(self, block: NDArray[np.float64]) -> None:
        """Add rows (rows, columns), all finite."""
        if len(block) == 0:
            return
        rows = ColumnMoments(block.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            mean = block.mean(axis=0)
            rows.set(len(block), mean, ((block - mean) ** 2).sum(axis=0))
        rows.lowest, rows.highest = block.min(axis=0), block.max(axis=0)
        self.merge(rows)

    def set(self, count: int, mean: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
        """Set the rows, the means and the sums of (x - mean)^2, whatever the range is."""
        self.count, self.mean, self.squares = count, mean, squares

    def merge(self, rows: "ColumnMoments") -> None:
        """Add the rows of other moments after those of these."""
        if rows.count == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            total, shift = self.count + rows.count, rows.mean - self.mean
            self.mean += shift * (rows.count / total)
            self.squares += rows.squares + shift**2 * (self.count * rows.count / total)
        np.minimum(self.lowest, rows.lowest, out=self.lowest)
        np.maximum(self.highest, rows.highest, out=self.highest)
        self.count = total

    def variance(self) -> NDArray[np.float64]:
        """Return the mean of (x - mean)^2 of each column; there must be rows."""
        return self.squares / self.count

    def deviation(self, name: str) -> NDArray[np.float64]:
        """Return the standard deviation (divided by n) of each column; 0 if it is constant.

        Raises
        ------
        ValueError
            If there are no rows, or the squares of a column are beyond float64; messages call the
            samples `name`.
        """
        if self.count == 0:
            raise ValueError(f"{name} has 0 samples; a mean needs at least one")
        constant = self.lowest == self.highest
        deviation = np.sqrt(self.variance())
        lost = ~constant & ~(np.isfinite(deviation) & (deviation > 0))
        if lost.any():
            column = int(lost.argmax())
            size = "small" if deviation[column] == 0 else "large"
            raise ValueError(f"{name} holds numbers too {size} to be squared in column {column}")
        self.mean[constant] = self.lowest[constant]  # rounding may have moved it
        return np.where(constant, 0.0, deviation)

    def standardization(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the scale and offset that give each column mean 0 and standard deviation 1.

        Both are 0 for a constant column. Errors as in `deviation`. They may be rounded to float32:
        if that would move the mean noticeably, the scale is a number of float32, up to 0.05 %
        larger, whose offset nearly is one.
        """
        deviation = self.deviation(name)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        many = np.abs(self.mean * scale) > _MANY_DEVIATIONS
        limits = np.finfo(np.float32)
        for column in np.flatnonzero(many & (scale > limits.tiny) & (scale < limits.max / 2)):
            scale[column] = _of_exact_offset(np.float32(scale[column]), self.mean[column])
        return scale, 0.0 - self.mean * scale


def _of_exact_offset(scale: np.float32, mean: float) -> np.float32:
    """Return the scale, of it and the next larger ones, whose rounded offset moves the mean least.

    The products of 4,096 scales fall everywhere between two numbers of float32, so that of the best
    is about 4,096 times as close to one.
    """
    scales = (scale.view(np.int32) + np.arange(1 << 12, dtype=np.int32)).view(np.float32)
    offsets = 0.0 - mean * scales.astype(np.float64)
    moved = np.abs(offsets.astype(np.float32) - offsets)
    best: np.float32 = scales[moved.argmin()]
    return best
