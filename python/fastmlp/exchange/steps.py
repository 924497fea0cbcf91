"""What a model of another library does, as plain data: one step after the other."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

EPSILON: Final = 1e-5
"""What a normalization of a network adds to the variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``x @ weights + biases``, weights (K, N), biases (N,)."""

    weights: NDArray[Any]
    biases: NDArray[Any]
    where: str
    """The name of the layer or node that it came from, for messages; in every step."""


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """``x * factor + offset``, node by node; each (N,), or () for all nodes alike."""

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
        """Return factor and offset of what it does, in float64."""
        with np.errstate(all="ignore"):  # what is not finite is found in the network
            factor = self.scale / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
            return factor, self.shift - self.mean * factor

    def with_epsilon(self, epsilon: float) -> "BatchNormalization | None":
        """Return the same with another epsilon, the variance taking in the difference."""
        if _equal(self.epsilon, epsilon):
            return self
        variance = self.variance.astype(np.float64) + (self.epsilon - epsilon)
        return replace(self, variance=variance, epsilon=epsilon) if (variance >= 0).all() else None


@dataclass(frozen=True, slots=True, eq=False)
class LayerNormalization:
    """As batch normalization, with the mean and the variance of the nodes of each sample."""

    scale: NDArray[Any]
    shift: NDArray[Any]
    epsilon: float
    where: str

    def with_epsilon(self, epsilon: float) -> "LayerNormalization | None":
        """Return itself if it has this epsilon: the variance of a sample cannot take it in."""
        return self if _equal(self.epsilon, epsilon) else None


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation by its name in `fastmlp.layers.ACTIVATIONS`."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Dropout:
    """A node is 0 with the probability `rate` during training, the others times 1 / (1 - rate)."""

    rate: float
    where: str


@dataclass(frozen=True, slots=True)
class Width:
    """The sample is a vector of so many nodes here: nothing to compute, something to check."""

    nodes: int
    where: str


Step = Linear | Scale | BatchNormalization | LayerNormalization | Activation | Dropout | Width


def _equal(a: float, b: float) -> bool:
    """Tell whether two epsilons are one, which a file may have rounded to float32."""
    return abs(a - b) <= 1e-6 * b
