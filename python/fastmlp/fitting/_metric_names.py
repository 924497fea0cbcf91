"""Metrics by name: which there are for a loss, and which way each is better."""

import re
from functools import partial

from fastmlp import _validation
from fastmlp.losses import Loss
from fastmlp.metrics import CLASSIFICATION, REGRESSION, Metric, accuracy, top_k_accuracy


def larger_is_better(name: str) -> bool | None:
    """Tell which way "loss", "validation_loss" or "validation_<metric>" gets better.

    None for a metric that is not one of this module.
    """
    metric = name.removeprefix("validation_")
    if metric in ("loss", "log_loss", "mse", "rmse", "mae", "mape"):
        return False
    if metric.endswith(("_loss", "_accuracy")):  # of a head
        return metric.endswith("_accuracy")
    return True if metric in CLASSIFICATION or metric == "r2" or top_k(metric) else None


def head_losses(loss: Loss) -> list[str]:
    """Return the names in `History` of the losses of the heads of a network, if it has several."""
    return [f"{name}_loss" for name, _ in loss.heads]


def top_k(name: str) -> int:
    """Return the k of ``"top_<k>_accuracy"``; 0 for every other name."""
    match = re.fullmatch(r"top_([1-9]\d{0,8})_accuracy", name)
    return int(match[1]) if match else 0


def read_metrics(metrics: object, loss: str, outputs: int) -> dict[str, Metric]:
    """Return the metrics that ``fit`` was asked for, by name, in that order.

    Parameters
    ----------
    metrics : str, callable, sequence of them, or None
        Names in `metrics`, or functions ``f(y, outputs) -> float`` of the user, which go by
        their own name.
    loss : str
        The loss of the network: it decides which names fit.
    outputs : int
        The number of its outputs.

    Raises
    ------
    TypeError
        If one is neither a name nor a function.
    ValueError
        If a name is unknown, does not fit the loss, or stands twice.
    """
    if metrics is None:
        return {}
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    if loss == "heads":
        raise ValueError(
            "metrics are not supported for a network with heads, whose losses and accuracies are "
            "measured; apply functions of fastmlp.metrics to net.split(net.predict(X))"
        )
    named = _validation.items("metrics", metrics, "names or functions f(y, outputs)")
    result: dict[str, Metric] = {}
    for metric in named:
        name, function = _named(metric, loss, outputs)
        if name in result or (name in ("loss", "accuracy") and function is not accuracy):
            raise ValueError(
                f"metrics has {_validation.brief(name)} twice, or a function of that name"
            )
        result[name] = function
    result.pop("accuracy", None)  # it is measured anyway, with the loss
    return result


def decides(loss: str) -> bool:
    """Tell whether a network with this loss chooses classes."""
    return loss in ("cross_entropy", "binary_cross_entropy")


def takes_weight(metric: Metric) -> bool:
    """Tell whether a function has an argument `sample_weight`."""
    import inspect  # noqa: PLC0415  (slow to import, and only metrics need it)

    try:
        return "sample_weight" in inspect.signature(metric).parameters
    except (TypeError, ValueError):  # a built-in tells nothing
        return False


def _named(metric: object, loss: str, outputs: int) -> tuple[str, Metric]:
    if callable(metric):
        return getattr(metric, "__name__", type(metric).__name__), metric
    known = CLASSIFICATION if decides(loss) else REGRESSION
    if loss == "cross_entropy" and isinstance(metric, str) and top_k(metric):
        if top_k(metric) >= outputs:
            raise ValueError(f"{metric} of {outputs} outputs is always 1")
        return metric, partial(top_k_accuracy, k=top_k(metric))
    top = ["top_5_accuracy"] if loss == "cross_entropy" and outputs > 5 else []
    name = _validation.choice("metrics", metric, [*known, *top])
    return name, known[name]
