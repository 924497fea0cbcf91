"""Optimizers: what the parameters do with a gradient. Plain data; the core does the arithmetic."""

from dataclasses import dataclass

from fastmlp import _validation


@dataclass(frozen=True, slots=True)
class SGD:
    """Stochastic gradient descent: ``w = w - learning_rate * gradient`` (2.13), (2.14).

    All gradients use the weights from before the update.

    Parameters
    ----------
    learning_rate : float, default 0.1
        The step size eta, finite and above 0.

    Raises
    ------
    TypeError
        If `learning_rate` is not a real number.
    ValueError
        If `learning_rate` is not finite or not above 0.
    """

    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        rate = _validation.positive("learning_rate", self.learning_rate)
        object.__setattr__(self, "learning_rate", rate)
