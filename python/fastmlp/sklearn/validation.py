"""Validation data of a fit: set aside from the training data, or given as ``eval_set``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from fastmlp.network import Network, model_of
from fastmlp.sklearn.losses import is_scikit_learns, mean_loss
from fastmlp.sklearn.samples import EstimatorSamples, dense, refuse_no_weight

Metric = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float]
"""A score of outputs against targets, with weights or None; the greater the better."""


class Measured(NamedTuple):
    """The validation data after an epoch, as `FitLoop` takes it in."""

    loss: float
    score: float
    accuracy: float | None
    metrics: Mapping[str, float] = {}


@dataclass(frozen=True)
class Validation:
    """What is looked at after each epoch.

    Parameters
    ----------
    samples : EstimatorSamples
        The data.
    metric : callable
        The score: accuracy or R^2.
    is_accuracy : bool
        Which of them.
    """

    samples: EstimatorSamples
    metric: Metric
    is_accuracy: bool

    def names(self) -> list[str]:
        """Return what there will be to monitor."""
        return ["validation_loss", *(["validation_accuracy"] if self.is_accuracy else [])]

    def measure(self, network: Network) -> Measured:
        """Return the score and the loss of `network` on the data."""
        samples = self.samples
        with np.errstate(all="ignore"):  # a network that diverged is measured too
            outputs = samples.outputs(network)
            if is_scikit_learns(network):
                loss = mean_loss(network.loss, outputs, samples.targets, samples.weights)
            else:
                x = dense(samples.x, network.dtype)
                loss, *_ = model_of(network).core.evaluate(x, samples.targets, samples.weights)
            # In double, as scikit-learn's are, also beside outputs in single precision.
            weights = samples.weights
            weights = None if weights is None else weights.astype(np.float64)
            score = float(self.metric(outputs, samples.targets.astype(np.float64), weights))
        return Measured(loss, score, score if self.is_accuracy else None)


def split(
    samples: EstimatorSamples, fraction: float, random_state: np.random.RandomState, stratify: Any
) -> tuple[EstimatorSamples, EstimatorSamples]:
    """Set a part aside, chosen as scikit-learn chooses it.

    Parameters
    ----------
    samples : EstimatorSamples
        All that was handed to ``fit``.
    fraction : float
        ``validation_fraction``.
    random_state : RandomState
        Drawn from once.
    stratify : array-like or None
        Classes whose proportions both parts keep.

    Returns
    -------
    tuple of EstimatorSamples
        For training and for validation, of these only samples that count.

    Raises
    ------
    ValueError
        If the validation part has fewer than two samples, or a part has no weight at all.
    """
    training, validation = train_test_split(
        np.arange(len(samples)), random_state=random_state, test_size=fraction, stratify=stratify
    )
    if len(validation) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    parts = samples.take(training), samples.take(validation)
    refuse_no_weight("the samples that validation_fraction leaves", parts[0].weights)
    refuse_no_weight("the samples that validation_fraction sets aside", parts[1].weights)
    return parts[0], parts[1].counting()
