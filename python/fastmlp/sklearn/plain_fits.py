"""Fits that need no Python between their epochs: the core draws, compares losses and ends them."""

from collections.abc import Hashable
from typing import Any, Final

import numpy as np

from fastmlp import _core
from fastmlp.fitting.epochs import TrainedEpochs
from fastmlp.network import model_of
from fastmlp.sklearn.training import Training

ALIKE_SAMPLES: Final = _core.ALIKE_SAMPLES
"""Fits whose numbers of samples have equal quotients by it may share the lanes of a vector."""


def runs_python(solver: object, learning_rate: object, early_stopping: object) -> bool:
    """Return whether a fit with these parameters runs Python after its epochs or iterations."""
    if early_stopping or not isinstance(solver, str):
        return True
    return not (solver == "adam" or (solver == "sgd" and learning_rate == "constant"))


class PlainFit:
    """A fit that ends by its loss, or after `epochs`.

    Parameters
    ----------
    training : Training
        What is trained; its order is not used.
    random_state : RandomState or None
        What the orders of the samples are drawn from, which does not change; None keeps the order.
    epochs : int
        The most epochs.
    tolerance, patience : float
        When it ends: ``tol`` and ``n_iter_no_change``.

    Attributes
    ----------
    is_trained : bool
        Whether it is, or there was an `error`.
    error : BaseException or None
        What was raised instead.
    trained : TrainedEpochs
        The epochs.
    stalled_before_last : int
        The epochs without improvement until the last but one, if the last one brought none either.
    diverged : bool
        Whether parameters are no longer finite after one more.
    """

    def __init__(
        self,
        training: Training,
        random_state: np.random.RandomState | None,
        *,
        epochs: int,
        tolerance: float,
        patience: float,
    ) -> None:
        network, samples = training.network, training.samples
        options, self._manner = training.options(epochs), _core.Manner()
        training.agree(self._manner)
        training.optimizer.configure(options, self._manner, network, training.alpha)
        self._manner.convergence = training.convergence(tolerance, patience)
        if random_state is not None:
            state = random_state.get_state(legacy=False)["state"]
            orders = _core.NumpyOrders(state["key"], state["pos"], len(samples))
            self._manner.orders = orders
        core, x, y = model_of(network).core, samples.x, samples.targets
        self.job = _core.TrainJob(core, x, y, None, options, manner=self._manner)
        self.is_single = network.dtype == np.float32
        self._rate = training.optimizer.learning_rate
        self.is_trained = False
        self.error: BaseException | None = None
        self.trained = TrainedEpochs()
        self.stalled_before_last = 0
        self.diverged = False

    def take(self, outcome: "_core.EpochReports | tuple[int, float, float]") -> None:
        """Take what the core returns."""
        convergence = self._manner.convergence
        assert convergence is not None
        self.diverged = isinstance(outcome, tuple)
        losses = convergence.losses
        if isinstance(outcome, tuple):  # without the times of its epochs
            seconds, rates = [0.0] * len(losses), [self._rate] * len(losses)
        else:
            seconds, rates = outcome.seconds, outcome.learning_rates
        self.stalled_before_last = max(0, convergence.stalled - 1)
        self.trained = TrainedEpochs(losses, seconds, rates)


def lanes_of(fit: PlainFit) -> tuple[Hashable, int]:
    """Return what is equal for fits that are trained side by side, and how many those are.

    None is a fit that is trained by itself.
    """
    key, lanes = (_core.lanes_of32 if fit.is_single else _core.lanes_of64)(fit.job)
    return (None if key is None else (fit.is_single, key)), lanes


def train(fits: list[PlainFit]) -> None:
    """Train fits of one dtype on this thread, which does not handle signals."""
    train_many: Any = _core.train_many32 if fits[0].is_single else _core.train_many64
    try:
        outcomes = train_many([fit.job for fit in fits], 1, interruptible=False)
        for fit, outcome in zip(fits, outcomes, strict=True):
            fit.take(outcome)
    except BaseException as error:  # noqa: BLE001  (each of them raises it)
        for fit in fits:
            fit.error = error
    for fit in fits:
        fit.is_trained = True
