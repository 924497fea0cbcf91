"""Loss and accuracy of outputs that no single network computed, such as means of an ensemble."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.history import Evaluation, HeadsEvaluation
from fastmlp.losses import Loss
from fastmlp.metrics import accuracy
from fastmlp.model.model import Model
from fastmlp.model.samples import CheckedSamples
from fastmlp.model.targets import outputs_of_heads, targets_of_heads
from fastmlp.settings.custom_loss import CustomLoss

_EPS = float(np.finfo(np.float64).eps)


def evaluate_outputs(
    model: Model, samples: CheckedSamples, outputs: NDArray[np.float64]
) -> Evaluation:
    """Compare outputs (n, N) with the targets of samples, as `Network.evaluate` does.

    Losses are computed in float64 from the outputs. Probabilities are clipped to [eps, 1 - eps] as
    in `metrics.log_loss`, where a network computes their logarithms from the scores.
    """
    y, weight = samples.y, samples.weight
    if weight is not None:
        counts = weight != 0
        outputs, y, weight = outputs[counts], y[counts], weight[counts].astype(np.float64)
    if samples.loss is not None:
        of_network = outputs.astype(model.dtype)
        return Evaluation(float(CustomLoss(samples.loss, y).mean(of_network, weight)), None)
    heads = model.loss.heads
    if not heads:
        return _evaluation(model.loss, outputs, y, weight, model.core.loss_weights)
    parts = zip(heads, outputs_of_heads(outputs, heads), targets_of_heads(y, heads), strict=True)
    each = {
        name: _evaluation(head.chosen_loss, out, targets, weight)
        for (name, head), out, targets in parts
    }
    return HeadsEvaluation(sum(head.weight * each[name].loss for name, head in heads), each)


def _evaluation(
    loss: Loss,
    outputs: NDArray[np.float64],
    y: NDArray[Any],
    weight: NDArray[np.float64] | None,
    loss_weights: NDArray[Any] | None = None,
) -> Evaluation:
    if loss == "cross_entropy":
        losses = _cross_entropies(outputs, y, loss.parameter)
        labels = y if y.ndim == 1 else y.argmax(axis=1)
        share: float | None = accuracy(labels, outputs, weight)
    else:
        terms = _terms(loss, outputs, y.astype(np.float64))
        losses = (terms if loss_weights is None else terms * loss_weights).mean(axis=1)
        share = accuracy(y, outputs, weight) if loss == "binary_cross_entropy" else None
    return Evaluation(float(np.average(losses, weights=weight)), share)


def _cross_entropies(
    outputs: NDArray[np.float64], y: NDArray[Any], smoothing: float
) -> NDArray[np.float64]:
    """Return the losses (n,) of probabilities (n, N) with labels (n,) or targets (n, N)."""
    nodes = outputs.shape[1]
    targets = np.eye(nodes)[y] if y.ndim == 1 else y
    targets = (1 - smoothing) * targets + smoothing / nodes
    result: NDArray[np.float64] = -(targets * np.log(_clipped(outputs))).sum(axis=1)
    return result


def _terms(loss: Loss, outputs: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms (n, N) of a loss that is a mean over the outputs."""
    error = outputs - y
    size: NDArray[np.float64] = np.abs(error)
    match loss:
        case "binary_cross_entropy":
            p = _clipped(outputs)
            return -(y * np.log(p) + (1 - y) * np.log(1 - p))
        case "poisson":
            return outputs - y * np.log(np.maximum(outputs, np.finfo(np.float64).tiny))
        case "huber":
            delta = loss.parameter
            return np.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
        case "quantile":
            return np.where(error < 0, -loss.parameter * error, (1 - loss.parameter) * error)
        case "mean_absolute_error":
            return size
        case "mean_squared_error":
            return error**2
    raise AssertionError(f"no terms of {loss!r}")


def _clipped(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(p, _EPS, 1 - _EPS)
