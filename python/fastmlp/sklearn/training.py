"""Epochs of the core, with scikit-learn's conventions for losses, penalties and rates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastmlp.fitting.epochs import TrainedEpoch
from fastmlp.model.model import CoreReport, TrainOptions
from fastmlp.network import Network, model_of
from fastmlp.sklearn import losses
from fastmlp.sklearn.optimizer import Conventions, Convergence, Optimizer
from fastmlp.sklearn.samples import EstimatorSamples, core_features

EpochEnd = Callable[[TrainedEpoch], bool]
"""Handles the end of an epoch, with scikit-learn's loss; True stops."""


@dataclass(frozen=True)
class Training:
    """A training of a network.

    Parameters
    ----------
    network : Network
        The network.
    samples : EstimatorSamples
        Its samples.
    optimizer : Optimizer
        Its rate is read before each epoch.
    alpha : float
        The penalty: alpha / 2 times the squared weights, divided by the samples of a batch.
    order : ndarray of uint32, shape (n,), or None
        The order of the samples, which may be changed between epochs; None keeps their order.
    batch_size : int
        At most n.
    n_threads : int or None
        The maximum number of threads.
    """

    network: Network
    samples: EstimatorSamples
    optimizer: Optimizer
    alpha: float
    order: NDArray[np.uint32] | None
    batch_size: int
    n_threads: int | None

    def threads(self) -> int:
        """Return how many threads a step uses."""
        core, density = model_of(self.network).core, self.samples.density
        return core.threads_for(self.batch_size, self.n_threads or 0, density)

    def run(self, epochs: int, on_epoch: EpochEnd, *, is_step: bool) -> None:
        """Train for at most `epochs`, all in one call of the core.

        Threads that predict meanwhile wait if `is_step`; otherwise they use the state at the last
        epoch end.

        Raises
        ------
        DivergedError
            If parameters are no longer finite; they are not restored.
        KeyboardInterrupt
            On Ctrl-C, with the parameters of the last completed step.
        """
        samples = self.samples
        options, conventions = self.options(epochs), Conventions()
        self.agree(conventions)
        self.optimizer.configure(options, conventions, self.network, self.alpha)

        def epoch_ended(report: CoreReport) -> bool:
            stop = on_epoch(self._epoch(report, conventions.squares))
            report.rate_factor = self.optimizer.learning_rate
            return stop

        model_of(self.network).core.fit(
            core_features(samples.x, self.network.dtype),
            samples.targets,
            samples.weights,
            None if self.order is None else self.order.reshape(1, -1),
            options,
            self.optimizer.rates,
            epoch_ended,
            is_step=is_step,
            conventions=conventions,
        )

    def options(self, epochs: int) -> TrainOptions:
        """Return the options of the core, without those of the optimizer."""
        options = TrainOptions()
        options.epochs, options.batch_size, options.shuffle = epochs, self.batch_size, False
        options.n_threads = self.n_threads or 0
        return options

    def agree(self, conventions: Conventions) -> None:
        """Set how scikit-learn trains where it differs, but for the optimizer."""
        conventions.gradient_scale = losses.gradient_factor(self.network)
        conventions.loss_limit, conventions.batch_means = losses.limit(self.network), True
        conventions.roll_back = False

    def convergence(self, tolerance: float, patience: float) -> Convergence:
        """Return when the core ends the training by its loss, which is that of `_loss`."""
        convergence = Convergence()
        convergence.loss_factor = losses.from_core(self.network, 1.0)
        convergence.penalty = self.alpha / 2
        convergence.tolerance, convergence.patience = tolerance, patience
        return convergence

    def _epoch(self, report: CoreReport, squares: float) -> TrainedEpoch:
        loss = self._loss(report.loss, squares)
        return TrainedEpoch(report.epoch, loss, report.seconds, report.learning_rate)

    def _loss(self, loss: float, squares: float) -> float:
        """Return scikit-learn's loss of an epoch: its own mean, its constants, its penalty."""
        n = len(self.samples)
        loss = losses.from_core(self.network, loss) + self.alpha / 2 * squares / n
        return loss + self._constants() if self.network.loss == losses.POISSON else loss

    def _constants(self) -> float:
        """Return the mean of Poisson's constants: weighted within each batch, like the losses.

        A batch counts by its number of rows, whatever their weights.
        """
        samples, size = self.samples, self.batch_size
        constants = losses.poisson_constants(samples.targets.astype(np.float64)).sum(axis=1)
        if samples.weights is None:
            return float(constants.mean())
        order = slice(None) if self.order is None else self.order
        firsts = np.arange(0, len(samples), size)
        weights = samples.weights[order].astype(np.float64)
        sums = np.add.reduceat(weights, firsts)
        products = np.multiply(  # a row of weight 0 does not count, whatever its target
            weights, constants[order], out=np.zeros_like(weights), where=weights > 0
        )
        weighted = np.add.reduceat(products, firsts)
        rows = np.diff(firsts, append=len(samples))
        means = np.divide(weighted, sums, out=np.zeros_like(sums), where=sums > 0)
        return float(rows @ means) / len(samples)
