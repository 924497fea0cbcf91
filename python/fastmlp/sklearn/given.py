"""From arrays and names assigned to an estimator, fitted or not, to a network."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from fastmlp.layers import parameter_of
from fastmlp.losses import choose_loss
from fastmlp.network import Network
from fastmlp.sklearn.architecture import Architecture, core_name, for_each_layer, replaced

_NEEDED: Final = ("coefs_", "intercepts_", "out_activation_")


def network_of_arrays(estimator: Any) -> Network:
    """Return a network with ``coefs_`` and ``intercepts_``, and complete the attributes.

    That is the estimator's own network if the arrays still have its shapes.

    Raises
    ------
    NotFittedError
        If something is missing that has to be assigned, too.
    ValueError
        If the arrays do not fit together.
    """
    own = vars(estimator)
    missing = [name for name in _NEEDED if name not in own]
    if missing:
        raise NotFittedError(
            f"This {type(estimator).__name__} instance is not fitted yet: arrays were assigned to "
            f"it, but not {' and '.join(missing)}."
        )
    coefs, intercepts = own["coefs_"], own["intercepts_"]
    _check_shapes(coefs, intercepts)
    network = own.get("_network")
    if network is not None and _shapes(network.weights) == _shapes(coefs):
        for views, arrays in ((network.weights, coefs), (network.biases, intercepts)):
            for view, array in zip(views, arrays, strict=True):
                view[...] = array
        return network
    network = _new_network(estimator, coefs, intercepts)
    estimator.n_layers_, estimator.n_outputs_ = len(coefs) + 1, coefs[-1].shape[1]
    own.setdefault("n_features_in_", network.features)
    estimator._complete(network)
    is_usual = estimator.out_activation_ == estimator._output_and_loss()[0]
    return training(estimator, network) if is_usual else network


def refuse_other_depth(estimator: Any) -> None:
    """Raise ValueError if ``n_layers_`` was set to another number than the arrays have."""
    layers = vars(estimator).get("n_layers_")
    arrays = len(estimator.coefs_)
    if layers is not None and layers != arrays + 1:
        raise ValueError(
            f"n_layers_ is {layers}, but coefs_ has {arrays} arrays: the layers are {arrays + 1}, "
            "counting the features as one"
        )


def predicting(estimator: Any, network: Network) -> Network:
    """Return `network`, or a copy with ``activation`` and ``out_activation_`` if they differ."""
    hidden = len(network.layers) - 1
    activations = for_each_layer("activation", estimator.activation, hidden)
    activations.append(estimator.out_activation_)
    if _described(activations) == _described(layer.activation for layer in network.layers):
        return network
    return replaced(network, activations, [0.0] * (hidden + 1), None)


def training(estimator: Any, network: Network) -> Network:
    """Return `network`, or a copy with the parameters that were set after the first fit.

    Raises
    ------
    ValueError
        If ``out_activation_`` is not the one that the loss needs.
    """
    output, loss = estimator._output_and_loss()
    if estimator.out_activation_ != output:
        raise ValueError(
            f"out_activation_ is {estimator.out_activation_!r}, but training with "
            f"loss={estimator.loss!r} needs {output!r}"
        )
    hidden = len(network.layers) - 1
    activations = [*for_each_layer("activation", estimator.activation, hidden), output]
    dropouts = [*for_each_layer("dropout", estimator.dropout, hidden), 0.0]
    chosen = choose_loss(loss, core_name(output))
    if (
        _described(activations) == _described(layer.activation for layer in network.layers)
        and dropouts == [layer.dropout for layer in network.layers]
        and (chosen, chosen.parameter) == (network.loss, network.loss.parameter)
    ):
        return network
    return replaced(network, activations, dropouts, loss)


def _new_network(
    estimator: Any, coefs: list[NDArray[Any]], intercepts: list[NDArray[Any]]
) -> Network:
    """Return a network with these arrays, in single precision if all of them are."""
    refuse_other_depth(estimator)
    hidden = [array.shape[1] for array in coefs[:-1]]
    activations = for_each_layer("activation", estimator.activation, len(hidden))
    architecture = Architecture(
        features=len(coefs[0]),
        hidden=hidden,
        activations=activations,
        outputs=coefs[-1].shape[1],
        output=estimator.out_activation_,
        loss=None,
        dropouts=[0.0] * len(hidden),
        before_output="",
    )
    network = architecture.network(np.result_type(*coefs, *intercepts))
    for views, arrays in ((network.weights, coefs), (network.biases, intercepts)):
        for view, array in zip(views, arrays, strict=True):
            view[...] = array
    return network


def _check_shapes(coefs: list[NDArray[Any]], intercepts: list[NDArray[Any]]) -> None:
    widths = [array.shape[1] for array in coefs]
    fits = (
        bool(coefs)
        and widths[:-1] == [len(array) for array in coefs[1:]]
        and widths == [len(array) for array in intercepts]
    )
    if not fits:
        raise ValueError(
            "coefs_ and intercepts_ do not fit together: their shapes are "
            f"{_shapes(coefs)} and {_shapes(intercepts)}"
        )


def _shapes(arrays: list[NDArray[Any]]) -> list[tuple[int, ...]]:
    return [array.shape for array in arrays]


def _described(activations: Any) -> list[tuple[str, float]]:
    names = map(core_name, activations)
    return [(str(name), parameter_of(name)) for name in names]
