"""Custom losses: functions of the user, called by the core."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LossFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], Any]
"""``f(outputs, y, gradient) -> losses``; see ``fastmlp.Network``."""


class CustomLoss:
    """A user's loss over the targets of a data set.

    Parameters
    ----------
    function : callable
        ``f(outputs, y, gradient) -> losses``.
    y : ndarray, shape (n, ...)
        The targets, one for each sample.
    """

    def __init__(self, function: LossFunction, y: NDArray[Any]) -> None:
        self._function = function
        self.y = y

    def __call__(
        self,
        outputs: NDArray[Any],
        samples: NDArray[np.uint32],
        gradients: NDArray[Any],
        losses: NDArray[Any],
    ) -> None:
        """Fill gradients (B, N) and losses (B,) for outputs (B, N) of some samples (B,)."""
        gradients.fill(np.nan)
        returned = np.asarray(self._function(outputs, self.y[samples], gradients))
        if returned.dtype.kind not in "fiub":
            what = f"an array of {returned.dtype}" if returned.ndim else repr(returned[()])
            raise TypeError(f"the loss must return numbers, it returned {what}")
        if returned.shape not in ((), losses.shape):
            raise ValueError(
                f"the loss must return one number per sample, shape {losses.shape}, or their "
                f"mean, shape (); it returned shape {returned.shape}"
            )
        if np.isnan(gradients).any() and not np.isnan(returned).any():
            raise ValueError(
                f"the loss left elements of gradient unset (or NaN): it must fill all of "
                f"gradient[...], shape {gradients.shape}, with the derivatives of each sample's "
                "loss with respect to its outputs"
            )
        losses[...] = returned

    def mean(self, outputs: NDArray[Any], weight: NDArray[Any] | None) -> float:
        """Return the mean loss of outputs (n, N) for all samples, weighted by `weight` if any."""
        samples = np.arange(len(outputs), dtype=np.uint32)
        if weight is not None:  # samples of weight 0 are ignored, as in training
            samples = samples[weight != 0]
            outputs, weight = outputs[samples], weight[samples]
        losses = np.empty(len(outputs), outputs.dtype)
        self(outputs, samples, np.empty_like(outputs), losses)
        return float(np.average(losses.astype(np.float64), weights=weight))
