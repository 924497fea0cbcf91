"""What a network is made of: dense layers with an activation."""

from collections.abc import Iterable
from dataclasses import dataclass

from . import activations, validation


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
    """

    nodes: int
    activation: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", validation.integer("nodes", self.nodes, 1))
        validation.choice("activation", self.activation, activations.NAMES)


def build_layers(
    layers: object, activation: object, output: object
) -> tuple[int, tuple[Dense, ...]]:
    """Read the first three arguments of `Network`.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`.
    activation, output : str
        The activation of hidden layers and of the last layer where they are given as a number.

    Returns
    -------
    features : int
        The number of features.
    layers : tuple of Dense
        The layers after the features.

    Raises
    ------
    TypeError
        If an entry is neither an integer nor a `Dense`, or a name is not a string.
    ValueError
        If there is no layer, a number is below 1, a name is unknown or softmax is not the last.
    """
    hidden = validation.choice("activation", activation, activations.NAMES)
    last = validation.choice("output", output, activations.NAMES)
    if isinstance(layers, str | bytes | dict | set) or not isinstance(layers, Iterable):
        raise TypeError(
            f"layers must be a sequence [features, nodes or Dense, ...], got {layers!r}"
        )
    sizes = list(layers)
    if len(sizes) < 2:
        raise ValueError(
            "layers must hold the number of features and at least one layer, "
            f"such as [64, 10], got {sizes!r}"
        )
    features = validation.integer("layers[0] (the number of features)", sizes[0], 1)
    dense = tuple(
        size
        if isinstance(size, Dense)
        else Dense(
            validation.integer(f"layers[{i}]", size, 1, alternative="a Dense"),
            last if i == len(sizes) - 1 else hidden,
        )
        for i, size in enumerate(sizes[1:], start=1)
    )
    if any(layer.activation == "softmax" for layer in dense[:-1]):
        raise ValueError("a hidden layer cannot be softmax; it is possible in the last layer only")
    return features, dense
