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


_numbers: Final[ContextVar[NDArray[np.intp] | None]] = ContextVar("numbers", default=None)
"""The numbers of the samples that are passed to ``fit``, if they are those of a bootstrap."""


@contextmanager
def of_a_bootstrap(rows: NDArray[np.intp]) -> Iterator[None]:
    """Tell the fits of a ``with`` statement which of their samples are copies: of equal numbers."""
    token = _numbers.set(rows)
    try:
        yield
    finally:
        _numbers.reset(token)


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
    samples: EstimatorSamples, fraction: float, random_state: np.random.RandomState, stratify: Any
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

    rows = _numbers.get()
    if rows is None or len(rows) != len(samples):
        training, validation = split_at(slice(None))
    else:
        training, validation = copies_together(rows, split_at)
    if len(validation) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    parts = samples.take(training), samples.take(validation)
    check_weights("the samples that validation_fraction leaves", parts[0].weights)
    check_weights("the samples that validation_fraction sets aside", parts[1].weights)
    return parts[0], parts[1].counting()
