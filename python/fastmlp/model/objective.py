"""A network's loss as a function of its flat parameters, for `scipy.optimize`."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data import _arrays
from fastmlp.model.model import Core, Model, refuse_frozen
from fastmlp.model.samples import CheckedSamples, read_samples

Objective = Callable[[ArrayLike], tuple[float, NDArray[np.float64]]]


def objective(
    model: Model, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
) -> Objective:
    """Return the mean loss over (X, y) as a function; see `Network.objective`."""
    refuse_frozen(model.core)
    samples = read_samples(model, X, y, sample_weight, per_row=model.bytes_per_row())
    return over_samples(model.core, samples)


def over_samples(core: Core, samples: CheckedSamples) -> Objective:
    """Return the mean loss over checked samples as a function of the flat parameters."""
    samples = samples.counting()

    def at(theta: ArrayLike) -> tuple[float, NDArray[np.float64]]:
        """Return the mean loss and its gradient at the flat parameters `theta`."""
        parameters = core.parameters
        values = _arrays.flat("theta", theta, parameters.size, parameters.dtype)
        with core.stepping():
            parameters[:] = values
            core.forward(samples.X, training=False, n_threads=1)
            loss = core.backward(samples.targets, samples.weight, len(samples), n_threads=1)
            # A copy: BFGS keeps the previous gradient to subtract it from the next.
            return loss, core.gradients.astype(np.float64)

    return at
