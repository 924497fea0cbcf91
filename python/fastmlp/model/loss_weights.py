"""The weights of the outputs in the loss, set by the user."""

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.data._conversion import converted, numbers
from fastmlp.losses import Loss
from fastmlp.model.model import Model


def set_loss_weights(model: Model, value: ArrayLike | None) -> None:
    """Set `Network.loss_weights`.

    Raises
    ------
    TypeError, ValueError
        If `value` is neither a weight for each output nor None, or the loss takes none.
    RuntimeError
        If the network is being fitted.
    """
    if value is None:
        model.core.loss_weights = None
        return
    _refuse_joint(model.loss)
    given = numbers("loss_weights", value)
    if given.shape != (model.outputs,):
        raise ValueError(
            f"loss_weights must have shape ({model.outputs},), a weight for each output, "
            f"got {given.shape}"
        )
    weights = converted(given, model.dtype)
    rounded = (weights == 0) & (given != 0)
    if not np.isfinite(weights).all() or (weights < 0).any() or rounded.any():
        raise ValueError(
            f"loss_weights must be 0, or above 0 and finite in {model.dtype}, got {given}"
        )
    most = np.sqrt(np.finfo(model.dtype).max)
    if weights.max() > most:  # leaves room for the losses
        raise ValueError(
            f"loss_weights must be at most {most:.0e} in {model.dtype}, or losses would overflow; "
            f"got {given}"
        )
    if not weights.any():
        raise ValueError("loss_weights are all 0; at least one must be above 0")
    model.core.loss_weights = weights


def _refuse_joint(loss: Loss) -> None:
    """Raise ValueError unless the loss is a sum over the outputs."""
    instead = {
        "cross_entropy": "has one loss for all outputs: fit(class_weight=...) weighs classes",
        "custom": "weighs its outputs itself",
        "heads": "has a weight for each head: Head(..., weight=...)",
    }.get(loss)
    if instead is not None:
        raise ValueError(
            f"loss_weights need a loss that is a mean over the outputs; {str(loss)!r} {instead}"
        )
