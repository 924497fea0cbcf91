"""The operations of a model of another library, as plain data: a list of steps."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

EPSILON: Final = 1e-5
"""The epsilon that a network's normalizations add to the variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``x @ weights + biases``, weights (K, N), biases (N,)."""

    weights: NDArray[Any]
    biases: NDArray[Any]
    where: str
    """The name of the original layer or node, for messages; every step has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """``x * factor + offset``, elementwise; each (N,), or () for all nodes."""

    factor: NDArray[Any]
    offset: NDArray[Any]
    where: str


@dataclass(frozen=True, slots=True, eq=False)
class BatchNormalization:
    """``(x - mean) / sqrt(variance + epsilon) * scale + shift``, each (N,)."""

    scale: NDArray[Any]
    shift: NDArray[Any]
    mean: NDArray[Any]
    variance: NDArray[Any]
    epsilon: float
    where: str

    def affine(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return its factor and offset, in float64."""
        with np.errstate(all="ignore"):  # values that are not finite are detected in the network
            factor = self.scale / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
            return factor, self.shift - self.mean * factor

    def with_epsilon(self, epsilon: float) -> "BatchNormalization | None":
        """Return the same with another epsilon, the difference added to the variance."""
        if _equal(self.epsilon, epsilon):
            return self
        variance = self.variance.astype(np.float64) + (self.epsilon - epsilon)
        return replace(self, variance=variance, epsilon=epsilon) if (variance >= 0).all() else None


@dataclass(frozen=True, slots=True, eq=False)
class LayerNormalization:
    """Like batch normalization, with the mean and the variance of the nodes of each sample."""

    scale: NDArray[Any]
    shift: NDArray[Any]
    epsilon: float
    where: str

    def with_epsilon(self, epsilon: float) -> "LayerNormalization | None":
        """Return itself if it has this epsilon; a sample's variance cannot be adjusted."""
        return self if _equal(self.epsilon, epsilon) else None


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation by its name in `fastmlp.layers.ACTIVATIONS`."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Dropout:
    """During training a node is 0 with probability `rate`, the others times 1 / (1 - rate)."""

    rate: float
    where: str


@dataclass(frozen=True, slots=True)
class Width:
    """A check of the number of nodes at this point; nothing is computed."""

    nodes: int
    where: str


Step = Linear | Scale | BatchNormalization | LayerNormalization | Activation | Dropout | Width


def _equal(a: float, b: float) -> bool:
    """Return whether two epsilons are equal, up to rounding to float32 in a file."""
    return abs(a - b) <= 1e-6 * b
