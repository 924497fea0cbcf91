"""What early stopping and `Plateau` watch: a number of each epoch, and which way it gets better."""

from collections.abc import Sequence

from fastmlp import _validation
from fastmlp.fitting._metric_names import larger_is_better


def check_monitor(watcher: str, monitor: str, mode: str, names: Sequence[str]) -> None:
    """Check before a fit that it measures `monitor`, and which way is better.

    Parameters
    ----------
    watcher : str
        What watches, for messages.
    monitor, mode : str
        Its settings.
    names : sequence of str
        What the fit measures.

    Raises
    ------
    ValueError
        If `monitor` is not among `names`, or `mode` is "auto" for a metric of the user's own.
    """
    on_validation = monitor.startswith(("validation_", "val_"))
    if on_validation and not any(name.startswith("validation_") for name in names):
        raise ValueError(
            f"{watcher} watches {_validation.brief(monitor)}, which needs "
            "validation_data or validation_fraction; or watch monitor='loss'"
        )
    _validation.choice("monitor", monitor, names)
    if mode == "auto" and larger_is_better(monitor) is None:
        raise ValueError(
            f"mode='auto' does not know whether {_validation.brief(monitor)} is better "
            "when larger; say mode='max' or mode='min'"
        )


def wants_larger(monitor: str, mode: str) -> bool:
    """Tell whether more of `monitor` is better."""
    return bool(larger_is_better(monitor)) if mode == "auto" else mode == "max"
