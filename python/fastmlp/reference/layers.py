"""Dense layers with an activation."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from . import activations, arrays, normalization, validation
from .activations import Activation
from .dense import Matrix, Row
from .normalization import Normalization, numbers_of


@dataclass(frozen=True, slots=True)
class Dense:
    """One fully connected layer: ``nodes_out = h(nodes_in @ weights + biases)`` (1.2).

    With a normalization it is ``h(scales * x + shifts)``, where x is the argument of h scaled to
    mean 0 and variance 1; see `normalization`.

    Parameters
    ----------
    nodes : int
        Number of nodes N of this layer, at least 1.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", \
            "relu6", "hardswish", "sigmoid", "tanh", "softplus", "exp", "identity", "softmax"}
        The function h, or a `LeakyReLU`, `ELU` or `GELU`. ``"softmax"`` is possible in the last
        layer only.
    normalization : {"batch", "layer"}, optional
        The normalization before h, or a `BatchNorm` or `LayerNorm`. Not in the last layer.
    dropout : float, default 0.0
        The probability, in [0, 1), that a node is set to 0 in a training step. Not in the last
        layer.
    trainable : bool, default True
        Whether training changes the layer. One that is frozen keeps all it has, and normalizes by
        the running averages, as in prediction.
    rate_factor : float, default 1.0
        Factor of the learning rate for this layer, above 0.

    Raises
    ------
    TypeError
        If `nodes` is not an integer, a name not a string, or `dropout` not a number.
    ValueError
        If `nodes` is below 1, a name is unknown, or `dropout` is not in [0, 1).
    """

    nodes: int
    activation: str
    normalization: str | None = None
    dropout: float = 0.0
    trainable: bool = True
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", validation.integer("nodes", self.nodes, 1))
        validation.choice("activation", self.activation, activations.NAMES)
        validation.own("activation", self.activation, Activation, "parameter")
        if self.normalization is not None:
            validation.choice("normalization", self.normalization, normalization.NAMES)
            validation.own("normalization", self.normalization, Normalization, "epsilon")
        object.__setattr__(self, "dropout", validation.share("dropout", self.dropout))
        object.__setattr__(self, "trainable", validation.switch("trainable", self.trainable))
        factor = validation.positive("rate_factor", self.rate_factor)
        object.__setattr__(self, "rate_factor", factor)

    def having(self, **settings: Any) -> "Dense":
        """Return the same layer with other settings."""
        return replace(self, **settings)

    def activate(self, z: Row) -> Row:
        """Compute the nodes h(z) (1.1)."""
        return activations.activate(self.activation, z)

    def pass_back(self, d: Row, h: Row, z: Row) -> Row:
        """Compute delta = dL/dz from d = dL/dh (2.2)."""
        return activations.pass_back(self.activation, d, h, z)

    def targets(self, name: str, y: object, rows: int, loss: str) -> Matrix:
        """Return the targets (rows, N) of such an output, with this loss."""
        return arrays.targets(name, y, rows, self.nodes, loss)

    @property
    def numbers(self) -> Normalization:
        """The normalization with its numbers, the usual ones if there is none."""
        return numbers_of(self.normalization)


def build_layers(
    layers: object, activation: object, output: object, normalization: Any, dropout: Any
) -> tuple[int, tuple[Dense, ...]]:
    """Read the arguments of `Network` that describe layers.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`.
    activation, output : str
        The activation of hidden layers and of the last layer, if given as an integer.
    normalization, dropout
        Those of hidden layers given as an integer, as in `Dense`.

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
        If there is no layer, a size is below 1, a name is unknown or softmax is not last.
    """
    hidden = validation.choice("activation", activation, activations.NAMES)
    last = validation.choice("output", output, activations.NAMES)
    if isinstance(layers, str | bytes | dict | set) or not isinstance(layers, Iterable):
        raise TypeError(
            f"layers must be a sequence [features, nodes or Dense, ...], "
            f"got {validation.brief(layers)}"
        )
    sizes = list(layers)
    if len(sizes) < 2:
        raise ValueError(
            "layers must hold the number of features and at least one layer, "
            f"such as [64, 10], got {validation.brief(sizes)}"
        )
    features = validation.integer("layers[0] (the number of features)", sizes[0], 1)
    inner, outer = Dense(1, hidden, normalization, dropout), Dense(1, last)
    dense = tuple(
        size
        if isinstance(size, Dense)
        else replace(
            outer if i == len(sizes) - 1 else inner,
            nodes=validation.integer(f"layers[{i}]", size, 1, alternative="a Dense"),
        )
        for i, size in enumerate(sizes[1:], start=1)
    )
    if dense[-1].normalization is not None or dense[-1].dropout:
        raise ValueError("the output layer takes no normalization and no dropout")
    if any(layer.activation == "softmax" for layer in dense[:-1]):
        raise ValueError("a hidden layer cannot be softmax; it is possible in the last layer only")
    if dense[-1].activation == "softmax" and dense[-1].nodes == 1:
        raise ValueError(
            "a softmax of one node is always 1: for two classes take one node with "
            "output='sigmoid', or two nodes with softmax; for a number output='identity'"
        )
    return features, dense


def check_same_function(network: Any, source: Any) -> None:
    """Refuse a source that does not compute what a network computes from the same parameters.

    Sizes, activations, normalizations with all that prediction reads of them, loss and scaling must
    be equal. Names, and how the networks are trained (dropout, momentum, trainable, rate factors),
    may differ.

    Raises
    ------
    ValueError
        With the first difference.
    """

    def expect(name: str, own: object, other: object, where: str = "") -> None:
        if own != other:
            raise ValueError(f"source must have the {name} {own!r}{where}, got {other!r}")

    expect("features", network.features, source.features)
    expect("number of layers", len(network.layers), len(source.layers))
    for i, (own, other) in enumerate(zip(network.layers, source.layers, strict=True)):
        where = f" in layer {i}"
        expect("nodes", own.nodes, other.nodes, where)
        expect("activation", own.activation, other.activation, where)
        parameter = "alpha" if own.activation == "elu" else "negative_slope"
        slope, other_slope = map(activations.parameter_of, (own.activation, other.activation))
        expect(parameter, slope, other_slope, where)
        expect("normalization", own.normalization, other.normalization, where)
        for name in ("epsilon", "after_activation"):
            expect(name, getattr(own.numbers, name), getattr(other.numbers, name), where)
    before, other_before = network.input_normalization, source.input_normalization
    expect("input_normalization", before, other_before)
    epsilon, other_epsilon = (numbers_of(its).epsilon for its in (before, other_before))
    expect("epsilon", epsilon, other_epsilon, " in input_normalization")
    expect("loss", network.loss, source.loss)
    own, other = network._loss.parameter, source._loss.parameter  # noqa: SLF001  (its own kind)
    expect("parameter of the loss", own, other)
    for (name, head), of_source in zip(network.heads.items(), source.heads.values(), strict=False):
        for member in ("nodes", "activation", "loss", "weight"):
            where = f" of head {name!r}"
            expect(member, getattr(head, member), getattr(of_source, member), where)
    expect("number of heads", len(network.heads), len(source.heads))
    for name in ("loss_weights", "input_scale", "input_offset", "output_scale", "output_offset"):
        expect(name, getattr(network, name), getattr(source, name))
