"""What a model of another library does, as plain data: one step after the other."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


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


@dataclass(frozen=True, slots=True, eq=False)
class LayerNormalization:
    """As batch normalization, with the mean and the variance of the nodes of each sample."""

    scale: NDArray[Any]
    shift: NDArray[Any]
    epsilon: float
    where: str


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
