"""`LBFGS`: the settings of the optimizer that uses all samples in each step."""

from dataclasses import dataclass

from fastmlp import _validation
from fastmlp._validation.foreign_names import hints_at_arguments
from fastmlp._validation.immutable import immutable


@hints_at_arguments
@immutable
@dataclass(frozen=True, slots=True)
class LBFGS:
    """Limited-memory BFGS (Nocedal, 1980): ``scipy.optimize.minimize(method="L-BFGS-B")``.

    Each iteration uses the gradient over all samples and chooses its own step size. It converges
    when no element of the gradient is above `tolerance`, or the relative decrease of the loss is
    below 2.2e-9; if it ends earlier, ``fit`` warns with a `ConvergenceWarning` and
    `History.stopped_by` gives the reason. A network of dtype float64 gets closer to the minimum,
    because line searches compare nearly equal losses. The results depend on SciPy's arithmetic and
    may differ between machines in their last bits. Needs ``fastmlp[lbfgs]``.

    With it ``fit`` takes no `epochs`, no `batch_size` and no order of samples, and reports
    iterations as epochs. Weights written by a callback are ignored.

    Parameters
    ----------
    max_iterations : int, default 200
        The maximum number of iterations, at least 1.
    tolerance : float, default 1e-5
        As above, finite and at least 0.
    history : int, default 10
        The number of steps from which the curvature is estimated, at least 1.
    l2 : float, default 0.0
        The penalty ``l2 / 2 * sum(w^2)`` over all parameters, which is minimised too but not
        included in the reported losses.

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
