"""``fit`` with solver="lbfgs": SciPy's L-BFGS-B on the core's gradients."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from sklearn.utils.optimize import _check_optimize_result

from fastmlp.network import Network, model_of
from fastmlp.sklearn.architecture import copy_of
from fastmlp.sklearn.losses import gradient_factor, is_scikit_learns, mean_loss
from fastmlp.sklearn.meeting import computing
from fastmlp.sklearn.samples import EstimatorSamples, dense
from fastmlp.sklearn.warned import warn

if TYPE_CHECKING:
    from fastmlp.sklearn.callbacks import FitTask


def fit(estimator: Any, samples: EstimatorSamples, dtype: np.dtype[Any], task: "FitTask") -> None:
    """Minimise the mean loss with its penalty over all parameters at once.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The estimator being fitted.
    samples : EstimatorSamples
        The training data.
    dtype : dtype
        The type that losses and gradients are computed in: parameters are rounded to it before each
        evaluation, as SciPy does for scikit-learn.
    task : FitTask
        Calls scikit-learn's callbacks after each iteration.
    """
    network = estimator._network
    n_threads = estimator._n_threads() or 0
    objective = _Objective(network, samples.counting(), estimator.alpha, dtype, n_threads)

    def iteration_ended(theta: NDArray[np.float64]) -> None:
        network.parameters[:] = theta
        model_of(network).core.end_epoch()
        task.epoch_begins()
        if task.epoch_ends():
            raise StopIteration

    options = {"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol}
    with computing(), model_of(network).core.training():
        result = scipy.optimize.minimize(
            objective,
            network.parameters.astype(dtype),
            method="L-BFGS-B",
            jac=True,
            callback=iteration_ended,
            options=options,
        )
        estimator.n_iter_ = _iterations(result, estimator.max_iter)
        estimator.loss_ = result.fun
        network.parameters[:] = result.x


def _iterations(result: Any, max_iter: int) -> int:
    """Return the number of iterations; if it has not converged, warn as scikit-learn does."""
    if result.status == 0:
        return int(_check_optimize_result("lbfgs", result, max_iter))
    with warnings.catch_warnings(record=True) as caught:  # to warn in scikit-learn's name
        warnings.simplefilter("always")
        iterations = _check_optimize_result("lbfgs", result, max_iter)
    for each in caught:
        warn(str(each.message), each.category)
    return int(iterations)


class _Objective:
    """The mean loss and its gradient with the penalty, as functions of all parameters."""

    def __init__(
        self,
        network: Network,
        samples: EstimatorSamples,
        alpha: float,
        dtype: np.dtype[Any],
        n_threads: int,
    ) -> None:
        if network.dtype != dtype:
            network = copy_of(network, dtype)
        self._network = network
        self._core = model_of(network).core
        self._x = dense(samples.x, network.dtype)
        self._samples = samples
        self._n_threads = n_threads
        self._outputs = None  # from which the loss is computed as scikit-learn does
        if is_scikit_learns(network):
            self._outputs = np.empty((len(samples), network.layers[-1].nodes), network.dtype)
        weights = samples.weights
        share = alpha / (len(samples) if weights is None else weights.sum(dtype=np.float64))
        self._share = share
        self._factor = gradient_factor(network)
        self._penalty = np.zeros(network.parameters.size)  # of biases: 0
        self._weights = _places_of_weights(network)

    def __call__(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        samples, threads = self._samples, self._n_threads
        self._network.parameters[:] = theta
        loss = self._core.objective(
            self._x, samples.targets, samples.weights, self._outputs, threads
        )
        if self._outputs is not None:
            loss = mean_loss(self._network.loss, self._outputs, samples.targets, samples.weights)
        # Of large networks each array is read from memory: SciPy's own fill the cache.
        penalty = self._penalty
        for place in self._weights:
            np.multiply(theta[place], self._share, out=penalty[place], dtype=np.float64)
        gradient = self._factor * self._core.gradients
        in_place = gradient if gradient.dtype == penalty.dtype else None
        gradient = np.add(gradient, penalty, out=in_place)
        return loss + float(theta @ penalty) / 2, gradient


def _places_of_weights(network: Network) -> list[slice]:
    """Return where the weights of each layer are in the parameters."""
    places, first = [], 0
    for weights, biases in zip(network.weights, network.biases, strict=True):
        places.append(slice(first, first + weights.size))
        first += weights.size + biases.size
    return places
