"""Normalization of z before the activation, or of h after it, and its way back.

With x = (z - mean) / sqrt(variance + epsilon), scale * x + shift takes the place of z, or of h.
Layer normalization (Ba, Kiros, Hinton, 2016) takes mean and variance over the nodes of a sample,
batch normalization (Ioffe and Szegedy, 2015) over the samples of a batch, and in prediction running
averages of those.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from . import validation
from .dense import Matrix, Row
from .sums import over_parts, tree16

NAMES: Final = ("batch", "layer")
"""The names of the normalizations."""

EPSILON: Final = 1e-5
"""What is usually added to a variance, so that nothing is divided by 0."""

MOMENTUM: Final = 0.1
"""The usual weight of a batch in the running averages."""

LayerKey: TypeAlias = int | Literal["input"]
"""A normalized layer, or the features before the first layer."""


class Normalization(str):
    """The name of a normalization, with its numbers. It equals the name."""

    __slots__ = ("after_activation", "epsilon", "momentum")

    epsilon: float
    momentum: float
    after_activation: bool

    def __new__(
        cls,
        name: str,
        epsilon: float = EPSILON,
        momentum: float = MOMENTUM,
        after_activation: bool = False,
    ) -> Self:
        """Create it; numbers are the usual ones unless given."""
        self = super().__new__(cls, name)
        self.epsilon = validation.positive("epsilon", epsilon)
        if isinstance(momentum, bool) or not 0.0 <= momentum <= 1.0:
            raise ValueError(f"momentum must be in [0, 1], got {validation.brief(momentum)}")
        self.momentum = float(momentum)
        self.after_activation = validation.switch("after_activation", after_activation)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        numbers = self.epsilon, self.momentum, self.after_activation
        return Normalization, (str(self), *numbers)


def BatchNorm(  # noqa: N802  (as in fastmlp)
    epsilon: float = EPSILON, momentum: float = MOMENTUM, *, after_activation: bool = False
) -> Normalization:
    """Return batch normalization with its numbers."""
    return Normalization("batch", epsilon, momentum, after_activation)


def LayerNorm(  # noqa: N802
    epsilon: float = EPSILON, *, after_activation: bool = False
) -> Normalization:
    """Return layer normalization with its numbers."""
    return Normalization("layer", epsilon, MOMENTUM, after_activation)


def numbers_of(normalization: str | None) -> Normalization:
    """Return a normalization with its numbers, the usual ones of a name."""
    if isinstance(normalization, Normalization):
        return normalization
    return Normalization(normalization or "layer")


def read_input_normalization(value: Any) -> str | None:
    """Return the normalization of the features, if any, after checks."""
    if value is None:
        return None
    name = validation.choice("input_normalization", value, NAMES)
    if numbers_of(value).after_activation:
        raise ValueError("input_normalization comes before any activation: no after_activation")
    return value if isinstance(value, Normalization) else name


@dataclass(frozen=True)
class ByLayer:
    """A batch normalized over the nodes of each sample.

    Attributes
    ----------
    x : list of list of float, shape (B, N)
        Normalized: mean 0 and variance 1 along each row.
    inverses : list of float, shape (B,)
        1 / sqrt(variance + epsilon) of each row.
    """

    x: Matrix
    inverses: Row

    def back(self, delta: Matrix, scales: Row) -> Matrix:
        """Turn dL/d(scale x + shift) into dL/dz, both (B, N).

        With d = dL/dx: (d - mean(d) - x mean(d x)) / sqrt(variance + epsilon), means over a row.
        """
        result = []
        for delta_row, x, inverse in zip(delta, self.x, self.inverses, strict=True):
            d = [value * scale for value, scale in zip(delta_row, scales, strict=True)]
            mean = tree16(d) / len(d)
            product = tree16(d_n * x_n for d_n, x_n in zip(d, x, strict=True)) / len(d)
            result.append(
                [(d_n - mean - x_n * product) * inverse for d_n, x_n in zip(d, x, strict=True)]
            )
        return result


@dataclass(frozen=True)
class ByBatch:
    """A batch normalized over its samples, node by node.

    Attributes
    ----------
    x : list of list of float, shape (B, N)
        Normalized: mean 0 and variance 1 along each column.
    inverses : list of float, shape (N,)
        1 / sqrt(variance + epsilon) of each column.
    parts : sequence of int
        How many of the B samples each rank has.
    constant : bool
        Whether mean and variance are given, so that they do not depend on z.
    """

    x: Matrix
    inverses: Row
    parts: Sequence[int]
    constant: bool = False

    def back(self, delta: Matrix, scales: Row) -> Matrix:
        """Turn dL/d(scale x + shift) into dL/dz, both (B, N).

        (delta - mean(delta) - x mean(delta x)) scale / sqrt(variance + epsilon), means over the
        batch; without the means where the statistics are constant.
        """
        products, sums = gradients(delta, self.x, 1.0 / len(delta), self.parts)
        if self.constant:
            products, sums = [0.0] * len(scales), [0.0] * len(scales)
        columns = list(zip(sums, products, scales, self.inverses, strict=True))
        return [
            [
                (delta_n - mean - x_n * product) * (scale * inverse)
                for delta_n, x_n, (mean, product, scale, inverse) in zip(
                    delta_row, x, columns, strict=True
                )
            ]
            for delta_row, x in zip(delta, self.x, strict=True)
        ]


@dataclass
class Statistics:
    """Running averages of a batch-normalized layer, used in prediction.

    Attributes
    ----------
    means, variances : list of float, shape (N,)
        Initially 0 and 1.
    """

    means: Row
    variances: Row

    def update(self, means: Row, variances: Row, batch: int, momentum: float) -> None:
        """Update the averages with the moments of a batch; variances are made unbiased.

        Parameters
        ----------
        means, variances : list of float, shape (N,)
            As `moments` computes them: variances over B.
        batch : int
            The number B of samples. One sample alone has no variance, and moves nothing.
        momentum : float
            The weight of this batch.
        """
        if batch == 1:
            return
        correction = batch / (batch - 1)
        for n, (mean, variance) in enumerate(zip(means, variances, strict=True)):
            self.means[n] = (1.0 - momentum) * self.means[n] + momentum * mean
            unbiased = variance * correction
            self.variances[n] = (1.0 - momentum) * self.variances[n] + momentum * unbiased


Normalized = ByLayer | ByBatch
"""A normalized batch with the values for the backward pass."""


def by_layer(z: Matrix, epsilon: float) -> ByLayer:
    """Normalize each row of z (B, N); sums are `tree16`."""
    x, inverses = [], []
    for row in z:
        mean = tree16(row) / len(row)
        errors = [value - mean for value in row]
        variance = tree16(error * error for error in errors) / len(row)
        inverses.append(_inverse(variance, epsilon))
        x.append([error * inverses[-1] for error in errors])
    return ByLayer(x, inverses)


def by_moments(
    z: Matrix,
    means: Row,
    variances: Row,
    epsilon: float,
    parts: Sequence[int],
    *,
    constant: bool,
) -> ByBatch:
    """Normalize the columns of z (B, N) by moments (N,), of this batch or running averages."""
    inverses = [_inverse(variance, epsilon) for variance in variances]
    x = [
        [
            (value - mean) * inverse
            for value, mean, inverse in zip(row, means, inverses, strict=True)
        ]
        for row in z
    ]
    return ByBatch(x, inverses, parts, constant)


def moments(z: Matrix, parts: Sequence[int]) -> tuple[Row, Row]:
    """Return mean and variance (over B) of each column of z (B, N), summed over the parts."""
    means = [over_parts(column, parts) / len(z) for column in zip(*z, strict=True)]
    variances = [
        over_parts(((value - mean) * (value - mean) for value in column), parts) / len(z)
        for column, mean in zip(zip(*z, strict=True), means, strict=True)
    ]
    return means, variances


def scale_and_shift(x: Matrix, scales: Row, shifts: Row) -> Matrix:
    """Return scale x + shift, the argument of the activation, (B, N)."""
    return [
        [value * scale + shift for value, scale, shift in zip(row, scales, shifts, strict=True)]
        for row in x
    ]


def gradients(delta: Matrix, x: Matrix, inverse: float, parts: Sequence[int]) -> tuple[Row, Row]:
    """Compute the gradients of the mean loss with respect to scales and shifts.

    Parameters
    ----------
    delta : list of list of float, shape (B, N)
        dL/d(scale x + shift), one row per sample, times its weight.
    x : list of list of float, shape (B, N)
        The normalized batch.
    inverse : float
        1 over the sum of the weights, which is 1/B without them.
    parts : sequence of int
        How many of the B samples each rank has.

    Returns
    -------
    scale_gradients, shift_gradients : list of float, shape (N,)
        The sums of delta x, and of delta, over the batch, times `inverse`.
    """
    deltas, values = list(zip(*delta, strict=True)), list(zip(*x, strict=True))
    scale_gradients = [
        over_parts((d * v for d, v in zip(column, value, strict=True)), parts) * inverse
        + 0.0  # never -0
        for column, value in zip(deltas, values, strict=True)
    ]
    return scale_gradients, [over_parts(column, parts) * inverse + 0.0 for column in deltas]


def _inverse(variance: float, epsilon: float) -> float:
    return 1.0 / math.sqrt(variance + epsilon)
