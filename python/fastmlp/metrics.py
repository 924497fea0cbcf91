"""Metrics: the quality of outputs as one number.

Every metric is a function ``f(y, outputs, sample_weight=None)`` of the targets as in
``Network.fit``, labels (B,) or numbers (B, N), the outputs (B, N) of ``predict``, and weights (B,)
that default to 1; ``fit`` accepts their names: ``metrics=["f1", "auc"]``. Samples of weight 0 are
ignored, whatever their targets and outputs, and so are classes with only such samples. The results
are those of the scikit-learn functions named in each docstring. Arithmetic is float64, and every
sum runs in order, so the results have the same bits on every machine.

With labels (B,) and N > 1 outputs, the predicted class is that of the largest output. With two
classes the second is the positive one; with more, a metric of one class is averaged over the
classes with equal weights ("macro"). Otherwise each output is a decision, yes above 0.5, and a
metric of one output is averaged over the outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastmlp._confusion import arrays, average, decisions, mean, residuals, share, total
from fastmlp.data._conversion import numbers

Metric = Callable[..., float]

MetricName: TypeAlias = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
    "average_precision",
    "log_loss",
    "top_2_accuracy",
    "top_3_accuracy",
    "top_4_accuracy",
    "top_5_accuracy",
    "top_10_accuracy",
    "mse",
    "rmse",
    "mae",
    "mape",
    "r2",
]
"""The names that ``fit`` accepts, for type checkers; any other ``top_<k>_accuracy`` works, too."""


def accuracy(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the fraction of correct decisions (``accuracy_score``).

    ``Network.evaluate`` decides by the arguments of the last activation, so it differs if rounding
    makes outputs equal, or equal to 0.5, whose arguments are not equal, or not 0.

    There is one decision per sample with labels, and otherwise one per output, where scikit-learn
    requires all outputs of a sample to be correct.
    """
    y, outputs, weight = arrays(y, outputs, sample_weight)
    if y.ndim == 1:
        right = outputs.argmax(axis=1) == y
        return mean(right, weight)
    right = np.count_nonzero((outputs > 0.5) == (y > 0.5), axis=1)
    return mean(right, weight) / len(outputs[0])


def top_k_accuracy(
    y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None, k: int = 5
) -> float:
    """Return the fraction of samples whose label is among the k largest outputs.

    ``top_k_accuracy_score``; equal outputs are ranked in the order of the classes. Its name is
    ``"top_5_accuracy"``, or with any other number.
    """
    y, outputs, weight = arrays(y, outputs, sample_weight)
    if y.ndim != 1:
        raise ValueError(f"top_k_accuracy needs labels (B,), got targets of shape {y.shape}")
    own = np.take_along_axis(outputs, y[:, np.newaxis].astype(np.intp), axis=1)
    earlier = np.arange(outputs.shape[1]) < y[:, np.newaxis]
    ahead = np.count_nonzero((outputs > own) | ((outputs == own) & earlier), axis=1)
    return mean(ahead < k, weight)


def balanced_accuracy(
    y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the mean recall of the classes with samples (``balanced_accuracy_score``).

    Only samples of weight above 0 count.
    """
    d = decisions(y, outputs, sample_weight)
    pairs = list(zip(d.said, d.truth, strict=True))
    sides = [pairs] if d.exclusive else [[(said, true), (~said, ~true)] for said, true in pairs]
    return average(
        average(
            share(said & true, true, d.weight)
            for said, true in classes
            if total(true * d.weight) > 0
        )
        for classes in sides
    )


def precision(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the correct fraction of predictions of a class (``precision_score``); 0 / 0 is 0."""
    d = decisions(y, outputs, sample_weight)
    return average(share(said & true, said, d.weight) for said, true in d.present())


def recall(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the fraction of a class that is predicted as such (``recall_score``); 0 / 0 is 0."""
    d = decisions(y, outputs, sample_weight)
    return average(share(said & true, true, d.weight) for said, true in d.present())


def f1(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the harmonic mean of precision and recall of a class (``f1_score``); 0 / 0 is 0."""
    d = decisions(y, outputs, sample_weight)
    return average(
        share(2.0 * (said & true), 1.0 * said + true, d.weight) for said, true in d.present()
    )


def auc(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the area under the curve of true over false positives (``roc_auc_score``).

    One class against the rest, with many, averaged over those that have samples both in them and
    outside; of yes and no, NaN if an output has only one of both.
    """
    d = decisions(y, outputs, sample_weight)
    areas = []
    for hits, misses in d.curves():
        if hits[-1] > 0 and misses[-1] > 0:
            steps = np.diff(misses) * (hits[1:] + hits[:-1]) / 2  # the trapezoids
            areas.append(total(steps) / (hits[-1] * misses[-1]))
        elif not d.exclusive:
            areas.append(math.nan)
    return average(areas)


def average_precision(
    y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Return the area under the steps of precision over recall (``average_precision_score``).

    With many classes it is averaged over those that have samples; for yes-or-no outputs, it is 0
    for an output without a yes.
    """
    d = decisions(y, outputs, sample_weight)
    areas = []
    for hits, misses in d.curves():
        if hits[-1] > 0:
            taken = hits[1:] + misses[1:]
            steps = np.diff(hits) * hits[1:] / np.where(taken > 0, taken, 1.0)
            areas.append(total(steps) / hits[-1])
        elif not d.exclusive:
            areas.append(0.0)
    return average(areas)


def log_loss(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean of -log(probability of the true class) (``log_loss``).

    Probabilities are clipped to [eps, 1 - eps], with the eps of the outputs' dtype. Without labels
    it is averaged over the outputs.
    """
    eps = np.finfo(np.result_type(numbers("outputs", outputs), np.float32)).eps
    y, outputs, weight = arrays(y, outputs, sample_weight)
    if y.ndim == 1:
        p = np.take_along_axis(outputs, y[:, np.newaxis].astype(np.intp), axis=1)
    else:
        p = np.where(y > 0.5, outputs, 1 - outputs)
    return average(mean(column, weight) for column in -np.log(np.clip(p, eps, 1 - eps)).T)


def mse(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean squared error over samples and outputs (``mean_squared_error``)."""
    errors, _, weight = residuals(y, outputs, sample_weight)
    return average(mean(e * e, weight) for e in errors)


def rmse(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean over outputs of the root of `mse` (``root_mean_squared_error``)."""
    errors, _, weight = residuals(y, outputs, sample_weight)
    return average(math.sqrt(mean(e * e, weight)) for e in errors)


def mae(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean absolute error over samples and outputs (``mean_absolute_error``)."""
    errors, _, weight = residuals(y, outputs, sample_weight)
    return average(mean(np.abs(e), weight) for e in errors)


def mape(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean of ``|error| / |y|`` (``mean_absolute_percentage_error``): 0.1 is 10 %.

    A target of 0 counts as eps of float64.
    """
    errors, targets, weight = residuals(y, outputs, sample_weight)
    scale = np.maximum(np.abs(targets), np.finfo(np.float64).eps)
    return average(mean(e, weight) for e in np.abs(errors) / scale)


def r2(y: ArrayLike, outputs: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the explained fraction of the variance, averaged over outputs (``r2_score``).

    1 is perfect, 0 no better than the mean. For a constant target it is 1 if perfect, else 0; for
    one sample, NaN.
    """
    errors, targets, weight = residuals(y, outputs, sample_weight)
    if len(weight) < 2:
        return math.nan
    shares = []
    for e, t in zip(errors, targets, strict=True):
        left = total(weight * (e * e))
        # The mean of equal numbers may differ from them: 0.1 + 0.1 + ... rounds.
        spread = total(weight * (t - mean(t, weight)) ** 2) if np.ptp(t[weight > 0]) else 0.0
        shares.append(1 - left / spread if spread else float(left == 0))
    return average(shares)


CLASSIFICATION: Final[dict[str, Metric]] = {
    f.__name__: f
    for f in (accuracy, balanced_accuracy, precision, recall, f1, auc, average_precision, log_loss)
}
"""The metrics of decisions, by name, without ``top_<k>_accuracy``."""

REGRESSION: Final[dict[str, Metric]] = {f.__name__: f for f in (mse, rmse, mae, mape, r2)}
"""The metrics of numbers, by name."""
