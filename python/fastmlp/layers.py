"""What a network is made of: dense layers with an activation."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fastmlp import _validation

ACTIVATIONS: Final = ("relu", "sigmoid", "tanh", "identity", "softmax")
"""The names of h in ``nodes = h(z)`` (1.2). Softmax stands at the output only."""


@dataclass(frozen=True, slots=True)
class Dense:
    """One fully connected layer: ``nodes_out = h(nodes_in @ weights + biases)`` (1.2).

    Parameters
    ----------
    nodes : int
        Number of nodes N of this layer, at least 1.
    activation : {"relu", "sigmoid", "tanh", "identity", "softmax"}
        The function h. ``"softmax"`` is possible in the last layer only.

    Raises
    ------
    TypeError
        If `nodes` is not an integer or `activation` not a string.
    ValueError
        If `nodes` is below 1 or `activation` is not one of the names.

    Examples
    --------
    >>> Dense(32, "tanh")
    Dense(nodes=32, activation='tanh')
    """

    nodes: int
    activation: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", _validation.integer("nodes", self.nodes, minimum=1))
        _validation.choice("activation", self.activation, ACTIVATIONS)


def build_layers(layers: object, activation: str, output: str) -> tuple[int, tuple[Dense, ...]]:
    """Read the first argument of `Network`: the number of features, and the layers after it.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`.
    activation, output : str
        The activation of hidden layers and of the last layer where they are given as a number.
    """
    _validation.choice("activation", activation, ACTIVATIONS)
    _validation.choice("output", output, ACTIVATIONS)
    if isinstance(layers, str | bytes | dict | set) or not isinstance(layers, Iterable):
        raise TypeError(
            "layers must be a sequence [features, nodes or Dense, ...], "
            f"got {type(layers).__name__}"
        )
    sizes = list(layers)
    if len(sizes) < 2:
        raise ValueError(
            "layers must hold the number of features and at least one layer, "
            f"such as [64, 10], got {sizes!r}"
        )
    if isinstance(sizes[0], Dense):
        raise TypeError(
            f"layers[0] must be the number of features, an integer, got {sizes[0]!r}; "
            f"write [features, {sizes[0]!r}, ...]"
        )
    features = _validation.integer("layers[0] (the number of features)", sizes[0], minimum=1)
    last = len(sizes) - 1
    dense = tuple(
        _as_dense(i, size, output if i == last else activation)
        for i, size in enumerate(sizes[1:], start=1)
    )
    for i, layer in enumerate(dense[:-1], start=1):
        if layer.activation == "softmax":
            raise ValueError(
                f"layers[{i}] is a hidden layer and cannot be softmax; "
                "softmax is possible in the last layer only"
            )
    return features, dense


def _as_dense(i: int, size: object, activation: str) -> Dense:
    if isinstance(size, Dense):
        return size
    nodes = _validation.integer(f"layers[{i}]", size, minimum=1, alternative="a Dense")
    return Dense(nodes, activation)
