"""The operations of a model of another library, as plain data: a list of steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.heads import Heads
from fastmlp.layers import ActivationLike


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``x @ weights + biases``, weights (K, N), biases (N,); None if a next step may add them."""

    weights: NDArray[Any]
    biases: NDArray[Any] | None
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
    momentum: float = 0.1
    """The weight of a batch in the running averages, where the model has it."""

    def affine(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return its factor and offset, in float64."""
        with np.errstate(all="ignore"):  # values that are not finite are detected in the network
            factor = self.scale / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
            return factor, self.shift - self.mean * factor


@dataclass(frozen=True, slots=True, eq=False)
class LayerNormalization:
    """Like batch normalization, with the mean and the variance of the nodes of each sample."""

    scale: NDArray[Any]
    shift: NDArray[Any]
    epsilon: float
    where: str


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation of `fastmlp.layers`."""

    name: ActivationLike
    where: str


@dataclass(frozen=True, slots=True)
class LogSoftmax:
    """The logarithm of softmax, at the end: the network returns the probabilities."""

    where: str


@dataclass(frozen=True, slots=True)
class HeadActivations:
    """The activations of several heads, of their columns."""

    layer: Heads
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


Step = (
    Linear
    | Scale
    | BatchNormalization
    | LayerNormalization
    | Activation
    | LogSoftmax
    | HeadActivations
    | Dropout
    | Width
)


def decimal(number: float) -> float:
    """Return the decimal that a file has rounded to float32, if it has: 0.2 of 0.20000000298."""
    single = np.float32(number)
    return float(str(single)) if float(single) == number else number
