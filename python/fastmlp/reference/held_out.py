"""Samples held out of training: which they are, and what is measured on them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from . import metrics, regression_metrics, validation
from .dense import Matrix, Row
from .splitting import split

Metric = Callable[[Matrix, Matrix, Row], float]

DECIDING = ("cross_entropy", "binary_cross_entropy")
CLASSIFICATION = {
    f.__name__: f
    for f in (
        *(metrics.accuracy, metrics.balanced_accuracy, metrics.precision, metrics.recall),
        *(metrics.f1, metrics.auc, metrics.average_precision, metrics.log_loss),
    )
}
REGRESSION = {
    f.__name__: f
    for f in (
        *(regression_metrics.mse, regression_metrics.rmse, regression_metrics.mae),
        *(regression_metrics.mape, regression_metrics.r2),
    )
}


@dataclass(frozen=True)
class HeldOut:
    """Samples to validate on, and the metrics to measure, by names like "validation_f1"."""

    X: Matrix
    y: Matrix
    metrics: dict[str, Metric]

    def measure(self, outputs: Matrix) -> dict[str, float]:
        """Return what the outputs for the samples are worth."""
        weight = [1.0] * len(self.y)
        return {name: f(self.y, outputs, weight) for name, f in self.metrics.items()}


def read_metrics(asked: object, loss: str) -> dict[str, Metric]:
    """Return metrics by the names they are told under.

    Raises
    ------
    TypeError, ValueError
        If one is not a name, or there is none of that name for the loss.
    """
    if asked is None:
        return {}
    names = (asked,) if isinstance(asked, str) or not isinstance(asked, Iterable) else asked
    known: dict[str, Metric] = dict(REGRESSION)
    if loss in DECIDING:
        exclusive = loss == "cross_entropy"
        known = {name: partial(f, exclusive=exclusive) for name, f in CLASSIFICATION.items()}
    result = {
        f"validation_{name}": known[validation.choice("metrics", name, tuple(known))]
        for name in names
    }
    result.pop("validation_accuracy", None)  # it is measured anyway, with the loss
    return result


def hold_out(
    X: Matrix, y: Matrix, share: object, loss: str, seed: int
) -> tuple[tuple[Matrix, Matrix], tuple[Matrix, Matrix]]:
    """Split samples into those to train on and those held out, classes in the same mixture."""
    fraction = validation.positive("validation_fraction", share)
    if fraction >= 1:
        raise ValueError(f"validation_fraction must be above 0 and below 1, got {share!r}")
    labels = [0] * len(y)
    if loss == "cross_entropy":
        labels = [row.index(max(row)) for row in y]
    elif loss == "binary_cross_entropy" and len(y[0]) == 1:
        labels = [int(row[0] > 0.5) for row in y]
    train, held_out = (
        ([X[i] for i in rows], [y[i] for i in rows]) for rows in split(labels, fraction, seed)
    )
    return train, held_out
