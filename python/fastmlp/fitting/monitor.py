"""The value that early stopping and `Plateau` monitor, and its direction."""

import re
from collections.abc import Mapping

from fastmlp import _validation
from fastmlp.fitting._metric_names import top_k
from fastmlp.metrics import CLASSIFICATION, REGRESSION


def check_monitor(
    watcher: str, monitor: str, mode: str, measured: Mapping[str, bool | None]
) -> bool:
    """Check before a fit that `monitor` will be measured, and its direction known.

    Parameters
    ----------
    watcher : str
        What monitors the value, for messages.
    monitor, mode : str
        Its settings.
    measured : mapping of str to bool or None
        The names of the fit's measurements, and whether larger values are better, if known.

    Returns
    -------
    bool
        Whether larger values of `monitor` are better.

    Raises
    ------
    ValueError
        If `monitor` is not among `measured`, or `mode` is "auto" for a custom metric.
    """
    if needs := _missing(monitor, measured):
        raise ValueError(f"{watcher} monitors {_validation.brief(monitor)}, which needs {needs}")
    _validation.choice("monitor", monitor, tuple(measured))
    if mode != "auto":
        return mode == "max"
    larger = measured[monitor]
    if larger is None:
        raise ValueError(
            f"mode='auto' does not know whether {_validation.brief(monitor)} is better "
            "when larger; pass mode='max' or mode='min'"
        )
    return larger


def _metric_of_head(metric: str, names: Mapping[str, bool | None]) -> list[str]:
    """Return the `metrics` that would measure "value_r2", if there is a head "value"."""
    for name in names:
        head = name.removeprefix("validation_").removesuffix("_loss")
        if not (head and name == f"validation_{head}_loss"):
            continue
        own = metric.removeprefix(f"{head}_")
        classifies = f"validation_{head}_accuracy" in names
        if own != metric and own in (CLASSIFICATION if classifies else REGRESSION):
            return [f"metrics={{{head!r}: {own!r}}}"]
    return []


def _missing(monitor: str, names: Mapping[str, bool | None]) -> str:
    """Return the arguments of ``fit`` by which `monitor` would be measured; empty if unknown."""
    metric = re.sub("^val(idation)?_", "", monitor)
    if monitor in names or metric == monitor:
        return ""
    validates = "validation_loss" in names
    known = CLASSIFICATION if "validation_accuracy" in names else REGRESSION
    asked = metric in known if validates else metric in {**CLASSIFICATION, **REGRESSION}
    needs = _metric_of_head(metric, names) if validates else []
    if (asked or top_k(metric)) and metric != "accuracy" and f"validation_{metric}" not in names:
        needs = [f"metrics={metric!r}"]
    if not validates:
        needs.append("validation_data or validation_fraction; or use monitor='loss'")
    return ", and ".join(needs)
