"""Standardizing numbers: their mean and deviation, and how far they may be from it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import DataError
from fastmlp.tables.reading.stored_numbers import Floats

Out = NDArray[np.float32]

LIMIT: Final = 1e6
"""How far from 0 a standardized number may be: numbers never met in training stay finite."""

_TO_SQUARE: Final = 2.0**500

FAR: Final = 4096.0
"""The most deviations from 0 of the mean of numbers that a float32 network standardizes itself:
numbers further away lose half of their digits."""


def scale(values: Floats) -> tuple[float, float]:
    """Return mean and population standard deviation, or a deviation of 1 for constants."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(values.mean()), float(values.std())
    if not np.isfinite(deviation):
        raise DataError("numbers beyond 1e150 cannot be standardized")
    if deviation < 1e-150 and abs(mean) < 1e-100:  # squares of such deviations are 0
        deviation = float((values * _TO_SQUARE).std()) / _TO_SQUARE
    # Because of rounding, the deviation of a constant like 0.1 is not exactly 0.
    return mean, deviation if deviation > 1e-12 * abs(mean) else 1.0


def is_near(mean: float, deviation: float) -> bool:
    """Whether a float32 network can standardize numbers itself without losing their digits."""
    return abs(mean) <= FAR * deviation and 1e-30 < deviation < 1e30
