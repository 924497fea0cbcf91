"""`Dense`: a layer, with an activation and optionally normalization and dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeAlias, cast

import numpy as np

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp._validation.immutable import immutable
from fastmlp.layers.activations import (
    ELU,
    Activation,
    ActivationLike,
    LeakyReLU,
    read_activation,
)
from fastmlp.layers.normalizations import (
    CoreNormalization,
    NormalizationLike,
    describe_normalization,
    label_of,
    of_description,
    read_normalization,
)

CoreLayer: TypeAlias = tuple[int, str | tuple[str, float], CoreNormalization, float]
"""A layer as the core describes it: see ``_core.pyi``."""


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Dense:
    """One fully connected layer: ``nodes_out = h(nodes_in @ weights + biases)`` (1.2).

    With a normalization it is ``h(scales * x + shifts)``, where x is
    ``z = nodes_in @ weights + biases`` scaled to mean 0 and variance 1: over the nodes of a sample
    with ``"layer"`` (Ba et al., 2016), over the samples of a batch with ``"batch"`` (Ioffe and
    Szegedy, 2015), which uses running averages in prediction. Both add 1e-5 to the variance unless
    given otherwise, as in PyTorch.

    Parameters
    ----------
    nodes : int
        Number of nodes N of this layer, at least 1.
    activation : {"relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", \
            "relu6", "hardswish", "sigmoid", "tanh", "softplus", "exp", "identity", "softmax"}
        The function h, also as `LeakyReLU`, `ELU` or `GELU` with a parameter: by name leaky_relu
        has a negative slope of 0.01, elu an alpha of 1, and gelu is z Phi(z). ``"softmax"`` is
        possible in the last layer only.
    normalization : {"batch", "layer"}, optional
        The normalization of z before h, also as `BatchNorm` or `LayerNorm` with numbers of its own,
        or of h(z). Not in the last layer.
    dropout : float, default 0.0
        The probability, in [0, 1), that a node is set to 0 in a training step; the others are
        multiplied by ``1 / (1 - dropout)``. Prediction uses all nodes. Not in the last layer.
    trainable : bool, default True
        Whether training changes the layer; `Network.trainable` changes it later. A frozen layer
        keeps every bit of its weights, biases, scales, shifts and running averages, whatever
        momentum and weight decay; it normalizes by the running averages, as in prediction.
    rate_factor : float, default 1.0
        Factor of the learning rate for this layer, finite and above 0; `Network.rate_factors`
        changes it later. L-BFGS, which chooses its own step sizes, ignores it.

    Raises
    ------
    TypeError
        If `nodes` is not an integer, a name not a string, `trainable` not a bool, or a number not
        one.
    ValueError
        If `nodes` is below 1, a name is unknown, `dropout` is not in [0, 1), or `rate_factor` is
        not above 0.

    Examples
    --------
    >>> Dense(32, "tanh")
    Dense(nodes=32, activation='tanh')
    >>> Dense(64, "relu", normalization="layer", dropout=0.1)
    Dense(nodes=64, activation='relu', normalization='layer', dropout=0.1)
    """

    nodes: int
    activation: ActivationLike
    normalization: NormalizationLike | None = None
    dropout: float = 0.0
    trainable: bool = True
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", _validation.integer("nodes", self.nodes, minimum=1))
        object.__setattr__(self, "activation", read_activation("activation", self.activation))
        if self.normalization is not None:
            normalization = read_normalization("normalization", self.normalization)
            object.__setattr__(self, "normalization", normalization)
        object.__setattr__(self, "dropout", _validation.share("dropout", self.dropout, one=False))
        object.__setattr__(self, "trainable", _validation.switch("trainable", self.trainable))
        factor = _validation.positive("rate_factor", self.rate_factor)
        object.__setattr__(self, "rate_factor", factor)

    def __repr__(self) -> str:
        text = f"Dense(nodes={self.nodes}, activation={self.activation!r}"
        if self.normalization is not None:
            text += f", normalization={self.normalization!r}"
        if self.dropout:
            text += f", dropout={self.dropout!r}"
        if not self.trainable:
            text += ", trainable=False"
        if self.rate_factor != 1:
            text += f", rate_factor={self.rate_factor!r}"
        return f"{text})"

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if isinstance(other, Dense) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def _compared(self) -> tuple[Any, ...]:
        return self.described(), self.trainable, self.rate_factor

    def described(self) -> CoreLayer:
        """Return the layer as the core describes it, but for `trainable` and `rate_factor`."""
        activation: str | tuple[str, float] = self.activation
        if isinstance(self.activation, Activation):
            activation = (str(self.activation), self.activation.parameter)
        return self.nodes, activation, describe_normalization(self.normalization), self.dropout

    @classmethod
    def of_description(cls, layer: CoreLayer) -> Self:
        """Return the layer that the core describes."""
        nodes, activation, normalization, dropout = layer
        if isinstance(activation, tuple):
            name, parameter = activation
            activation = LeakyReLU(parameter) if name == "leaky_relu" else ELU(parameter)
        return cls(
            nodes, cast("ActivationLike", activation), of_description(normalization), dropout
        )

    def function(self) -> str:
        """Describe the function applied to z: ``'relu, layer norm, dropout 0.1'``."""
        has_parameter = isinstance(self.activation, Activation)
        text = repr(self.activation) if has_parameter else str(self.activation)
        if self.normalization is not None:
            text += f", {label_of(self.normalization)}"
        if self.dropout:
            text += f", dropout {self.dropout:g}"
        if not self.trainable:
            text += ", frozen"
        if self.rate_factor != 1:
            text += f", rate x {self.rate_factor:g}"
        return text

    def having(self, **settings: Any) -> Self:
        """Return the same layer with other settings."""
        return replace(self, **settings)

    def parameters(self, K: int) -> int:
        """Return the number of parameters of this layer after one with `K` nodes."""
        return (K + (1 if self.normalization is None else 3)) * self.nodes


def completed(layer: Dense) -> Dense:
    """Return a layer as it is, or, from a pickle of an older version, with what it lacks."""
    if type(layer) is not Dense:  # a kind that older versions did not have
        return layer
    given: dict[str, Any] = {f.name: getattr(layer, f.name, f.default) for f in fields(layer)}
    return Dense(**given)


def build_layers(
    layers: object,
    activation: ActivationLike,
    output: ActivationLike,
    normalization: NormalizationLike | None = None,
    dropout: float = 0.0,
) -> tuple[int, tuple[Dense, ...]]:
    """Read the first argument of `Network`: the number of features, and the layers after it.

    Parameters
    ----------
    layers : sequence of int or Dense
        The number of features, then each layer as its number of nodes or as a `Dense`.
    activation, output : str
        The activation of hidden layers and of the last layer, if given as an integer.
    normalization, dropout
        Those of hidden layers given as an integer, as in `Dense`.
    """
    if isinstance(layers, int | np.integer | Dense):  # as Network(4, 8, 2)
        sizes = [repr(size) for size in (layers, activation, output) if not isinstance(size, str)]
        written = ", ".join(sizes if len(sizes) > 1 else [*sizes, "..."])
        raise TypeError(
            "layers must be a sequence [features, nodes or Dense, ...], got "
            f"{_validation.brief(layers)}; write Network([{written}])"
        )
    activation = read_activation("activation", activation, hidden=True)
    output = read_activation("output", output)
    entries = _validation.items("layers", layers, "a sequence [features, nodes or Dense, ...]")
    if len(entries) < 2:
        raise ValueError(
            "layers must hold the number of features and at least one layer, "
            f"such as [64, 10], got {_validation.brief(entries)}"
        )
    if isinstance(entries[0], Dense):
        raise TypeError(
            f"layers[0] must be the number of features, an integer, got {entries[0]!r}; "
            f"write [features, {entries[0]!r}, ...]"
        )
    features = _validation.integer("layers[0] (the number of features)", entries[0], minimum=1)
    last = len(entries) - 1
    hidden = Dense(1, activation, normalization, dropout)
    dense = tuple(
        _as_dense(i, size, Dense(1, output) if i == last else hidden)
        for i, size in enumerate(entries[1:], start=1)
    )
    for i, layer in enumerate(dense[:-1], start=1):
        if layer.activation == "softmax":
            raise ValueError(
                f"layers[{i}] is a hidden layer and cannot be softmax; "
                "softmax is possible in the last layer only"
            )
    if dense[-1].normalization is not None or dense[-1].dropout:
        raise ValueError(
            f"layers[{last}] is the output layer, which takes no normalization and no dropout, "
            f"got {dense[-1]!r}"
        )
    return features, dense


def refuse_single_softmax(layers: Sequence[Dense]) -> None:
    """Refuse an output that is always 1, and suggest alternatives."""
    if layers[-1].activation == "softmax" and layers[-1].nodes == 1:
        raise ValueError(
            f"layers[{len(layers)}] is a softmax of one node, whose output is always 1: for two "
            "classes take one node with output='sigmoid', or two nodes with softmax; for a number "
            "output='identity'"
        )


def _as_dense(i: int, size: object, like: Dense) -> Dense:
    if isinstance(size, Dense):
        return size
    nodes = _validation.integer(f"layers[{i}]", size, minimum=1, alternative="a Dense")
    return replace(like, nodes=nodes)
