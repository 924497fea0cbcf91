"""``fit`` with a stochastic solver: scikit-learn's order of events around the core's epochs."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp.data._sparse import is_sparse
from fastmlp.fitting.callbacks import read_callbacks
from fastmlp.fitting.epochs import TrainedEpoch, TrainedEpochs
from fastmlp.fitting.loop import FitLoop
from fastmlp.fitting.plateau_watch import PlateauWatch
from fastmlp.model.model import Diverged
from fastmlp.network import model_of
from fastmlp.sklearn import losses, meeting
from fastmlp.sklearn.optimizer import Convergence
from fastmlp.sklearn.plain_fits import PlainFit, runs_python
from fastmlp.sklearn.training import Training
from fastmlp.sklearn.validation import measured_by
from fastmlp.sklearn.warned import warn

if TYPE_CHECKING:
    from fastmlp.sklearn.callbacks import FitTask
    from fastmlp.sklearn.samples import EstimatorSamples
    from fastmlp.sklearn.validation import Measured, Validation


class StochasticFit:
    """One call of ``fit`` or ``partial_fit``: the work at each epoch end, and when to stop.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The estimator being fitted.
    samples : EstimatorSamples
        The training data.
    validation : Validation or None
        The data to score after each epoch.
    random_state : RandomState
        Shuffles the samples before each epoch.
    task : FitTask
        Calls scikit-learn's callbacks.
    incremental : bool
        Whether this is ``partial_fit``: one epoch.
    """

    def __init__(
        self,
        estimator: Any,
        samples: "EstimatorSamples",
        validation: "Validation | None",
        random_state: np.random.RandomState,
        task: "FitTask",
        *,
        incremental: bool,
    ) -> None:
        self._estimator = estimator
        self._samples = samples
        self._validation = validation
        self._random_state = random_state
        self._task = task
        self._incremental = incremental
        self._measured: Measured | None = None
        self._epochs = TrainedEpochs()
        self._most_epochs = 1 if incremental else estimator.max_iter
        held_out: Any = None if validation is None else self
        plateau = estimator._optimizer.plateau
        self._loop = FitLoop(
            estimator._network,
            model_of(estimator._network),
            samples,
            held_out,
            epochs=self._most_epochs,
            n_threads=estimator._n_threads() or 0,
            plateau=None if plateau is None else PlateauWatch(plateau, measured_by(validation)),
            callbacks=read_callbacks(estimator.callbacks),
        )
        self._end_epoch = self._loop.on_epoch
        self._order = np.arange(len(samples), dtype=np.uint32) if estimator.shuffle else None

    def run(self) -> None:
        """Train until the end of an epoch requests a stop."""
        estimator = self._estimator
        estimator.n_iter_ = 0
        estimator.stopped_ = False
        training = Training(
            estimator._network,
            self._samples,
            estimator._optimizer,
            estimator.alpha,
            self._order,
            _batch_size(estimator.batch_size, len(self._samples)),
            estimator._n_threads(),
        )
        # Callbacks may wait for threads that predict.
        if estimator.callbacks or self._task.has_callbacks:
            model_of(estimator._network).core.expect_readers()
        self._loop.begin()
        try:
            if (together := meeting.current()) is not None and self._is_plain():
                self._train_in(together, training)
            else:
                self._epoch_begins()
                with meeting.computing():
                    training.run(self._most_epochs, self._epoch_ended, is_step=self._incremental)
        except Diverged:
            self._go_on_diverged()
        except KeyboardInterrupt:
            warn("Training interrupted by user.")
            self._loop.end_by("interrupt")
        if estimator.early_stopping and not (self._incremental and not estimator.stopped_):
            estimator._network.parameters = estimator._best_parameters
        if self._epochs:
            estimator.history_ = self._loop.end(self._epochs, training.threads())

    def _is_plain(self) -> bool:
        """Whether nothing happens after an epoch but that its loss is compared."""
        estimator, samples = self._estimator, self._samples
        optimizer, loss = estimator._optimizer, estimator._network.loss
        watched = estimator.verbose or estimator.callbacks or self._task.has_callbacks
        has_state = isinstance(estimator.random_state, np.random.RandomState)  # to be left behind
        return (
            not (watched or self._incremental or has_state or estimator.warm_start)
            and self._validation is None
            and not runs_python(estimator.solver, optimizer.schedule, estimator.early_stopping)
            and optimizer.learning_rate <= np.finfo(estimator._network.dtype).max  # else refused
            and loss != losses.POISSON
            and samples.weights is None
            and not is_sparse(samples.x)
        )

    def _train_in(self, together: "meeting.Meeting", training: Training) -> None:
        """Train beside others, and do after it what `_epoch_ended` does after each epoch."""
        estimator, random_state = self._estimator, self._random_state
        if estimator.random_state is None:  # the state of all
            random_state = np.random.RandomState(random_state.randint(2**31))
        fit = PlainFit(
            training,
            random_state if estimator.shuffle else None,
            epochs=self._most_epochs,
            tolerance=estimator.tol,
            patience=estimator.n_iter_no_change,
        )
        together.train(fit)
        if before := fit.trained:
            last = before.pop()
            self._take(before)
            estimator.best_loss_ = min([estimator.best_loss_, *estimator.loss_curve_])
            estimator._no_improvement_count = fit.stalled_before_last
            estimator._optimizer.epochs += len(before)
            self._epoch_ended(last)
        if fit.diverged:
            self._go_on_diverged()

    def measure(self, core: object, n_threads: int) -> "Measured | None":  # noqa: ARG002
        """Return the last measurement of the validation data, for `FitLoop`."""
        return self._measured

    def _epoch_begins(self) -> None:
        self._task.epoch_begins()
        if self._order is not None:
            self._random_state.shuffle(self._order)

    def _epoch_ended(self, epoch: TrainedEpoch) -> bool:
        """Handle the end of an epoch; True stops."""
        estimator = self._estimator
        self._take(TrainedEpochs([epoch.loss], [epoch.seconds], [epoch.learning_rate]))
        estimator.loss_ = epoch.loss
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {epoch.loss:.8f}")
        if self._validation is not None:
            self._validate(self._validation)
        converged = self._compare_score() if estimator.early_stopping else self._compare_loss()
        estimator._optimizer.epoch_ended(estimator.t_)
        if converged:
            estimator.stopped_ = self._stalled()
            if estimator.stopped_:
                self._loop.end_by("early_stopping" if estimator.early_stopping else "convergence")
        stop = self._tell(epoch) or estimator.stopped_ or self._incremental
        if not stop and estimator.n_iter_ == estimator.max_iter:
            stop = True
            warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) "
                "reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
            )
        if not stop:
            self._epoch_begins()
        return stop

    def _take(self, epochs: TrainedEpochs) -> None:
        estimator = self._estimator
        self._epochs.extend(epochs)
        estimator.n_iter_ += len(epochs)
        estimator.t_ += len(self._samples) * len(epochs)
        estimator.loss_curve_ += epochs.losses

    def _tell(self, epoch: TrainedEpoch) -> bool:
        """Call the callbacks, ours and scikit-learn's; True if one of them requests a stop."""
        stop = self._end_epoch is not None and self._end_epoch(epoch)
        optimizer = self._estimator._optimizer
        if optimizer.plateau is not None:
            optimizer.learning_rate = epoch.rate_factor
        return self._task.epoch_ends() or stop

    def _validate(self, validation: "Validation") -> None:
        """Measure on the validation data."""
        estimator = self._estimator
        self._measured = validation.measure(estimator._network)
        score = self._measured.score
        estimator.validation_scores_.append(score)
        estimator.validation_loss_curve_.append(self._measured.loss)
        if estimator.verbose:
            print(f"Validation score: {score:f}")

    def _compare_loss(self) -> bool:
        """Compare the last loss with the best one; True if it has converged."""
        estimator = self._estimator
        converged, estimator.best_loss_ = self._compare(estimator.loss_, estimator.best_loss_)
        return converged

    def _compare_score(self) -> bool:
        """Compare validation scores instead; remember the best parameters."""
        estimator = self._estimator
        score, best = estimator.validation_scores_[-1], estimator.best_validation_score_
        converged, _ = self._compare(-score, -best)
        if score > best:
            estimator.best_validation_score_ = score
            estimator._best_parameters = estimator._network.parameters.copy()
        return converged

    def _compare(self, loss: float, best: float) -> tuple[bool, float]:
        """Count epochs without improvement; return whether they are too many, and the best loss."""
        estimator, rule = self._estimator, Convergence()
        rule.tolerance, rule.patience = estimator.tol, estimator.n_iter_no_change
        rule.best, rule.stalled = best, estimator._no_improvement_count
        converged = rule.ends_with(loss)
        estimator._no_improvement_count = rule.stalled
        return converged, rule.best

    def _stalled(self) -> bool:
        estimator = self._estimator
        what = "Validation score" if estimator.early_stopping else "Training loss"
        message = (
            f"{what} did not improve more than tol={estimator.tol:f} "
            f"for {estimator.n_iter_no_change:d} consecutive epochs."
        )
        stop = estimator._optimizer.stalled(message, estimator.verbose)
        if not stop:
            estimator._no_improvement_count = 0
        return stop

    def _go_on_diverged(self) -> None:
        """Run the epochs that scikit-learn would continue with parameters that are not finite."""
        network = self._estimator._network
        network.parameters = np.full(network.n_parameters, math.nan, network.dtype)
        rate = self._estimator._optimizer.learning_rate
        while not self._epoch_ended(TrainedEpoch(len(self._epochs), math.nan, 0.0, rate)):
            pass


def _batch_size(batch_size: Any, samples: int) -> int:
    if isinstance(batch_size, str):  # "auto"
        return min(200, samples)
    if batch_size > samples:
        warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
    return min(int(batch_size), samples)
