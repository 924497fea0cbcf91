"""The value that early stopping and `Plateau` monitor, and its direction."""

from collections.abc import Sequence

from fastmlp import _validation
from fastmlp.fitting._metric_names import larger_is_better


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
    on_validation = monitor.startswith(("validation_", "val_"))
    if on_validation and not any(name.startswith("validation_") for name in names):
        raise ValueError(
            f"{watcher} monitors {_validation.brief(monitor)}, which needs "
            "validation_data or validation_fraction; or use monitor='loss'"
        )
    _validation.choice("monitor", monitor, names)
    if mode == "auto" and larger_is_better(monitor) is None:
        raise ValueError(
            f"mode='auto' does not know whether {_validation.brief(monitor)} is better "
            "when larger; pass mode='max' or mode='min'"
        )


def wants_larger(monitor: str, mode: str) -> bool:
    """Return whether larger values of `monitor` are better."""
    return bool(larger_is_better(monitor)) if mode == "auto" else mode == "max"
