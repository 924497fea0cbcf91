"""The losses as scikit-learn defines them, and their relation to the core's.

The core's losses are means over the outputs. scikit-learn halves the mean of the squared errors and
sums the other losses over the outputs. Its gradient is ``outputs - targets`` for every one of them,
which for several outputs is not that of its squared error.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fastmlp.network import Network

SQUARED_ERROR: Final = "mean_squared_error"
POISSON: Final = "poisson"
CROSS_ENTROPY: Final = "cross_entropy"
BINARY_CROSS_ENTROPY: Final = "binary_cross_entropy"


def is_scikit_learns(network: Network) -> bool:
    """Return whether scikit-learn has the loss of `network`, which `mean_loss` then computes."""
    loss = network.loss
    return loss in {SQUARED_ERROR, POISSON, BINARY_CROSS_ENTROPY} or (
        loss == CROSS_ENTROPY and loss.parameter == 0
    )


def gradient_factor(network: Network) -> float:
    """Return the ratio of scikit-learn's gradient of the loss to the core's."""
    outputs = network.layers[-1].nodes
    factors = {SQUARED_ERROR: outputs / 2, BINARY_CROSS_ENTROPY: outputs, POISSON: outputs}
    return float(factors.get(network.loss, 1))


def limit(network: Network) -> float:
    """Return the maximum loss of a sample: scikit-learn clips probabilities to [eps, 1 - eps].

    For multilabel targets the limit holds for each label, and here their sum is not limited: the
    reported loss may then exceed scikit-learn's, if a label is predicted wrong with near certainty.
    """
    if network.loss == CROSS_ENTROPY or _has_one_sigmoid(network):
        return -math.log(float(np.finfo(network.dtype).eps))
    return math.inf


def _has_one_sigmoid(network: Network) -> bool:
    return network.loss == BINARY_CROSS_ENTROPY and network.layers[-1].nodes == 1


def from_core(network: Network, loss: float) -> float:
    """Convert a mean loss of the core to scikit-learn's, without the constants of Poisson's."""
    return loss / 2 if network.loss == SQUARED_ERROR else loss * gradient_factor(network)


def sample_losses(loss: str, outputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
    """Return scikit-learn's loss of each sample.

    Parameters
    ----------
    loss : str
        The name of the loss in the core.
    outputs : ndarray, shape (n, N)
        The outputs of the network.
    targets : ndarray, shape (n,) or (n, N)
        Classes for cross-entropy, otherwise a target for each output.

    Returns
    -------
    ndarray, shape (n,)
        Probabilities are clipped to [eps, 1 - eps] before the logarithm, with the eps of the dtype.
    """
    if loss == SQUARED_ERROR:
        return np.square(outputs - targets).mean(axis=1) / 2
    if loss == POISSON:
        return (poisson_constants(targets) + outputs - targets * np.log(outputs)).sum(axis=1)
    eps = np.finfo(outputs.dtype).eps
    p = np.clip(outputs, eps, 1 - eps)
    if loss == CROSS_ENTROPY:
        return -np.log(p[np.arange(len(p)), targets])
    return -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(axis=1)


def mean_loss(
    loss: str, outputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None
) -> float:
    """Return the mean of `sample_losses`, weighted by `weights` if any."""
    return float(np.average(sample_losses(loss, outputs, targets), weights=weights))


def poisson_constants(targets: NDArray[Any]) -> NDArray[Any]:
    """Return ``y log(y) - y``, the terms of half the Poisson deviance without a gradient."""
    logarithms = np.log(targets, out=np.zeros_like(targets), where=targets > 0)
    return targets * logarithms - targets
