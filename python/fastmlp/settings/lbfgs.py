"""`LBFGS`: the settings of the optimizer that uses all samples at once."""

from dataclasses import dataclass

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments


@hints_at_arguments
@dataclass(frozen=True, slots=True)
class LBFGS:
    """Limited-memory BFGS (Nocedal, 1980): ``scipy.optimize.minimize(method="L-BFGS-B")``.

    Each iteration uses the gradient over all samples and chooses its own step size. It converges
    when no element of the gradient is above `tolerance`, or the loss falls by less than 2.2e-9 of
    itself; where it ends before, ``fit`` warns with a `ConvergenceWarning` and
    `History.stopped_by` says why.
    A network of dtype float64 lets it go further: line searches compare nearly equal losses. The
    bits are those of SciPy's arithmetic, not the same on every machine. Needs ``fastmlp[lbfgs]``.

    With it ``fit`` takes no `epochs`, no `batch_size` and no order of samples, and tells of
    iterations as of epochs. Weights that a callback writes are not heard.

    Parameters
    ----------
    max_iterations : int, default 200
        The most iterations, at least 1.
    tolerance : float, default 1e-5
        As above, finite and at least 0.
    history : int, default 10
        How many steps the curvature is estimated from, at least 1.
    l2 : float, default 0.0
        The penalty ``l2 / 2 * sum(w^2)`` over all parameters, in what is minimised but not in the
        losses told.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range.

    Examples
    --------
    >>> net.fit(X, y, optimizer=LBFGS(max_iterations=500))  # doctest: +SKIP
    """

    max_iterations: int = 200
    tolerance: float = 1e-5
    history: int = 10
    l2: float = 0.0

    def __post_init__(self) -> None:
        for name in ("max_iterations", "history"):
            value = _validation.integer(name, getattr(self, name), minimum=1, maximum=2**31 - 1)
            object.__setattr__(self, name, value)
        for name in ("tolerance", "l2"):
            number = _validation.not_negative(name, getattr(self, name))
            object.__setattr__(self, name, number)
