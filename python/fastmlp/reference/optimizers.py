"""Optimizers: what the parameters do with a gradient."""

from dataclasses import dataclass

from . import validation
from .dense import Row


@dataclass(frozen=True, slots=True)
class SGD:
    """Stochastic gradient descent: ``w = w - learning_rate * gradient`` (2.13), (2.14).

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
        rate = validation.positive("learning_rate", self.learning_rate)
        object.__setattr__(self, "learning_rate", rate)


def descend(parameters: Row, gradients: Row, learning_rate: float) -> None:
    """Move a row of parameters, in place, against its gradients (2.13), (2.14).

    Parameters
    ----------
    parameters, gradients : list of float, shape (N,)
        Biases and dL/db, or a row of weights and of dL/dw.
    learning_rate : float
        The step size eta.
    """
    for k, gradient in enumerate(gradients):
        parameters[k] -= learning_rate * gradient
