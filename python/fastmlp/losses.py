"""The losses, and which output each fits.

Definitions are PyTorch's with ``reduction="mean"``: cross-entropy is the mean over the batch (2.8),
binary cross-entropy and squared error are the mean over the batch and the outputs.
"""

from typing import Final

from fastmlp import _validation

LOSSES: Final[dict[str, tuple[str, ...]]] = {
    "cross_entropy": ("softmax",),
    "binary_cross_entropy": ("sigmoid",),
    "mean_squared_error": ("identity", "relu", "sigmoid", "tanh"),
}
"""Each loss, and the activations of the last layer that it fits."""


def choose_loss(loss: str | None, output: str) -> str:
    """Check that `loss` fits the activation `output` of the last layer, or choose one for it.

    Parameters
    ----------
    loss : str or None
        A name in `LOSSES`; None chooses cross-entropy for softmax, binary cross-entropy for
        sigmoid, and mean squared error for the rest.
    output : str
        The activation of the last layer.

    Raises
    ------
    TypeError
        If `loss` is neither a string nor None.
    ValueError
        If `loss` is not a name in `LOSSES`, or does not fit `output`.
    """
    if loss is None:
        return next(name for name, outputs in LOSSES.items() if output in outputs)
    name = _validation.choice("loss", loss, tuple(LOSSES))
    if output not in LOSSES[name]:
        fitting = [repr(other) for other, outputs in LOSSES.items() if output in outputs]
        raise ValueError(
            f"loss={name!r} needs an output of {_validation.either(LOSSES[name])}, but the last "
            f"layer is {output!r}, which fits {' or '.join(fitting)}"
        )
    return name
