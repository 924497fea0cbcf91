"""Validation data of a fit: set aside from the training data, or given as ``eval_set``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fastmlp.data.splitting import copies_together
from fastmlp.network import Network, model_of
from fastmlp.sklearn.losses import is_scikit_learns, mean_loss
from fastmlp.sklearn.samples import EstimatorSamples, check_weights, dense

Metric = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float]
"""A score of outputs against targets, with weights or None; higher is better."""


_bootstrap: Final[ContextVar[tuple[object, NDArray[np.intp]] | None]] = ContextVar(
    "bootstrap", default=None
)
"""An estimator that is fitted to a bootstrap, and the numbers of its samples."""


@contextmanager
def of_a_bootstrap(estimator: object, rows: NDArray[np.intp]) -> Iterator[None]:
    """Tell the fit of an estimator which of its samples are copies: those of equal numbers.

    Other estimators that are fitted in the ``with`` statement, as by the estimator, have others.
    """
    token = _bootstrap.set((estimator, rows))
    try:
        yield
    finally:
        _bootstrap.reset(token)


class Measured(NamedTuple):
    """The measurements of the validation data after an epoch, for `FitLoop`."""

    loss: float
    score: float
    accuracy: float | None
    metrics: Mapping[str, float] = {}


@dataclass(frozen=True)
class Validation:
    """The validation data, measured after each epoch.

    Parameters
    ----------
    samples : EstimatorSamples
        The data.
    metric : callable
        The score: accuracy or R^2.
    is_accuracy : bool
        Which of them it is.
    """

    samples: EstimatorSamples
    metric: Metric
    is_accuracy: bool

    def measure(self, network: Network) -> Measured:
        """Return the score and the loss of `network` on the data."""
        samples = self.samples
        with np.errstate(all="ignore"):  # a diverged network is measured, too
            outputs = samples.outputs(network)
            if is_scikit_learns(network):
                loss = mean_loss(network.loss, outputs, samples.targets, samples.weights)
            else:
                x = dense(samples.x, network.dtype)
                loss, *_ = model_of(network).core.evaluate(x, samples.targets, samples.weights)
            # In double precision, as in scikit-learn, even for outputs in single precision.
            weights = samples.weights
            weights = None if weights is None else weights.astype(np.float64)
            score = float(self.metric(outputs, samples.targets.astype(np.float64), weights))
        return Measured(loss, score, score if self.is_accuracy else None)


def measured_by(validation: Validation | None) -> dict[str, bool | None]:
    """Return the names of what a fit measures, for `monitor`, and whether larger is better."""
    measured: dict[str, bool | None] = {"loss": False}
    if validation is not None:
        measured["validation_loss"] = False
        if validation.is_accuracy:
            measured["validation_accuracy"] = True
    return measured


def split(
    samples: EstimatorSamples,
    fraction: float,
    random_state: np.random.RandomState,
    stratify: Any,
    estimator: object,
) -> tuple[EstimatorSamples, EstimatorSamples]:
    """Hold out samples, chosen as in scikit-learn; of those of a bootstrap all copies or none.

    Parameters
    ----------
    samples : EstimatorSamples
        All samples passed to ``fit``.
    fraction : float
        ``validation_fraction``.
    random_state : RandomState
        Used for one draw.
    stratify : array-like or None
        Classes whose proportions both parts keep.
    estimator : object
        What is fitted to them; see `of_a_bootstrap`.

    Returns
    -------
    tuple of EstimatorSamples
        For training and for validation, the latter without samples of weight 0.

    Raises
    ------
    ValueError
        If the validation part has fewer than two samples, or a part has no weight at all.
    """

    def split_at(at: NDArray[np.intp] | slice) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        classes = None if stratify is None else stratify[at]
        count = len(samples) if isinstance(at, slice) else len(at)
        training, validation = train_test_split(
            np.arange(count), random_state=random_state, test_size=fraction, stratify=classes
        )
        return training, validation

    whose, rows = _bootstrap.get() or (None, None)
    if rows is not None and whose is estimator and len(rows) == len(samples):
        training, validation = copies_together(rows, split_at)
    else:
        training, validation = split_at(slice(None))
    if len(validation) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    parts = samples.take(training), samples.take(validation)
    check_weights("the samples that validation_fraction leaves", parts[0].weights)
    check_weights("the samples that validation_fraction sets aside", parts[1].weights)
    return parts[0], parts[1].counting()
