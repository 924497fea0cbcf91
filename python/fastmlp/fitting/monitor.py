"""The value that early stopping and `Plateau` monitor, and its direction."""

import re
from collections.abc import Sequence

from fastmlp import _validation
from fastmlp.fitting._metric_names import larger_is_better, top_k
from fastmlp.metrics import CLASSIFICATION, REGRESSION


def check_monitor(watcher: str, monitor: str, mode: str, names: Sequence[str]) -> None:
    """Check before a fit that `monitor` will be measured, and its direction known.

    Parameters
    ----------
    watcher : str
        What monitors the value, for messages.
    monitor, mode : str
        Its settings.
    names : sequence of str
        The names of the fit's measurements.

    Raises
    ------
    ValueError
        If `monitor` is not among `names`, or `mode` is "auto" for a custom metric.
    """
    if needs := _missing(monitor, names):
        raise ValueError(f"{watcher} monitors {_validation.brief(monitor)}, which needs {needs}")
    _validation.choice("monitor", monitor, names)
    if mode == "auto" and larger_is_better(monitor) is None:
        raise ValueError(
            f"mode='auto' does not know whether {_validation.brief(monitor)} is better "
            "when larger; pass mode='max' or mode='min'"
        )


def _missing(monitor: str, names: Sequence[str]) -> str:
    """Return the arguments of ``fit`` by which `monitor` would be measured; empty if unknown."""
    metric = re.sub("^val(idation)?_", "", monitor)
    if monitor in names or metric == monitor:
        return ""
    validates = "validation_loss" in names
    known = CLASSIFICATION if "validation_accuracy" in names else REGRESSION
    asked = metric in known if validates else metric in {**CLASSIFICATION, **REGRESSION}
    needs = []
    if (asked or top_k(metric)) and metric != "accuracy" and f"validation_{metric}" not in names:
        needs = [f"metrics={metric!r}"]
    if not validates:
        needs.append("validation_data or validation_fraction; or use monitor='loss'")
    return ", and ".join(needs)


def wants_larger(monitor: str, mode: str) -> bool:
    """Return whether larger values of `monitor` are better."""
    return bool(larger_is_better(monitor)) if mode == "auto" else mode == "max"
