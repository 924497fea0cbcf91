"""`Scaling`: columns times a scale plus an offset, before the first layer or after the last."""

from dataclasses import dataclass
from typing import Any

from .chosen_loss import ChosenLoss
from .dense import Matrix, Row
from .losses import LOSSES, weighted
from .rescaled import factors_of, standardization


@dataclass
class Scaling:
    """A scale and an offset for each column."""

    scale: Row
    offset: Row

    def apply(self, rows: Matrix) -> Matrix:
        """Return ``scale * x + offset`` for the columns of each row."""
        return [
            [s * x + o for x, s, o in zip(row, self.scale, self.offset, strict=True)]
            for row in rows
        ]

    def inverse(self, rows: Matrix) -> Matrix:
        """Return ``(x - offset) / scale``; 0 where the scale is 0."""
        return [
            [
                (x - o) / s if s else 0.0
                for x, s, o in zip(row, self.scale, self.offset, strict=True)
            ]
            for row in rows
        ]

    def times_scale(self, rows: Matrix) -> Matrix:
        """Return each column times its scale: the chain rule."""
        return [[x * s for x, s in zip(row, self.scale, strict=True)] for row in rows]


def scaled_by(which: str, value: object, before: Scaling | None, columns: int) -> Scaling | None:
    """Return a scaling with a new scale or offset: a number for each column, one for all, or None.

    Raises
    ------
    TypeError, ValueError
        If `value` is none of these, or not finite.
    """
    if value is None:
        return None
    factors = factors_of(which, value, columns)
    scale = [1.0] * columns if before is None else before.scale
    offset = [0.0] * columns if before is None else before.offset
    return Scaling(factors, offset) if which == "scale" else Scaling(scale, factors)


def of_features(rows: Matrix, dtype: str) -> Scaling:
    """Return what gives each column mean 0 and standard deviation 1; 0 of a constant one.

    Raises
    ------
    ValueError
        If a mean is too many deviations from 0 for an offset of float32, the `dtype`.
    """
    scaling = Scaling(*standardization(rows))
    for column, offset in enumerate(scaling.offset):
        if dtype == "float32" and abs(offset) > 2.0**33:
            raise ValueError(
                f"X varies too little around its mean of {-offset:.3g} deviations in column "
                f"{column} to be scaled in float32"
            )
    return scaling


def of_targets(rows: Matrix, dtype: str) -> Scaling:
    """Return what gives outputs of mean 0 and deviation 1 the mean and the deviation of targets.

    Raises
    ------
    ValueError
        If outputs of float32, the `dtype`, near a mean are too many deviations apart.
    """
    scale, _ = standardization(rows)
    means = [sum(column) / len(column) for column in zip(*rows, strict=True)]
    for column, (mean, factor) in enumerate(zip(means, scale, strict=True)):
        if (
            dtype == "float32" and 2.0**20 < abs(mean) * factor < 2.0**40
        ):  # or constant but for noise
            raise ValueError(
                f"y varies too little around its mean {mean:.6g} in column {column} for outputs of "
                "float32"
            )
    columns = zip(*rows, strict=True)
    offset = [
        column[0] if len(set(column)) == 1 else mean
        for column, mean in zip(columns, means, strict=True)
    ]
    return Scaling([1.0 / s if s else 0.0 for s in scale], offset)


REGRESSION = ("mean_squared_error", "mean_absolute_error", "huber", "quantile")
"""Losses whose targets are standardized: those of numbers in any unit."""


def power(loss: str) -> int:
    """Return the power of the unit that a loss has: 2 of squares, else 1."""
    return 2 if loss in ("mean_squared_error", "huber") else 1


def units_of(loss: ChosenLoss, scale: Row, weights: Row | None) -> Row:
    """Return the unit of the loss of each output, times its weight if there are weights."""
    units = [s * s if power(loss.name) == 2 else s for s in scale]
    return units if weights is None else [u * w for u, w in zip(units, weights, strict=True)]


def losses_in_units(
    loss: ChosenLoss, outputs: Matrix, y: list[Any], scale: Row, weights: Row | None
) -> Row:
    """Return the loss of each sample between outputs and targets as they are, not scaled.

    Of each output it is ``scale**p`` times the loss of what is scaled, p from `power`: Huber's
    delta is in units of the scale. With weights, each of these is times that of its output.
    """
    value = LOSSES[loss.name].value
    deltas = [loss.parameter * (s if loss.name == "huber" else 1.0) for s in scale]
    weights = [1.0] * len(scale) if weights is None else weights
    each = zip(outputs, y, strict=True)
    return [weighted(value, row, row, target, deltas, weights) for row, target in each]


def trained_losses_in_units(
    loss: ChosenLoss, z: Matrix, h: Matrix, y: list[Any], scaling: Scaling, weights: Row | None
) -> Row:
    """Return the loss of each sample of a training step, in units of the targets.

    It is that of the scaled targets with weights: the unit of each output; h is before scaling.
    """
    if 0.0 in scaling.scale:  # the output is the offset, which no scaled loss compares with y
        return losses_in_units(loss, scaling.apply(h), y, scaling.scale, weights)
    return loss.of_batch(z, h, scaling.inverse(y), units_of(loss, scaling.scale, weights))[0]
