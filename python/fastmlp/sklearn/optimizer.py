"""The state of an optimizer between epochs, and between calls of ``partial_fit``."""

from collections.abc import Callable
from typing import Any

from fastmlp import _core
from fastmlp._validation import returned_number
from fastmlp.network import Network
from fastmlp.settings.optimizers import Optimizer as CoreOptimizer
from fastmlp.settings.optimizers import read_step_optimizer
from fastmlp.settings.plateau import Plateau
from fastmlp.settings.schedules import Schedule

Conventions = _core.Conventions
"""How scikit-learn trains where it differs."""
Convergence = _core.Convergence
"""When its training ends by the loss."""


class Optimizer:
    """The settings at the start of a fit, and the learning rate as scikit-learn changes it.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Its current parameters are copied: as in scikit-learn, later changes of the estimator do not
        affect an optimizer that continues.

    Attributes
    ----------
    learning_rate : float
        The rate of the next epoch; for an optimizer of `fastmlp`, a factor of its own rate.
    """

    def __init__(self, estimator: Any) -> None:
        named_by_us = estimator.solver in ("adamw", "rmsprop")
        self.solver = (
            read_step_optimizer(estimator.solver, "fit") if named_by_us else estimator.solver
        )
        self.schedule = estimator.learning_rate if self.solver == "sgd" else "constant"
        self.power_t = estimator.power_t
        self.momentum = estimator.momentum
        self.nesterov = estimator.nesterovs_momentum
        self.beta_1 = estimator.beta_1
        self.beta_2 = estimator.beta_2
        self.epsilon = estimator.epsilon
        self.learning_rate_init = float(estimator.learning_rate_init) if self.is_named else 1.0
        self.learning_rate = self.learning_rate_init
        self.epochs = 0

    @property
    def is_named(self) -> bool:
        """Whether it is one of scikit-learn's solvers, with its conventions."""
        return not isinstance(self.solver, CoreOptimizer)

    @property
    def rates(self) -> Callable[[int], float] | None:
        """The learning rate of a step, if the optimizer has a function for it."""
        rate = None if self.is_named else self.solver.learning_rate
        if not callable(rate):
            return None
        return lambda step: returned_number("the learning rate of a step", rate(step))

    @property
    def plateau(self) -> Plateau | None:
        """The schedule of the optimizer, if it depends on the losses."""
        rate = None if self.is_named else self.solver.learning_rate
        return rate if isinstance(rate, Plateau) else None

    def configure(
        self,
        options: _core.TrainOptions,
        conventions: Conventions,
        network: Network,
        alpha: float,
    ) -> None:
        """Set the optimizer in `options`, and how it differs in `conventions`.

        Parameters
        ----------
        options, conventions : TrainOptions, Conventions
            Of the core.
        network : Network
            The network to train.
        alpha : float
            The penalty of a named solver, divided by the samples of each batch.
        """
        options.rate_factor = self.learning_rate
        if self.is_named:
            options.optimizer = self._named(alpha)
            conventions.report_squares = alpha > 0
            conventions.penalty_per_sample = True
            conventions.uncorrected_epsilon = self.solver == "adam"
            conventions.velocity_holds_rate = self.solver != "adam"
            return
        options.optimizer = self.solver.to_core(network.dtype)
        if isinstance(self.solver.learning_rate, Schedule):
            options.schedule = self.solver.learning_rate.to_core()
            options.first_epoch = self.epochs
            options.epochs += self.epochs

    def _named(self, alpha: float) -> _core.Optimizer:
        core = _core.Optimizer()
        core.learning_rate = 1.0  # times the factor
        core.l2, core.decay_biases = alpha, False
        if self.solver == "adam":
            core.kind = _core.OptimizerKind.ADAM
            core.beta_1, core.beta_2 = self.beta_1, self.beta_2
            core.epsilon = self.epsilon
        else:
            core.kind = _core.OptimizerKind.SGD
            core.momentum = self.momentum
            core.nesterov = bool(self.nesterov and self.momentum > 0)
        return core

    def epoch_ended(self, samples: int) -> None:
        """Update the rate of "invscaling" from the number of samples trained on so far."""
        self.epochs += 1
        if self.schedule == "invscaling":
            self.learning_rate = self.learning_rate_init / (samples + 1) ** self.power_t

    def stalled(self, message: str, verbose: object) -> bool:
        """Return whether to stop for lack of improvement; "adaptive" first divides by 5."""
        if self.schedule != "adaptive":
            consequence, stop = "Stopping.", True
        elif self.learning_rate <= 1e-6:
            consequence, stop = "Learning rate too small. Stopping.", True
        else:
            self.learning_rate /= 5.0
            consequence, stop = f"Setting learning rate to {self.learning_rate:f}", False
        if verbose:
            print(f"{message} {consequence}")
        return stop
