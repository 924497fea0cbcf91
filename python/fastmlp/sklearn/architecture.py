"""From an estimator's parameters to a `Network`, with scikit-learn's names and initial weights."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from fastmlp.layers import ActivationLike, Dense
from fastmlp.network import Network, model_of

if TYPE_CHECKING:
    from fastmlp.losses import LossName

_CORE_NAMES: Final = {"logistic": "sigmoid"}
"""scikit-learn's names of activations, if they differ from the core's."""


@dataclass(frozen=True)
class Architecture:
    """The layers of an estimator's network.

    Parameters
    ----------
    features : int
        Number of features.
    hidden : sequence of int
        Nodes of the hidden layers.
    activations : sequence of str
        The activation of each hidden layer.
    outputs : int
        Nodes of the output layer.
    output : str
        The activation of the output layer, as ``out_activation_`` names it.
    loss : str, CrossEntropy, Huber or Quantile
        The loss, as `Network` takes it.
    dropouts : sequence of float
        The dropout of each hidden layer.
    before_output : str
        The activation for which the output layer's initial weights are drawn: of the last hidden
        layer, or, as in scikit-learn, the estimator's `activation` if there are no hidden layers.
    """

    features: int
    hidden: Sequence[int]
    activations: Sequence[str]
    outputs: int
    output: str
    loss: Any
    dropouts: Sequence[float]
    before_output: str

    def network(self, dtype: Any, seed: int = 0) -> Network:
        """Create the network, with the initial weights of `Network`."""
        layers = zip(self.hidden, self.activations, self.dropouts, strict=True)
        hidden = [
            Dense(nodes, core_name(activation), dropout=dropout)
            for nodes, activation, dropout in layers
        ]
        output = Dense(self.outputs, core_name(self.output))
        return Network([self.features, *hidden, output], loss=self.loss, seed=seed, dtype=dtype)

    def initialize(
        self, network: Network, random_state: np.random.RandomState, dtype: np.dtype[Any]
    ) -> None:
        """Draw weights and biases as scikit-learn does, rounded to the `dtype` of the features.

        Uniform in +-sqrt(factor / (K + N)), weights before biases, layer by layer, in float64; the
        factor is 6 (Glorot and Bengio, 2010), or 2 for the logistic function. The output layer uses
        the factor of the layer before it.
        """
        activations = [*self.activations, self.before_output]
        for weights, biases, activation in zip(
            network.weights, network.biases, activations, strict=True
        ):
            factor = 2.0 if core_name(activation) == "sigmoid" else 6.0
            bound = math.sqrt(factor / sum(weights.shape))
            weights[...] = random_state.uniform(-bound, bound, weights.shape).astype(dtype)
            biases[...] = random_state.uniform(-bound, bound, biases.shape).astype(dtype)


def hidden_nodes(hidden_layer_sizes: object) -> list[int]:
    """Return `hidden_layer_sizes`, one number or a sequence, as a list."""
    sizes = list(hidden_layer_sizes) if isinstance(hidden_layer_sizes, Iterable) else None
    if sizes is None:
        sizes = [hidden_layer_sizes]
    if np.any(np.array(sizes) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return sizes


def for_each_layer(name: str, value: Any, layers: int) -> list[Any]:
    """Return one value per hidden layer, from one for all or one for each.

    Parameters
    ----------
    name : str
        The parameter, for messages.
    value : str, float or sequence of them
        The parameter.
    layers : int
        The number of hidden layers.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value] * layers
    values = list(value)
    if len(values) != layers:
        raise ValueError(
            f"{name} must be one value, or one for each of the {layers} hidden layers, got {values}"
        )
    return values


def copy_of(network: Network, dtype: Any) -> Network:
    """Return a network that predicts what `network` does, in `dtype`."""
    layers: list[Any] = [network.features, *network.layers]
    copy = Network(layers, loss=cast("LossName", network.loss), seed=0, dtype=dtype)
    copy.parameters = network.parameters
    return copy


def replaced(
    network: Network, activations: Sequence[Any], dropouts: Sequence[float], loss: Any
) -> Network:
    """Return a copy of `network`, optimizer included, with other functions of its layers.

    Parameters
    ----------
    network : Network
        The network.
    activations : sequence of str
        Of all layers, as scikit-learn names them.
    dropouts : sequence of float
        Of all layers.
    loss : str, Loss, CrossEntropy, Huber, Quantile or None
        The loss; None is the usual one of the last activation.
    """
    settings = zip(network.layers, activations, dropouts, strict=True)
    layers: list[Any] = [network.features]
    layers += [layer.having(activation=core_name(a), dropout=p) for layer, a, p in settings]
    copy = Network(layers, loss=loss, seed=network.seed, dtype=network.dtype)
    copy.parameters = network.parameters
    source, core = model_of(network).core, model_of(copy).core
    core.epoch, core.position = source.epoch, source.position
    core.set_optimizer_state(*source.optimizer_state)
    core.feature_names = source.feature_names
    if model_of(copy).n_classes == model_of(network).n_classes:
        core.class_names = source.class_names
    return copy


def core_name(activation: str) -> ActivationLike:
    """Return the core's name of an activation."""
    return cast("ActivationLike", _CORE_NAMES.get(activation, activation))
