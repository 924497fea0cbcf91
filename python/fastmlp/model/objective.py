"""A network's loss as a function of its flat parameters, for `scipy.optimize`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data import _arrays
from fastmlp.data.stream import TargetsLike
from fastmlp.model.model import Core, Model, refuse_frozen
from fastmlp.model.samples import CheckedSamples, read_samples


class Objective:
    """The mean loss over fixed samples as a function of the flat parameters theta.

    ``f(theta)`` returns the loss and its gradient; see `Network.objective`, which makes it.
    """

    def __init__(self, core: Core, samples: CheckedSamples, n_threads: int = 0) -> None:
        """Take checked samples; 0 threads are as many as are worthwhile."""
        self._core = core
        self._samples = samples.counting()
        self._n_threads = n_threads

    def __call__(self, theta: ArrayLike) -> tuple[float, NDArray[np.float64]]:
        """Return the mean loss and its gradient at theta, which stays in the network.

        Parameters
        ----------
        theta : array-like, shape (n_parameters,)
            Parameters in the order of `Network.parameters`.

        Returns
        -------
        loss : float
            The mean loss.
        gradient : ndarray of float64, shape (n_parameters,)
            A copy; 0 for layers that are not trainable.

        Raises
        ------
        TypeError, ValueError
            If theta has another shape or type; nothing has changed then.
        RuntimeError
            While another thread fits the network.
        """
        core, samples, n_threads = self._core, self._samples, self._n_threads
        values = self._flat("theta", theta)
        with core.stepping():
            core.parameters[:] = values
            loss = core.objective(samples.X, samples.targets, samples.weight, None, n_threads)
            # A copy: BFGS keeps the previous gradient to subtract it from the next.
            return loss, core.gradients.astype(np.float64)

    def hvp(self, v: ArrayLike) -> NDArray[np.float64]:
        """Return the product of the Hessian of the loss at the network's parameters with v.

        It is exact, not a difference of gradients (Pearlmutter 1994), and takes about three times
        as long as a gradient. At a kink, as relu and the absolute error have, the second derivative
        is that of the piece whose slope the gradient takes. Layers that are not trainable are
        constants: their part of v is ignored, and that of the result is 0.

        Parameters
        ----------
        v : array-like, shape (n_parameters,)
            A direction, in the order of `Network.parameters`.

        Returns
        -------
        ndarray of float64, shape (n_parameters,)
            The product, computed in the dtype of the network.

        Raises
        ------
        TypeError, ValueError
            If v has another shape or type, or the network has a normalization or a custom
            loss.
        RuntimeError
            While another thread fits the network.
        """
        return self._product(self._direction(v))

    def hessp(self, theta: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
        """Return `hvp` of v at theta, which stays in the network: SciPy's ``hessp``.

        Parameters
        ----------
        theta, v : array-like, shape (n_parameters,)
            Parameters, and a direction.

        Returns
        -------
        ndarray of float64, shape (n_parameters,)
            The product.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As calling the objective and `hvp` do.
        """
        values, direction = self._flat("theta", theta), self._direction(v)
        with self._core.stepping():
            self._core.parameters[:] = values
            return self._product(direction)

    def _product(self, direction: NDArray[Any]) -> NDArray[np.float64]:
        samples = self._samples
        product = self._core.hvp(samples.X, samples.y, samples.weight, direction, self._n_threads)
        return product.astype(np.float64)

    def _direction(self, v: ArrayLike) -> NDArray[Any]:
        """Return v as an array, if there are products with it."""
        core, layers, samples = self._core, self._core.layers, self._samples
        if samples.loss is not None:
            raise ValueError(
                "hvp supports only the losses of fastmlp, and this network has a custom loss"
            )
        for normalization in (core.input_normalization, *(layer[2] for layer in layers)):
            name = normalization if isinstance(normalization, str) else normalization[0]
            if name != "none":
                raise ValueError(
                    f"hvp does not support {name} normalization, which the network has"
                )
        return self._flat("v", v)

    def _flat(self, name: str, value: ArrayLike) -> NDArray[Any]:
        parameters = self._core.parameters
        return np.ascontiguousarray(_arrays.flat(name, value, parameters.size, parameters.dtype))


def objective(
    model: Model, X: ArrayLike, y: TargetsLike, sample_weight: ArrayLike | None
) -> Objective:
    """Return the mean loss over (X, y) as a function; see `Network.objective`."""
    refuse_frozen(model.core)
    return Objective(model.core, read_all(model, X, y, sample_weight))


def read_all(
    model: Model,
    X: ArrayLike,
    y: TargetsLike,
    sample_weight: ArrayLike | None,
    *,
    alone: bool = True,
) -> CheckedSamples:
    """Return the samples of an objective; if they are not `alone` there may be none."""
    per_row = 0 if model.loss_function is None else model.bytes_per_row()  # sees all rows at once
    samples = read_samples(model, X, y, sample_weight, per_row=per_row, alone=alone)
    return samples.apart_from(model.core.parameters)  # which every call changes
