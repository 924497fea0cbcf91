"""scikit-learn's callback protocol (1.9 and newer): tasks for the fit and for each epoch."""

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9 there are no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """A stand-in for versions of scikit-learn without callbacks."""


__all__ = ["CallbackSupportMixin", "FitTask"]


class FitTask:
    """The fit of an estimator as a task whose subtasks are its epochs.

    Without callbacks nothing is called or created, so epochs have no overhead.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.
    X, y : array-like
        The arguments of its ``fit``.
    sample_weight : array-like or None
        Likewise.
    epochs : int
        The maximum number of subtasks.
    reconstruct : callable
        Returns the attributes with which a copy of the estimator can predict.
    """

    def __init__(
        self,
        estimator: Any,
        X: object,
        y: object,
        sample_weight: object,
        epochs: int,
        reconstruct: Callable[[], dict[str, Any]],
    ) -> None:
        self._begin = {
            "estimator": estimator,
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        self._end = {**self._begin, "reconstruction_attributes": reconstruct}
        self._fit = None
        if hasattr(estimator, "_init_callback_context"):
            self._fit = estimator._init_callback_context(max_subtasks=epochs)
            self._fit.call_on_fit_task_begin(**self._begin)
        self.has_callbacks: bool = bool(getattr(estimator, "_skl_callbacks", []))
        self._epoch: Any = None

    def epoch_begins(self) -> None:
        """Call the callbacks at the beginning of an epoch."""
        if self.has_callbacks and self._fit is not None:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._begin)

    def epoch_ends(self) -> bool:
        """Call the callbacks at the end of an epoch; True if one of them requests a stop."""
        if self._epoch is None:
            return False
        return bool(self._epoch.call_on_fit_task_end(**self._end))

    def ends(self) -> None:
        """Call the callbacks at the end of the fit."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._end)
