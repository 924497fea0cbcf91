"""A network's loss as a function of its flat parameters, as `scipy.optimize` wants it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data import _arrays
from fastmlp.model.samples import Samples
from fastmlp.model.views import Core

Objective = Callable[[ArrayLike], tuple[float, NDArray[np.float64]]]


def make_objective(core: Core, samples: Samples) -> Objective:
    """Return the function that ``Network.objective`` documents, over checked samples."""
    samples = samples.counting()

    def objective(theta: ArrayLike) -> tuple[float, NDArray[np.float64]]:
        """Return the mean loss and its gradient at the flat parameters `theta`."""
        parameters = core.parameters
        values = _arrays.flat("theta", theta, parameters.size, parameters.dtype)
        with core.stepping():
            parameters[:] = values
            core.forward(samples.X, training=False)
            loss = core.backward(samples.targets, samples.weight, len(samples))
            # A copy: BFGS keeps the previous gradient and takes the difference to the next.
            return loss, core.gradients.astype(np.float64)

    return objective
