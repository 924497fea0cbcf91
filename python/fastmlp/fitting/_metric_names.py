"""Metrics by name: which there are for a loss, and which way each is better."""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from fastmlp import _validation
from fastmlp.losses import Loss
from fastmlp.metrics import CLASSIFICATION, REGRESSION, Metric, MetricName, accuracy, top_k_accuracy

Metrics = MetricName | Metric | Iterable[MetricName | Metric]
"""One metric or several."""

MetricsLike = Metrics | Mapping[str, Metrics]
"""The types of `metrics` in ``fit``: of heads also a dict by name."""


class AskedMetric(NamedTuple):
    """A metric that ``fit`` was asked for.

    Attributes
    ----------
    function : callable
        ``f(y, outputs) -> float``.
    larger : bool or None
        Whether larger values are better; None if unknown.
    head : str
        The name of the head whose outputs it is for; empty for all outputs of a network without.
    """

    function: Metric
    larger: bool | None
    head: str = ""


def larger_is_better(name: str) -> bool | None:
    """Tell which way "loss", "validation_loss" or "validation_<metric>" gets better.

    None for a metric that is not one of this module.
    """
    metric = name.removeprefix("validation_")
    if metric in ("loss", "log_loss", "mse", "rmse", "mae", "mape"):
        return False
    return True if metric in CLASSIFICATION or metric == "r2" or top_k(metric) else None


def head_losses(loss: Loss) -> list[str]:
    """Return the names in `History` of the losses of the heads of a network, if it has several."""
    return [f"{name}_loss" for name, _ in loss.heads]


def measured_on_training(loss: Loss) -> dict[str, bool | None]:
    """Return the names of the training losses, for `monitor`; smaller ones are better."""
    return dict.fromkeys(["loss", *head_losses(loss)], False)


def measured_on_validation(
    loss: Loss, metrics: Mapping[str, AskedMetric]
) -> dict[str, bool | None]:
    """Return the names in `History` of what is measured on held-out samples, for `monitor`.

    The values tell whether larger ones are better; None if that is unknown.
    """
    measured: dict[str, bool | None] = dict(_always_measured("", loss))
    for name, head in loss.heads:
        measured |= _always_measured(f"{name}_", head.loss)
    measured |= {name: metric.larger for name, metric in metrics.items()}
    return {f"validation_{name}": larger for name, larger in measured.items()}


def _always_measured(prefix: str, loss: str) -> dict[str, bool]:
    accuracies = {f"{prefix}accuracy": True} if decides(loss) else {}
    return {f"{prefix}loss": False, **accuracies}


def top_k(name: str) -> int:
    """Return the k of ``"top_<k>_accuracy"``; 0 for every other name."""
    match = re.fullmatch(r"top_([1-9]\d{0,8})_accuracy", name)
    return int(match[1]) if match else 0


def read_metrics(metrics: object, loss: Loss, outputs: int) -> dict[str, AskedMetric]:
    """Return the metrics that ``fit`` was asked for, by name, in that order.

    Parameters
    ----------
    metrics : str, callable, sequence of them, dict of them by head, or None
        Names in `metrics`, or functions ``f(y, outputs) -> float`` of the user, which go by
        their own name. Of a network with heads they are measured for every head, or for those in
        the dict, and their names begin with that of the head: ``"value_r2"``.
    loss : Loss
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
    if loss.heads:
        return _of_heads(metrics, loss)
    if isinstance(metrics, Mapping):
        raise TypeError(
            "metrics must be names or functions f(y, outputs), got a dict, which has those of each "
            "head by name: this network has no heads"
        )
    return _of_outputs("metrics", metrics, loss, outputs)


def _of_heads(metrics: object, loss: Loss) -> dict[str, AskedMetric]:
    """Return the metrics of all heads."""
    heads = dict(loss.heads)
    by_head: Mapping[str, object] = dict.fromkeys(heads, metrics)
    advice = "; a dict has metrics for each head by name: metrics={'policy': 'f1', 'value': 'r2'}"
    if isinstance(metrics, Mapping):
        by_head, advice = metrics, ""
        for name in metrics:
            _validation.choice("a name in metrics", name, tuple(heads))
    elif isinstance(metrics, Iterable) and not isinstance(metrics, str):
        metrics = tuple(metrics)  # an iterator comes only once
        by_head = dict.fromkeys(heads, metrics)
    result: dict[str, AskedMetric] = {}
    taken = {name for own, head in heads.items() for name in _always_measured(f"{own}_", head.loss)}
    for name, asked in by_head.items():
        head = heads[name]
        place = (
            f"metrics[{name!r}]" if isinstance(metrics, Mapping) else f"metrics of head {name!r}"
        )
        try:
            own = _of_outputs(place, asked, head.chosen_loss, head.nodes)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error}{advice}") from None
        for metric, (function, larger, _) in own.items():
            full = f"{name}_{metric}"
            if full in result or full in taken:
                raise ValueError(
                    f"{place} has {_validation.brief(metric)}, but {_validation.brief(full)} is "
                    "measured for another head already: rename the head or the function"
                )
            result[full] = AskedMetric(function, larger, name)
    return result


def _of_outputs(place: str, metrics: object, loss: str, outputs: int) -> dict[str, AskedMetric]:
    """Return the metrics of a network, or of one head."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    named = _validation.items(place, metrics, "names or functions f(y, outputs)")
    result: dict[str, AskedMetric] = {}
    for metric in named:
        name, function = _named(place, metric, loss, outputs)
        if name in result or (name in ("loss", "accuracy") and function is not accuracy):
            raise ValueError(
                f"{place} has {_validation.brief(name)} twice, or a function of that name"
            )
        result[name] = AskedMetric(function, larger_is_better(name))
    if decides(loss):
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


def _named(place: str, metric: object, loss: str, outputs: int) -> tuple[str, Metric]:
    if callable(metric):
        return getattr(metric, "__name__", type(metric).__name__), metric
    known = CLASSIFICATION if decides(loss) else REGRESSION
    if loss == "cross_entropy" and isinstance(metric, str) and top_k(metric):
        if top_k(metric) >= outputs:
            raise ValueError(f"{metric} of {outputs} outputs is always 1")
        return metric, partial(top_k_accuracy, k=top_k(metric))
    top = ["top_5_accuracy"] if loss == "cross_entropy" and outputs > 5 else []
    name = _validation.choice(place, metric, [*known, *top])
    return name, known[name]
